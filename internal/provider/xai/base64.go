package xai

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
)

// unbase64 decodes characters as they are written and gives the bytes to what
// open opens. It takes the standard alphabet with padding, line breaks, and a
// data URL in front (which the gRPC wire sends). After the first mistake, of
// the text or of the writer, it drops the rest.
type unbase64 struct {
	open func() (io.WriteCloser, error)
	max  int64 // bytes
	w    io.WriteCloser
	in   [8 << 10]byte
	out  [6 << 10]byte
	n    int  // characters in in
	past bool // past the place where a data URL may begin
	done bool // padding was seen
	size int64
	mime string // that a data URL claims
	bad  string // why the picture can't be used
	err  error  // of the writer
}

func (u *unbase64) write(p []byte) {
	for len(p) > 0 && u.bad == "" && u.err == nil {
		if u.past && len(p) > 1 {
			n := copy(u.in[u.n:], p)
			u.n += n
			p = p[n:]
		} else {
			u.put(p[0])
			p = p[1:]
		}
		if u.n == len(u.in) {
			u.flush()
		}
	}
}

func (u *unbase64) put(c byte) {
	if c == '\n' || c == '\r' {
		return
	}
	u.in[u.n] = c
	u.n++
	if c == ',' && !u.past && bytes.HasPrefix(u.in[:u.n], []byte("data:")) {
		if !bytes.HasSuffix(u.in[:u.n], []byte(";base64,")) {
			u.bad = "a data URL that is not base64"
		}
		mime, _, _ := bytes.Cut(u.in[len("data:"):u.n], []byte(";"))
		u.mime = string(mime)
		u.n, u.past = 0, true
	}
}

// flush decodes what is there: at the end, or a full number of quads.
func (u *unbase64) flush() {
	u.past = true
	n, err := base64.StdEncoding.Strict().Decode(u.out[:], u.in[:u.n])
	switch {
	case u.n == 0 || u.bad != "" || u.err != nil:
		return
	case err != nil || u.done:
		u.bad = "its base64 is broken"
		return
	case u.size+int64(n) > u.max:
		u.bad = fmt.Sprintf("it is longer than %d bytes", u.max)
		return
	}
	u.done = n < u.n/4*3
	u.n = 0
	if u.w == nil {
		if u.w, u.err = u.open(); u.err != nil {
			return
		}
	}
	u.size += int64(n)
	_, u.err = u.w.Write(u.out[:n])
}

// close makes the bytes durable. Its error is the writer's first one.
func (u *unbase64) close() error {
	if u.w == nil {
		return u.err
	}
	if err := u.w.Close(); u.err == nil {
		u.err = err
	}
	return u.err
}
