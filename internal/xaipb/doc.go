// Package xaipb is the messages of xAI's gRPC interface for images, as Go: the
// wire format only, made from image.proto by
//
//	cd testdata/conformance && go run ./protogen ../../internal/xaipb image.proto
//
// The client (provider/xai) and the emulator use it, who must not know each
// other. The emulator is also held to requests written by hand from the field
// numbers (testdata/wire/grpc), the client to replies built from them. It promises
// the names and numbers of the published descriptors and refuses to know what
// they mean.
package xaipb

// GenerateImage is the path of the one method, for generations and edits alike.
const GenerateImage = "/xai_api.Image/GenerateImage"
