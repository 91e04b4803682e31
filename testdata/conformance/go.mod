module github.com/imgbuild/imgbuild/testdata/conformance

go 1.26.0

ignore ./node_modules

require (
	github.com/bufbuild/protocompile v0.14.1
	github.com/openai/openai-go/v3 v3.96.0
	google.golang.org/protobuf v1.36.12
)

require (
	github.com/coder/websocket v1.8.15 // indirect
	github.com/stretchr/testify v1.11.1 // indirect
	github.com/tidwall/gjson v1.20.0 // indirect
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.2.1 // indirect
	github.com/tidwall/sjson v1.2.5 // indirect
	golang.org/x/sync v0.23.0 // indirect
)
