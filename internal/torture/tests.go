package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// testRows are attacks that tests of other rooms make a few times, made often.
func testRows() []*row {
	return []*row{
		testRow("bit rot: single flips in lock, store, journal, index and cache", "each is told by doctor, never a wrong picture copied out", 10_000, 250,
			"./internal/cli", "TestBitRot", func(t *trial) []string {
				return []string{fmt.Sprint("-flips=", t.n), fmt.Sprint("-luck=", t.luck.Uint64())}
			}),
		testRow("private URLs, redirects, rebinding", "no connection to an address that is not public", 100, 10,
			"./internal/provider/xai", "TestInnerURLs|TestInnerURLsThroughProxy|TestLoopbackIsNotPrivate|TestEndpointAddress", again),
		testRow("secrets: canary keys and sensitive values through every verb and format", "found nowhere", 10, 1,
			"./internal/cli", "TestKeyShowsNowhere|TestSensitiveShowsNowhere", again),
	}
}

func again(t *trial) []string { return []string{fmt.Sprint("-count=", t.n)} }

// testRow runs the tests of a room, with flags for so many attacks. The tests of
// the room make them a few times, so here the tests make none.
func testRow(name, must string, long, batch int, room, tests string, flags func(*trial) []string) *row {
	return &row{
		name: name, must: must, needs: []string{"go"}, long: long, batch: batch,
		sees: []string{"tests passed", "mended", "failed"},
		run: func(t *trial) error {
			cmd := exec.CommandContext(t.ctx, "go", append([]string{"test", "-v", "-timeout=1h", "-run=^(" + tests + ")$", room}, flags(t)...)...)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			err := cmd.Run()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				return err
			}
			text := out.String()
			passed := strings.Count(text, "--- PASS: ")
			t.count("tests passed", passed)
			if m := mended.FindStringSubmatch(text); m != nil {
				n, _ := strconv.Atoi(m[1])
				t.count("mended", n)
			}
			switch {
			case err != nil && (strings.Contains(text, "--- FAIL") || strings.Contains(text, "panic:")):
				t.count("failed", 1)
				t.wrong("%s", text)
			case err != nil || passed == 0:
				return fmt.Errorf("go test: %w: %s", err, text)
			}
			return nil
		},
	}
}

var mended = regexp.MustCompile(`\d+ flips, (\d+) mended`)
