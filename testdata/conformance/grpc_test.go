package conformance

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bufbuild/protocompile"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Both clients work from the .proto file, not from imgbuild's Go code of it:
// it is the file that is proved. Requests and replies are written as JSON.
const (
	protoFolder = "../../internal/xaipb"
	method      = "xai_api.Image/GenerateImage"
	maxMessage  = 20 << 20 // as the Python SDK has it
)

// grpcClients call the method with a key; an answer that is no reply is a
// status error.
var grpcClients = []struct {
	name string
	call func(e *emulator, key, request string) ([]byte, error)
}{
	{"grpc-go", func(e *emulator, key, request string) ([]byte, error) {
		conn, err := e.dial()
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		return invoke(e.t.Context(), conn, key, request)
	}},
	{"grpcurl", grpcurl},
}

// dial connects as the Python SDK does.
func (e *emulator) dial(options ...grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.NewClient(strings.TrimPrefix(e.origin, "http://"), append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUserAgent("XaiSdk/1.4.0"),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second, PermitWithoutStream: true}),
		grpc.WithDefaultServiceConfig(`{"methodConfig": [{"name": [{}], "retryPolicy": {
			"maxAttempts": 5, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`),
	}, options...)...)
}

var descriptor = sync.OnceValues(func() (protoreflect.MethodDescriptor, error) {
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{ImportPaths: []string{protoFolder}}}
	files, err := compiler.Compile(context.Background(), "image.proto")
	if err != nil {
		return nil, err
	}
	return files[0].Services().ByName("Image").Methods().ByName("GenerateImage"), nil
})

func invoke(ctx context.Context, conn *grpc.ClientConn, key, request string) ([]byte, error) {
	m, err := descriptor()
	if err != nil {
		return nil, err
	}
	in, out := dynamicpb.NewMessage(m.Input()), dynamicpb.NewMessage(m.Output())
	if err := protojson.Unmarshal([]byte(request), in); err != nil {
		return nil, err
	}
	if key != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+key, "xai-sdk-version", "python/1.4.0")
	}
	if err := conn.Invoke(ctx, "/"+method, in, out); err != nil {
		return nil, err
	}
	return protojson.Marshal(out)
}

// grpcurlProgram is built from the version in go.mod.
var grpcurlProgram = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "tool", "-n", "grpcurl").Output()
	return strings.TrimSpace(string(out)), err
})

func grpcurl(e *emulator, key, request string) ([]byte, error) {
	program, err := grpcurlProgram()
	if err != nil {
		return nil, err
	}
	args := []string{"-plaintext", "-import-path", protoFolder, "-proto", "image.proto", "-format-error", "-max-msg-sz", fmt.Sprint(maxMessage), "-d", "@"}
	if key != "" {
		args = append(args, "-H", "authorization: Bearer "+key)
	}
	cmd := exec.Command(program, append(args, strings.TrimPrefix(e.origin, "http://"), method)...)
	cmd.Stdin = strings.NewReader(request)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return out, err
	}
	var told struct {
		Code    codes.Code
		Message string
	}
	if json.Unmarshal(exit.Stderr, &told) != nil {
		return nil, fmt.Errorf("grpcurl: %w: %s", err, exit.Stderr)
	}
	return nil, status.Error(told.Code, told.Message)
}

// grpcReply is ImageResponse as JSON.
type grpcReply struct {
	Images []struct {
		URL, Base64       *string
		RespectModeration bool
	}
	Model string
	Usage struct {
		CostInUsdTicks int64 `json:",string"`
	}
}

// want calls and reads a reply of n images.
func (e *emulator) want(call func(*emulator, string, string) ([]byte, error), n int, request string) *grpcReply {
	e.t.Helper()
	b, err := call(e, key, request)
	if err != nil {
		e.t.Fatal(err)
	}
	r := new(grpcReply)
	if err := json.Unmarshal(b, r); err != nil {
		e.t.Fatalf("%v: %s", err, b)
	}
	if len(r.Images) != n {
		e.t.Fatalf("%d images, want %d", len(r.Images), n)
	}
	return r
}

// bytes are those of an image, wherever they are.
func (e *emulator) bytes(r *grpcReply, i int) []byte {
	e.t.Helper()
	one := r.Images[i]
	if !one.RespectModeration || (one.URL == nil) == (one.Base64 == nil) {
		e.t.Fatalf("image %d of %+v: moderated, or not one of url and base64", i, r)
	}
	if one.URL != nil {
		return e.get(*one.URL)
	}
	head, text, _ := strings.Cut(*one.Base64, "base64,") // as the Python SDK reads it
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || !strings.HasPrefix(head, "data:image/") {
		e.t.Fatalf("%v: %.64s", err, *one.Base64)
	}
	return b
}

func dataURL(png []byte) string {
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(png)
}

func TestGRPC(t *testing.T) {
	for _, c := range grpcClients {
		t.Run(c.name+"/url", func(t *testing.T) {
			t.Parallel()
			e := emulate(t, "documented", "")
			r := e.want(c.call, 1, `{"prompt": "A cat in a tree", "model": "grok-imagine-image", "n": 1, "format": "IMG_FORMAT_URL", "aspectRatio": "IMG_ASPECT_RATIO_16_9"}`)
			looks(t, e.bytes(r, 0), "png", 1792, 1024)
			if r.Images[0].URL == nil || r.Model != "grok-imagine-image" || r.Usage.CostInUsdTicks != priceImage {
				t.Errorf("%+v", r)
			}
			e.billed(1, charge{1, priceImage})
		})
		t.Run(c.name+"/base64", func(t *testing.T) {
			t.Parallel()
			e := emulate(t, "current", "")
			r := e.want(c.call, 1, `{"prompt": "A cat in a tree", "model": "grok-imagine-image", "format": "IMG_FORMAT_BASE64", "aspectRatio": "IMG_ASPECT_RATIO_9_19_5", "resolution": "IMG_RESOLUTION_2K"}`)
			looks(t, e.bytes(r, 0), "jpeg", 1392, 3008)
			if r.Images[0].Base64 == nil {
				t.Errorf("%+v", r)
			}
			e.billed(1, charge{1, priceImage})
		})
		t.Run(c.name+"/four", func(t *testing.T) {
			t.Parallel()
			e := emulate(t, "current", "")
			r := e.want(c.call, 4, `{"prompt": "A cat in a tree", "model": "grok-imagine-image", "n": 4, "format": "IMG_FORMAT_BASE64"}`)
			var all [][]byte
			for i := range r.Images {
				looks(t, e.bytes(r, i), "jpeg", 1024, 1024)
				all = append(all, e.bytes(r, i))
			}
			differ(t, all...)
			e.billed(1, charge{4, 4 * priceImage})
		})
		t.Run(c.name+"/edit", func(t *testing.T) {
			t.Parallel()
			e := emulate(t, "documented", "")
			r := e.want(c.call, 1, fmt.Sprintf(`{"prompt": "Make it night", "model": "grok-imagine-image", "format": "IMG_FORMAT_BASE64",
				"image": {"imageUrl": %q, "detail": "DETAIL_AUTO"}}`, dataURL(original)))
			got := e.bytes(r, 0)
			looks(t, got, "png", 96, 64)
			differ(t, got, original)
			e.billed(1, charge{1, priceImage + priceInput})
		})
		t.Run(c.name+"/edit of two", func(t *testing.T) {
			t.Parallel()
			e := emulate(t, "documented", "")
			r := e.want(c.call, 2, fmt.Sprintf(`{"prompt": "Both, at night", "model": "grok-imagine-image", "n": 2, "aspectRatio": "IMG_ASPECT_RATIO_1_1",
				"images": [{"imageUrl": %[1]q}, {"imageUrl": %[1]q}]}`, dataURL(original)))
			looks(t, e.bytes(r, 0), "png", 1024, 1024)
			looks(t, e.bytes(r, 1), "png", 1024, 1024)
			differ(t, e.bytes(r, 0), e.bytes(r, 1))
			e.billed(1, charge{2, 2*priceImage + 2*priceInput})
		})
	}
}

func TestGRPCErrors(t *testing.T) {
	const cat = `{"prompt": "A cat in a tree", "model": "grok-imagine-image"}`
	billed := []charge{{1, priceImage}}
	for _, c := range []struct {
		name, faults, key, request string
		code                       codes.Code
		message                    string
		charges                    []charge
	}{
		{"wrong key", "", "xai-wrong", cat, codes.InvalidArgument, "Incorrect API key", nil},
		{"no key", "", "", cat, codes.Unauthenticated, "No credentials", nil},
		{"unknown model", "", key, `{"prompt": "A cat", "model": "grok-2-image"}`, codes.NotFound, "grok-2-image", nil},
		{"n=11", "", key, `{"prompt": "A cat", "n": 11}`, codes.InvalidArgument, "between 1 and 10", nil},
		{"image and images", "", key, fmt.Sprintf(`{"prompt": "A cat", "image": {"imageUrl": %[1]q}, "images": [{"imageUrl": %[1]q}]}`, dataURL(original)),
			codes.InvalidArgument, "exclude each other", nil},
		{"moderated", `[{"do": {"moderated": "400"}}]`, key, cat, codes.InvalidArgument, "content moderation", billed},
		{"rate limit", `[{"do": {"status": 429}}]`, key, cat, codes.ResourceExhausted, "Too Many Requests", nil},
		{"internal", `[{"do": {"status": 500}}]`, key, cat, codes.Internal, "Internal Server Error", nil},
		// What is outside of ASCII, and the sign of escapes, comes through as it was.
		{"words of any script", `[{"do": {"status": 403, "body": "gesperrt: 100 % für 猫"}}]`, key, cat, codes.PermissionDenied, "gesperrt: 100 % für 猫", nil},
	} {
		for _, client := range grpcClients {
			t.Run(client.name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				e := emulate(t, "current", c.faults)
				b, err := client.call(e, c.key, c.request)
				if s := status.Convert(err); err == nil || s.Code() != c.code || !strings.Contains(s.Message(), c.message) {
					t.Errorf("%v, want %v with %q; reply %.200s", err, c.code, c.message, b)
				}
				e.billed(1, c.charges...)
			})
		}
	}
}

// The forms of moderation that are no error: the reply says so, and is billed.
func TestGRPCModerated(t *testing.T) {
	for _, c := range []struct {
		form          string
		images, shown int
	}{{"flag", 1, 0}, {"placeholder", 1, 1}, {"empty", 0, 0}} {
		for _, client := range grpcClients {
			t.Run(client.name+"/"+c.form, func(t *testing.T) {
				t.Parallel()
				e := emulate(t, "current", fmt.Sprintf(`[{"do": {"moderated": %q}}]`, c.form))
				r := e.want(client.call, c.images, `{"prompt": "A cat in a tree", "format": "IMG_FORMAT_BASE64"}`)
				shown := 0
				for _, one := range r.Images {
					if one.RespectModeration {
						t.Errorf("%+v is not marked", one)
					}
					if one.Base64 != nil || one.URL != nil {
						shown++
					}
				}
				if shown != c.shown || r.Usage.CostInUsdTicks != priceImage {
					t.Errorf("%d pictures, want %d; %d ticks", shown, c.shown, r.Usage.CostInUsdTicks)
				}
				e.billed(1, charge{1, priceImage})
			})
		}
	}
}

// A client that repeats what was dropped buys again, and the emulator says so.
func TestGRPCRepeatsAfterAReset(t *testing.T) {
	t.Parallel()
	e := emulate(t, "current", `[{"times": 1, "do": {"drop": "reset"}}]`)
	r := e.want(grpcClients[0].call, 1, `{"prompt": "A cat in a tree"}`)
	looks(t, e.bytes(r, 0), "jpeg", 1024, 1024)
	e.billed(2, charge{1, priceImage}, charge{1, priceImage})
}

// The SDK's policy: UNAVAILABLE is repeated, four times at most, and what was
// not served is not billed.
func TestGRPCRepeatsWhenUnavailable(t *testing.T) {
	t.Parallel()
	e := emulate(t, "current", `[{"times": 2, "do": {"status": 503}}]`)
	r := e.want(grpcClients[0].call, 1, `{"prompt": "A cat in a tree"}`)
	looks(t, e.bytes(r, 0), "jpeg", 1024, 1024)
	e.billed(3, charge{1, priceImage})
}
