# The house chores. `make` builds, `make test` is all that must hold before a
# change lands, `make bench` holds it to its promises of speed.

# Of a release: the tag v1.2.3. Without a tag the program says what its source says.
version := $(patsubst v%,%,$(shell git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null))
ldflags := -s -w $(if $(version),-X github.com/imgbuild/imgbuild/internal/cli.Version=$(version))
tests   := -timeout 20m

.PHONY: build test check conformance sites sites-astro bench peers torture torture-peers fuzz mutation supply setup demo clean

build:
	CGO_ENABLED=0 go build -trimpath -ldflags "$(ldflags)" -o bin/imgbuild ./cmd/imgbuild

# check runs those of internal/cli, while it writes their goldens afresh, and the
# others under the race detector; here the others run as they are.
test: setup check conformance sites
	go test $(tests) $$(go list ./... | grep -v internal/cli$$)

check:
	scripts/check

# Other people's clients against imgbuild emulate: npm's and Go's.
conformance: build setup
	scripts/conformance

# The examples that are sites, built by Hugo and Eleventy and opened in Chromium, and the pages of review:
# with the pictures that are there, and with such as the emulator sells.
sites: build setup
	scripts/sites

# The same with Astro, which takes minutes to install and to build.
sites-astro: build
	scripts/setup examples/astro
	scripts/sites astro.mjs

bench: build peers
	go run ./internal/bench

# What the bench measures pictures against, and the photographs.
peers:
	scripts/peers

# make torture TORTURE='-rows kill -for 1h': goes on where the last run ended.
torture: setup
	go run ./internal/torture $(TORTURE)

# What others make of the same: make torture-peers TORTURE='-n 100'
torture-peers: setup
	go run ./internal/torture -peers $(TORTURE)

# What others wrote and is in the program: unchanged, without known holes, and
# built to the same bits twice. make supply VULNDB=../vulndb
supply:
	go mod verify
	scripts/reproducible
	scripts/vulncheck $(VULNDB)

# make fuzz FUZZTIME=1m FUZZ=FuzzLoad
FUZZTIME ?= 10m
fuzz:
	scripts/fuzz $(FUZZTIME) $(FUZZ)

# Which changes of the code would no test notice? Hours, so no part of the tests;
# one room: make mutation ROOM=plan
mutation:
	scripts/mutation $(ROOM)

setup:
	scripts/setup

demo: build
	bin/imgbuild -C examples/quickstart apply -auto-approve
	@find "$(CURDIR)/examples/quickstart" -name .imgbuild -prune -o -type f \( -name '*.png' -o -name '*.jpg' -o -name '*.jpeg' \) -print | sort

clean:
	rm -rf bin/imgbuild
