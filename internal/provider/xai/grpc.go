package xai

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/xaipb"
)

// Values of enums, by how REST writes them. What is missing here gRPC lacks.
var (
	grpcRatios = map[string]xaipb.ImageAspectRatio{
		"auto": xaipb.ImageAspectRatio_IMG_ASPECT_RATIO_AUTO,
		"1:1":  xaipb.ImageAspectRatio_IMG_ASPECT_RATIO_1_1, "3:4": xaipb.ImageAspectRatio_IMG_ASPECT_RATIO_3_4,
		"4:3": xaipb.ImageAspectRatio_IMG_ASPECT_RATIO_4_3, "9:16": xaipb.ImageAspectRatio_IMG_ASPECT_RATIO_9_16,
		"16:9": xaipb.ImageAspectRatio_IMG_ASPECT_RATIO_16_9, "2:3": xaipb.ImageAspectRatio_IMG_ASPECT_RATIO_2_3,
		"3:2": xaipb.ImageAspectRatio_IMG_ASPECT_RATIO_3_2, "9:19.5": xaipb.ImageAspectRatio_IMG_ASPECT_RATIO_9_19_5,
		"19.5:9": xaipb.ImageAspectRatio_IMG_ASPECT_RATIO_19_5_9, "9:20": xaipb.ImageAspectRatio_IMG_ASPECT_RATIO_9_20,
		"20:9": xaipb.ImageAspectRatio_IMG_ASPECT_RATIO_20_9, "1:2": xaipb.ImageAspectRatio_IMG_ASPECT_RATIO_1_2,
		"2:1": xaipb.ImageAspectRatio_IMG_ASPECT_RATIO_2_1,
	}
	grpcResolutions = map[string]xaipb.ImageResolution{
		"1k": xaipb.ImageResolution_IMG_RESOLUTION_1K, "2k": xaipb.ImageResolution_IMG_RESOLUTION_2K,
	}
	grpcQualities = map[string]xaipb.ImageQuality{
		"low": xaipb.ImageQuality_IMG_QUALITY_LOW, "medium": xaipb.ImageQuality_IMG_QUALITY_MEDIUM,
	}
)

// message is r as gRPC has it.
func (m *maker) message(r *provider.Request, o *provider.Offer) *xaipb.GenerateImageRequest {
	f := m.fields(r, o)
	out := &xaipb.GenerateImageRequest{Prompt: f.Prompt, Model: f.Model, N: proto.Int32(int32(f.N)), User: f.User, Format: xaipb.ImageFormat_IMG_FORMAT_URL}
	if f.ResponseFormat == "b64_json" {
		out.Format = xaipb.ImageFormat_IMG_FORMAT_BASE64
	}
	if v, ok := grpcRatios[f.AspectRatio]; ok {
		out.AspectRatio = &v
	}
	if v, ok := grpcResolutions[f.Resolution]; ok {
		out.Resolution = &v
	}
	if v, ok := grpcQualities[f.Quality]; ok {
		out.Quality = &v
	}
	for _, in := range r.Inputs {
		out.Images = append(out.Images, &xaipb.ImageUrlContent{
			Source: &xaipb.ImageUrlContent_ImageUrl{ImageUrl: dataURL(in)}, Detail: xaipb.ImageDetail_DETAIL_AUTO,
		})
	}
	if len(out.Images) == 1 {
		out.Image, out.Images = out.Images[0], nil
	}
	return out
}

// makeGRPC is Make over gRPC. The one connection is dialled before the sink is
// told, as for REST.
func (m *maker) makeGRPC(ctx context.Context, r *provider.Request, o *provider.Offer, s provider.Sink) (provider.Reply, error) {
	conn, err := m.open(ctx, s)
	if err != nil {
		return provider.Reply{}, err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := maxReply + int64(r.N)*m.maxImage/3*4
	once := &onceClient{maker: m, conn: conn, cancel: cancel, limit: limit, sink: s}
	client := connect.NewClient[xaipb.GenerateImageRequest, xaipb.ImageResponse](
		once, m.endpoint.Scheme+"://"+m.endpoint.Host+xaipb.GenerateImage,
		connect.WithGRPC(),
		connect.WithReadMaxBytes(int(limit)),
		connect.WithAcceptCompression("gzip", nil, nil), // pictures don't shrink, and what unpacks to much can't come
	)
	req := connect.NewRequest(m.message(r, o))
	for k, v := range m.header() {
		if k != "Accept" {
			req.Header()[k] = v
		}
	}
	resp, err := client.CallUnary(ctx, req)
	if once.reply != nil && once.reply.sinkErr != nil {
		return provider.Reply{}, fmt.Errorf("xai: %w", once.reply.sinkErr)
	}
	if err != nil {
		if once.refused != nil {
			return provider.Reply{}, once.refused
		}
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			return provider.Reply{}, m.failed(provider.InDoubt, fmt.Errorf("no answer: %w", cause))
		}
		return provider.Reply{}, m.status(err)
	}
	a := unpack(resp.Msg, once.reply.images)
	a.requestID = m.clip(resp.Header().Get("X-Request-Id"))
	return m.deliver(a, r, o, s)
}

// onceClient is the client that connect wants, over one connection.
type onceClient struct {
	maker   *maker
	conn    net.Conn
	cancel  context.CancelCauseFunc
	limit   int64 // bytes of a reply
	sink    provider.Sink
	reply   *slim
	refused *provider.Error // by something that does not speak gRPC
}

func (c *onceClient) Do(req *http.Request) (*http.Response, error) {
	req.GetBody = nil // nothing can send the body twice
	sending := time.AfterFunc(2*firstByte, func() { c.cancel(errIdle) })
	defer sending.Stop()
	resp, err := c.maker.oneShot(c.conn).RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = watch(resp.Body, idleTime, c.cancel)
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		c.refused = c.maker.refusal(resp)
		return nil, c.refused
	}
	c.reply = &slim{Closer: resp.Body, in: bufio.NewReader(resp.Body), limit: c.limit, maxImage: c.maker.maxImage, sink: c.sink}
	resp.Body = c.reply
	return resp, nil
}

// unpack brings a reply into the form that REST's are read into. inline is what
// was taken out of its images before.
func unpack(msg *xaipb.ImageResponse, inline []inlineImage) *answer {
	a := &answer{status: http.StatusOK, model: msg.GetModel(), none: len(msg.GetImages()) == 0}
	if u := msg.GetUsage(); u != nil && u.CostInUsdTicks != nil {
		a.usage = &wireUsage{Ticks: json.Number(strconv.FormatInt(u.GetCostInUsdTicks(), 10))}
	}
	for i, image := range msg.GetImages() {
		respected := image.GetRespectModeration()
		im := gotImage{wireImage: wireImage{URL: image.GetUrl(), RespectModeration: &respected}}
		if i < len(inline) {
			im.spooled, im.MIME, im.bad = inline[i].spooled, inline[i].mime, inline[i].bad
		}
		if im.bad == "" && !im.spooled && im.URL == "" {
			im.bad = "neither a URL nor bytes"
		}
		a.images = append(a.images, im)
	}
	return a
}

// grpcStatus is the status of HTTP that stands for a code of gRPC, so that one
// table classifies both. Sources: the README of the Python SDK, gRPC's own
// mapping.
var grpcStatus = map[connect.Code]int{
	connect.CodeInvalidArgument: 400, connect.CodeFailedPrecondition: 400, connect.CodeOutOfRange: 400,
	connect.CodeUnauthenticated: 401, connect.CodePermissionDenied: 403, connect.CodeNotFound: 404, connect.CodeUnimplemented: 405,
	connect.CodeAlreadyExists: 409, connect.CodeResourceExhausted: 429,
}

// status classifies the end of a call. What gRPC says of itself, or of a
// connection that broke, is in doubt: only a code that the server chose to
// refuse with makes it clear that nothing is owed.
func (m *maker) status(err error) *provider.Error {
	var ce *connect.Error
	status, wire := 0, false
	if errors.As(err, &ce) {
		status, wire = grpcStatus[ce.Code()], connect.IsWireError(err)
	}
	if status == 0 || !wire {
		return m.failed(provider.InDoubt, fmt.Errorf("no answer: %w", err))
	}
	e := &provider.Error{Status: status, Code: ce.Code().String(), Message: m.clip(ce.Message()),
		RequestID: m.clip(ce.Meta().Get("X-Request-Id")), RetryAfter: m.retryAfter(ce.Meta())}
	e.Kind, e.Hint = classify(status, "", e.Message)
	if status == http.StatusMethodNotAllowed {
		e.Hint = `the server does not speak gRPC: write transport = "rest"`
	}
	return e
}

// overGRPC takes out of an offer what gRPC lacks.
func overGRPC(o provider.Offer) provider.Offer {
	o.AspectRatios = slices.DeleteFunc(slices.Clone(o.AspectRatios), func(s string) bool { _, ok := grpcRatios[s]; return !ok })
	o.Resolutions = slices.DeleteFunc(slices.Clone(o.Resolutions), func(s string) bool { _, ok := grpcResolutions[s]; return !ok })
	return o
}
