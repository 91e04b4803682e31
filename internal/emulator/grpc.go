package emulator

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"connectrpc.com/connect"

	"github.com/imgbuild/imgbuild/internal/xaipb"
)

// maxMessage is five pictures of 20 MiB as base64 and some room.
const maxMessage = 144 << 20

type callKey struct{} // in the context of generate: its *call

// call serves xai_api.Image/GenerateImage. What connect writes is held back, so
// that the faults of answers work here as they do over REST.
func (s *Server) call(w http.ResponseWriter, r *http.Request) {
	c := s.arrive(w, r)
	defer s.log(&c.line)
	s.early(c)
	if kind := r.Header.Get("Content-Type"); kind != "application/grpc" && kind != "application/grpc+proto" {
		io.Copy(io.Discard, io.LimitReader(r.Body, maxMessage))
		c.Status = http.StatusUnsupportedMediaType
		http.Error(w, "this path takes application/grpc", c.Status)
		return
	}
	answer := &held{ResponseWriter: w}
	s.rpc.ServeHTTP(answer, r.WithContext(context.WithValue(r.Context(), callKey{}, c)))
	if c.do.Status != 0 && c.do.HTML {
		// A proxy in front knows nothing of gRPC.
		clear(w.Header())
		c.Status = c.do.Status
		s.scripted(w, &c.do)
		return
	}
	c.Code = "OK"
	if code, _ := strconv.Atoi(w.Header().Get(http.TrailerPrefix + "Grpc-Status")); code != 0 {
		c.Code = strings.ToUpper(connect.Code(code).String())
		c.Error = w.Header().Get(http.TrailerPrefix + "Grpc-Message")
		trailersOnly(w.Header())
	}
	send(w, r, answer.body.Bytes(), c.do)
}

// trailersOnly makes the trailers of an answer without a message its headers.
// After headers of their own clients take a call for begun, and never repeat it.
func trailersOnly(h http.Header) {
	for name, values := range h {
		if trailer, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			delete(h, name)
			h[trailer] = values
		}
	}
}

// held is a ResponseWriter that keeps the body.
type held struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (h *held) Write(b []byte) (int, error) { return h.body.Write(b) }

func (s *Server) generate(ctx context.Context, req *connect.Request[xaipb.GenerateImageRequest]) (*connect.Response[xaipb.ImageResponse], error) {
	c := ctx.Value(callKey{}).(*call)
	w, no := readMessage(req.Msg)
	m, no := s.settle(ctx, c, w, no)
	if no != nil {
		err := connect.NewError(codeOf(no.status), errors.New(no.text))
		if c.do.RetryAfter != "" {
			err.Meta().Set("Retry-After", c.do.RetryAfter)
		}
		return nil, err
	}
	reply := &xaipb.ImageResponse{Model: m.model, Usage: &xaipb.SamplingUsage{CostInUsdTicks: &m.ticks}}
	for _, d := range m.images {
		one := &xaipb.GeneratedImage{RespectModeration: d.respectModeration}
		switch {
		case d.name != "":
			one.Image = &xaipb.GeneratedImage_Url{Url: d.url(c.r)}
		case d.bytes != nil:
			one.Image = &xaipb.GeneratedImage_Base64{Base64: "data:" + d.mime + ";base64," + base64.StdEncoding.EncodeToString(d.bytes)}
		}
		reply.Images = append(reply.Images, one)
	}
	return connect.NewResponse(reply), nil
}

// codeOf is the status of gRPC that stands for one of HTTP.
func codeOf(status int) connect.Code {
	switch status {
	case 400, 413, 415, 422:
		return connect.CodeInvalidArgument
	case 401:
		return connect.CodeUnauthenticated
	case 402, 429:
		return connect.CodeResourceExhausted
	case 403:
		return connect.CodePermissionDenied
	case 404:
		return connect.CodeNotFound
	case 408, 504:
		return connect.CodeDeadlineExceeded
	case 409:
		return connect.CodeAborted
	case 412:
		return connect.CodeFailedPrecondition
	case 500:
		return connect.CodeInternal
	case 501:
		return connect.CodeUnimplemented
	case 502, 503, 529:
		return connect.CodeUnavailable
	}
	return connect.CodeUnknown
}

// The values of the enums, by number, as REST spells them. None has a 0 that
// may be sent.
var (
	grpcFormats     = []string{"", "b64_json", "url"}
	grpcQualities   = []string{"", "low", "medium", "high"}
	grpcResolutions = []string{"", "1k", "2k"}
	grpcDetails     = []string{"", "auto", "low", "high"}
	grpcRatios      = []string{"", "1:1", "3:4", "4:3", "9:16", "16:9", "2:3", "3:2", "auto", "9:19.5", "19.5:9", "9:20", "20:9", "1:2", "2:1"}
)

// readMessage makes of a message what the REST routes make of a body. A message
// without format, detail or n is like one without that field.
func readMessage(m *xaipb.GenerateImageRequest) (*wire, *wrong) {
	w := &wire{fields: map[string]string{"prompt": m.Prompt, "model": m.Model, "user": m.User}}
	if m.N != nil {
		w.fields["n"] = strconv.Itoa(int(*m.N))
	}
	for _, f := range []struct {
		name, field string
		set         bool
		value       int32
		values      []string
	}{
		{"format", "response_format", m.Format != 0, int32(m.Format), grpcFormats},
		{"quality", "quality", m.Quality != nil, int32(m.GetQuality()), grpcQualities},
		{"resolution", "resolution", m.Resolution != nil, int32(m.GetResolution()), grpcResolutions},
		{"aspect_ratio", "aspect_ratio", m.AspectRatio != nil, int32(m.GetAspectRatio()), grpcRatios},
	} {
		switch {
		case !f.set:
		case f.value <= 0 || int(f.value) >= len(f.values):
			return nil, badf("%s: no value %d", f.name, f.value)
		default:
			w.fields[f.field] = f.values[f.value]
		}
	}
	images := m.Images
	if m.Image != nil {
		if images != nil {
			return nil, badf("image and images exclude each other")
		}
		images = []*xaipb.ImageUrlContent{m.Image}
	}
	w.edit = len(images) > 0
	for i, one := range images {
		if one.Detail < 0 || int(one.Detail) >= len(grpcDetails) {
			return nil, badf("image %d: detail: no value %d", i, one.Detail)
		}
		if one.GetFileId() != "" {
			return nil, badf("image %d: there are no files here", i)
		}
		b, err := dataURL(one.GetImageUrl())
		if err != nil {
			return nil, badf("image %d: %v", i, err)
		}
		w.images = append(w.images, b)
	}
	return w, nil
}
