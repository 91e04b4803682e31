package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"testing"
	"time"
	_ "unsafe" // for go:linkname

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// grpc-go pings no more often than this, ten seconds; the test has no time for
// that.
//
//go:linkname keepaliveMinPingTime google.golang.org/grpc/internal.KeepaliveMinPingTime
var keepaliveMinPingTime time.Duration

// The Python SDK pings when no call is under way. A server may take that for
// an attack, and a stock one of grpc-go does; the emulator must not.
func TestGRPCPingsWithoutACall(t *testing.T) {
	usual := keepaliveMinPingTime
	keepaliveMinPingTime = 5 * time.Millisecond
	t.Cleanup(func() { keepaliveMinPingTime = usual })

	t.Run("emulator", func(t *testing.T) {
		e := emulate(t, "current", "")
		frames := make(frames, 1000)
		conn, err := e.dial(pinging(), frames.watch())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.Connect()
		frames.expect(t, pong, 20)
		b, err := invoke(t.Context(), conn, key, `{"prompt": "A cat in a tree"}`)
		if err != nil {
			t.Fatalf("%v %s", err, b)
		}
		frames.expect(t, pong, 20)
		e.billed(1, charge{1, priceImage})
	})
	t.Run("control: grpc-go's own server", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := grpc.NewServer()
		go server.Serve(l)
		defer server.Stop()
		frames := make(frames, 1000)
		conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()), pinging(), frames.watch())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.Connect()
		frames.expect(t, goAway, 1)
	})
}

func pinging() grpc.DialOption {
	return grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveMinPingTime, Timeout: 10 * time.Second, PermitWithoutStream: true})
}

// frames are those of a server that tell what it makes of pings.
type frames chan frame

type frame string

const (
	pong   frame = "an answer to a ping"
	goAway frame = "a GOAWAY"
	dialed frame = "a new connection"
)

// expect waits for n frames of a kind, after the first connection; any other
// is an error.
func (f frames) expect(t *testing.T, want frame, n int) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for got := 0; got < n; {
		select {
		case one := <-f:
			if one == want {
				got++
			} else if want == pong {
				t.Fatalf("%s instead of %s", one, want)
			}
		case <-deadline:
			t.Fatalf("%d times %s, want %d", got, want, n)
		}
	}
}

// watch lets a client connect so that f hears of each frame.
func (f frames) watch() grpc.DialOption {
	first := true
	return grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
		if !first {
			f <- dialed
		}
		first = false
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		return &watched{Conn: conn, frames: f}, err
	})
}

// watched reads along the frames that a server sends: nine bytes (length in
// three, kind, flags, stream) and what they announce.
type watched struct {
	net.Conn
	frames frames
	head   []byte
	skip   int
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	for r := bytes.NewBuffer(b[:n]); r.Len() > 0; {
		if w.skip > 0 {
			w.skip -= len(r.Next(w.skip))
			continue
		}
		w.head = append(w.head, r.Next(9-len(w.head))...)
		if len(w.head) < 9 {
			continue
		}
		const ping, away, ack = 6, 7, 1
		switch kind, flags := w.head[3], w.head[4]; {
		case kind == ping && flags&ack != 0 && len(w.frames) < cap(w.frames)/2: // enough if nobody listens
			w.frames <- pong
		case kind == away:
			w.frames <- goAway
		}
		w.skip = int(binary.BigEndian.Uint32(w.head) >> 8)
		w.head = w.head[:0]
	}
	return n, err
}
