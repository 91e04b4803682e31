package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/imgbuild/imgbuild/internal/imaging"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/xai"
	"github.com/imgbuild/imgbuild/internal/spec"
	"github.com/imgbuild/imgbuild/internal/xaipb"
)

// inline is the rows of the memory that it takes to apply images whose bytes
// are in the replies, 10 MB each, eight in flight: whether it grows with the
// replies that came before. All of apply is in it: the reply, its base64, the
// bytes on their way to disk and the decoding that checks them, of which there
// are as many at once as there are CPUs. The replies come from another process.
func inline(l *lab) []row {
	const few, many = 2 * parallel, 100
	return []row{
		grown("peak memory, 100 replies of 10 MB, REST", inlined(l, "rest", few), inlined(l, "rest", many), 1.25, 1.1),
		grown("peak memory, 100 replies of 10 MB, gRPC", inlined(l, "grpc", few), inlined(l, "grpc", many), 1.25, 1.1),
	}
}

// grown is a row for the peak memory of many replies against that of few.
func grown(name string, few, many *probe, must, aim float64) row {
	return row{name: name, probes: []*probe{few, many}, must: must, aim: aim, unit: times, read: func(l *lab) (figures, error) {
		a, b := l.samples[many.name].rss, l.samples[few.name].rss
		if median(a) == 0 {
			return figures{}, notRun("this system does not tell the peak memory of a child")
		}
		mb := float64(median(a)) / 1e6
		return figures{
			fmt.Sprintf("%s, %s a reply in flight", megabytes(mb), megabytes(mb/parallel)),
			megabytes(float64(median(b))/1e6) + " for 16 replies", ratio(a, b),
		}, nil
	}}
}

// replySize is the bytes of a picture.
const replySize = 10_000_000

// inlineServer is the file that has the URL of the server.
const inlineServer = "inline.url"

func inlined(l *lab, transport string, n int) *probe {
	arg := fmt.Sprintf("%s-%d", transport, n)
	return &probe{name: "inline-" + arg, dir: l.dir, argv: []string{l.self, "-inline", arg}, says: "applied " + strconv.Itoa(n), most: 3, make: func() error {
		return l.serve(replySize)
	}}
}

// serve starts the server of inline replies, once. It ends with its input, and
// so with the bench, whatever that ends of.
func (l *lab) serve(size int) error {
	if err, ok := l.made[inlineServer]; ok {
		return err
	}
	err := func() error {
		cmd := exec.Command(l.self, "-serve", strconv.Itoa(size))
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		l.servers = append(l.servers, func() error { return errors.Join(in.Close(), cmd.Wait()) })
		var url string
		if _, err := fmt.Fscanln(out, &url); err != nil {
			return fmt.Errorf("the server of inline replies: %w", err)
		}
		return os.WriteFile(l.path(inlineServer), []byte(url), 0o666)
	}()
	l.made[inlineServer] = err
	return err
}

// runInline applies images that come inline, over the transport and as many as
// arg says.
func runInline(w io.Writer, arg string) error {
	transport, n, err := errand(arg)
	if err != nil {
		return err
	}
	url, err := os.ReadFile(inlineServer)
	if err != nil {
		return err
	}
	maker, err := xai.New(provider.Config{
		Type: "xai", Endpoint: string(url) + "/v1", Wire: "current", Transport: transport, Response: "b64_json", Parallelism: parallel,
	}, xai.Options{Now: time.Now})
	if err != nil {
		return err
	}
	images := make([]spec.Image, n)
	for i := range images {
		images[i] = wish(i, "")
		images[i].Wanted.Provider, images[i].Wanted.Size, images[i].Wanted.AspectRatio = "xai", "", "1:1"
	}
	return inFolder(func(dir string) error {
		err := applyAll(dir, images, maker)
		if err == nil {
			err = drawn(dir, n)
		}
		if err := errors.Join(err, os.RemoveAll(dir)); err != nil { // gigabytes
			return err
		}
		fmt.Fprintln(w, "applied", n)
		return nil
	})
}

// serveInline answers each request for an image with a picture of size bytes
// in the reply, each time another one, until its input ends.
func serveInline(w io.Writer, size string) error {
	n, err := strconv.Atoi(size)
	if err != nil {
		return err
	}
	png := noise(n)
	var served atomic.Uint32
	mux := http.NewServeMux()
	text := func() string { return base64.StdEncoding.EncodeToString(stamped(png, served.Add(1))) }
	mux.HandleFunc("POST /v1/images/generations", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"created":1,"data":[{"b64_json":%q,"mime_type":"image/png"}],"model":"grok-imagine-image","usage":{"cost_in_usd_ticks":200000000}}`, text())
	})
	mux.HandleFunc("POST "+xaipb.GenerateImage, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		message, err := proto.Marshal(&xaipb.ImageResponse{
			Images: []*xaipb.GeneratedImage{{Image: &xaipb.GeneratedImage_Base64{Base64: "data:image/png;base64," + text()}, RespectModeration: true}},
			Model:  "grok-imagine-image", Usage: &xaipb.SamplingUsage{CostInUsdTicks: proto.Int64(200000000)},
		})
		if err != nil {
			panic(err) // plain fields always encode
		}
		w.Header().Set("Content-Type", "application/grpc+proto")
		w.Write(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))))
		w.Write(message)
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	})
	var both http.Protocols
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	stage, err := raise(&http.Server{Handler: mux, Protocols: &both})
	if err != nil {
		return err
	}
	defer stage.Close()
	fmt.Fprintln(w, stage.url)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// noise is a square PNG of size bytes and a few more, which don't compress.
func noise(size int) []byte {
	side := 1
	for 3*side*side < size {
		side++
	}
	p := imaging.New(side, side)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range side * side {
		binary.LittleEndian.PutUint32(p.Pix()[4*i:], random.Uint32()|0xff000000)
	}
	var b bytes.Buffer
	if _, err := p.Encode(&b, "png", 0, false); err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
	return b.Bytes()
}
