package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// fuzzed are the fuzz targets, by room. A test holds the list to the tree.
var fuzzed = []struct {
	room    string
	targets []string
}{
	{"cli", []string{"FuzzPlanFile"}},
	{"config", []string{"FuzzDecode", "FuzzEdit", "FuzzEval", "FuzzFormat", "FuzzFunctions", "FuzzGuard", "FuzzLoad", "FuzzTest"}},
	{"diag", []string{"FuzzClean"}},
	{"emulator", []string{"FuzzFaults", "FuzzRequests"}},
	{"imaging", []string{"FuzzAVIF", "FuzzDecode", "FuzzInflate", "FuzzJPEG", "FuzzRelabel", "FuzzTexts"}},
	{"journal", []string{"FuzzReplay"}},
	{"lint", []string{"FuzzBaseline", "FuzzLint"}},
	{"lock", []string{"FuzzParse", "FuzzSplit"}},
	{"provider", []string{"FuzzCanonical"}},
	{"provider/xai", []string{"FuzzMessage", "FuzzMultipart", "FuzzPoll", "FuzzReply", "FuzzSlim"}},
	{"shape", []string{"FuzzParse", "FuzzPath"}},
	{"site", []string{"FuzzPage"}},
	{"store", []string{"FuzzRecord"}},
	{"workspace", []string{"FuzzIndex"}},
}

// halfHour are the targets that read whatever a stranger may hand us: the others
// are parts of them, or read what we wrote.
var halfHour = []string{"FuzzPlanFile", "config FuzzLoad", "imaging FuzzDecode", "FuzzReplay", "lock FuzzParse", "FuzzReply", "FuzzMultipart"}

// fuzzRows fuzz each target for five minutes in all, or half an hour; a time is
// a second. The input that broke one is in testdata/fuzz of its room, and stays
// there.
func fuzzRows() (rows []*row) {
	for _, f := range fuzzed {
		for _, target := range f.targets {
			long := 300
			if slices.ContainsFunc(halfHour, func(name string) bool { return strings.HasSuffix(f.room+" "+target, name) }) {
				long = 1800
			}
			rows = append(rows, &row{
				name: "fuzz " + f.room + " " + target, must: "0 crashes, inputs that crashed are kept", needs: []string{"go"},
				sees: []string{"executions", "crashes"},
				long: long, batch: 300, short: 0,
				run: func(t *trial) error { return t.fuzz(".", "./internal/"+f.room, target) },
			})
		}
	}
	return rows
}

var (
	executions = regexp.MustCompile(`execs: (\d+)`)
	failing    = regexp.MustCompile(`Failing input written to (\S+)`)
)

// fuzz gives a target so many seconds as the trial has attacks.
func (t *trial) fuzz(dir, room, target string) error {
	cmd := exec.CommandContext(t.ctx, "go", "test", "-run=^$", "-fuzzminimizetime=20x", "-fuzz=^"+target+"$", fmt.Sprintf("-fuzztime=%ds", t.n), room)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	text := out.String()
	all := executions.FindAllStringSubmatch(text, -1)
	if len(all) > 0 {
		n, _ := strconv.Atoi(all[len(all)-1][1])
		t.count("executions", n)
	}
	switch input := failing.FindStringSubmatch(text); {
	case input != nil:
		t.count("crashes", 1)
		t.wrong("%s: %s: %s", target, path.Join(room, input[1]), strings.TrimSpace(text))
	case len(all) > 0 && (err == nil || strings.Contains(text, "context deadline exceeded")): // so go test ends a worker that is at work when its time is over
	case err != nil && strings.Contains(text, "--- FAIL"): // a seed
		t.count("crashes", 1)
		t.wrong("%s: %s", target, strings.TrimSpace(text))
	default:
		return fmt.Errorf("go test: %w: %s", err, text)
	}
	return nil
}
