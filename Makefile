# The house chores. `make` builds, `make test` is all that must hold before a
# change lands, `make bench` holds it to its promises of speed.

# Of a release: the tag v1.2.3. Without a tag the program says what its source says.
version := $(patsubst v%,%,$(shell git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null))
ldflags := -s -w $(if $(version),-X github.com/imgbuild/imgbuild/internal/cli.Version=$(version))
tests   := -timeout 10m

.PHONY: build test check bench setup demo clean

build:
	CGO_ENABLED=0 go build -trimpath -ldflags "$(ldflags)" -o bin/imgbuild ./cmd/imgbuild

# The race detector needs cgo, and cgo a C compiler. The scripts start imgbuild
# hundreds of times, which it makes ten times slower: of them it watches those
# that work side by side.
packages = $(shell go list ./... | grep -v internal/cli$$)
beside   = TestScripts/(apply_(two|interrupt|crash|fail_fast|in_doubt|chain))

test: setup check
	@if command -v "$$(go env CC)" >/dev/null 2>&1; then set -ex; \
		CGO_ENABLED=1 go test -race $(tests) $(packages); \
		go test $(tests) ./internal/cli; \
		CGO_ENABLED=1 go test -race $(tests) -run '$(beside)' ./internal/cli; \
	else \
		echo "test: no C compiler ($$(go env CC)): the tests run WITHOUT the race detector" && go test $(tests) ./...; \
	fi

check:
	scripts/check

bench: build
	go run ./internal/bench

setup:
	scripts/setup

demo: build
	bin/imgbuild -C examples/quickstart apply -auto-approve
	@find "$(CURDIR)/examples/quickstart" -name .imgbuild -prune -o -type f \( -name '*.png' -o -name '*.jpg' -o -name '*.jpeg' \) -print | sort

clean:
	rm -rf bin/imgbuild
