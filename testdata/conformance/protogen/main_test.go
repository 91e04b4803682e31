package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The committed Go code is what protogen makes of the committed .proto file.
func TestGeneratedCodeIsFresh(t *testing.T) {
	const dir = "../../../internal/xaipb"
	want, err := generate(dir, "image.proto")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "image.pb.go"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("image.pb.go is not what image.proto says:  cd testdata/conformance && go run ./protogen ../../internal/xaipb image.proto")
	}
}
