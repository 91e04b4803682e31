// Package internal_test holds the floor plan of the house: which room may
// enter which, and which room may hold which sharp tool.
package internal_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/imgbuild/imgbuild/"

// levels are the floors. A room enters rooms of its own floor or below, never
// above, and only through a door.
var levels = map[string]int{
	"digest": 0, "diag": 0, "imaging": 0, "paint": 0, "provider": 0, "xaipb": 0, "tool": 0, "shape": 0,

	"spec": 1, "site": 1, "workspace": 1, "encoder": 1, "store": 1, "emulator": 1, "revision": 1,
	"provider/xai": 1, "provider/sketch": 1, "provider/limit": 1, "provider/all": 1,
	"provider/providertest": 1,

	"lock": 2, "journal": 2, "config": 2,
	"plan":     3,
	"manifest": 3,
	"lint":     3,
	"apply":    4,
	"report":   5,
	"cli":      6,
	"cmd":      7,

	// Not part of the program: what measures it, what attacks it, and what only
	// tests use.
	"bench":           7,
	"torture":         7,
	"config/hostile":  0,
	"faultfs":         0,
	"store/storetest": 1,
}

// testOnly are rooms that only test files enter, and rooms of their kind.
var testOnly = []string{"config/hostile", "faultfs", "store/storetest", "torture"}

// doors says which room may enter which, and why.
var doors = map[string]map[string]string{
	"provider": {"digest": "a request has a name, an image has a content"},
	"spec": {
		"digest":   "inputs are named by content",
		"provider": "a wish is resolved to a request for an offer",
		"shape":    "a crop has its lengths",
	},
	"imaging":         {"digest": "pixels have a name", "shape": "masks are drawn of them"},
	"site":            {"digest": "recognises outputs by their bytes", "imaging": "reads the labels of files", "spec": "knows which source types say that a picture is generated"},
	"paint":           {"imaging": "what is drawn is a picture"},
	"revision":        {"tool": "asks git"},
	"encoder":         {"imaging": "has pixels to write", "tool": "and programs that write them"},
	"provider/sketch": {"paint": "draws", "imaging": "reads sources and masks, encodes", "provider": "is a maker", "digest": "seeds by the name of the request"},
	"provider/xai":    {"provider": "is a maker", "xaipb": "sends and reads its messages"},
	"provider/limit":  {"provider": "wraps a maker"},
	"provider/all": {
		"provider":        "registers makers",
		"provider/xai":    "a maker",
		"provider/sketch": "a maker",
		"provider/limit":  "each maker waits its turn",
	},
	"provider/providertest": {"provider": "tests makers", "imaging": "what they deliver can be decoded", "digest": "names the picture to edit"},
	"emulator":              {"paint": "draws", "imaging": "encodes", "xaipb": "the messages of gRPC"},
	"workspace":             {"digest": "hashes files", "spec": "paths are checked by the same rule"},
	"store/storetest":       {"store": "tests tiers", "faultfs": "on failing disks", "digest": "names", "provider": "images to record"},
	"store":                 {"digest": "bytes and requests go by name", "provider": "the index holds images"},
	"lock":                  {"digest": "pins", "provider": "pins images and prices", "spec": "entries go by address", "diag": "a broken lockfile is the user's file"},
	"journal":               {"digest": "attempts go by name", "provider": "records what a maker delivers", "workspace": "lies in its folder, syncs it"},
	"config":                {"diag": "what is wrong with the text", "digest": "inputs are named by content", "provider": "provider blocks", "spec": "its result", "shape": "figures of masks"},
	"plan":                  {"digest": "compares", "provider": "prices", "spec": "what is wanted", "lock": "what we had"},
	"manifest":              {"spec": "tells what is wanted", "lock": "and what there is", "provider": "of these candidates", "digest": "by content"},
	"lint": {
		"config": "what is wanted, and where it stands", "diag": "tells findings", "spec": "looks at images", "provider": "what a model takes and until when",
		"lock": "how large files are, and what was paid for", "digest": "a baseline knows texts by it",
	},
	"apply": {
		"plan": "its orders", "lock": "rewrites it", "journal": "money first to disk", "store": "keeps bytes",
		"workspace": "writes outputs", "provider": "calls makers", "imaging": "checks and renders", "encoder": "writes what is rendered", "shape": "reads drawn masks", "spec": "recipes", "digest": "names",
	},
	"report": {
		"plan": "prints plans", "apply": "prints events", "provider": "prints prices", "diag": "prints findings", "lock": "prints records",
		"spec": "compares what is wanted", "digest": "and what there is",
	},
	"cli": {
		"config": "loads the project", "diag": "tells findings", "digest": "hashes", "journal": "reads what is under way", "lock": "reads and writes it",
		"plan": "makes plans", "apply": "carries them out", "provider": "configures makers", "provider/all": "knows them by name", "report": "prints",
		"provider/providertest": "doctor runs for users what the tests of makers run",
		"imaging":               "the measure of a header for config, what an imported PNG tells, and the limits of files",
		"tool":                  "runs the credential command; lock resolve asks git whether the lock is in conflict, unused what it ignores",
		"encoder":               "a plan must know what can be written here",
		"manifest":              "writes what sites read",
		"lint":                  "advises, and says what codes mean",
		"spec":                  "names images", "site": "looks through built sites", "store": "opens the tiers", "workspace": "opens the root", "emulator": "serves it",
		"revision": "and a commit of it; asks what git holds of a lock in conflict, and what it ignores",
	},
	"cmd": {"cli": "starts it"},
	"bench": {
		"apply": "drives the engine alone", "plan": "gives it a plan", "spec": "of these images", "provider": "made by a maker without cost",
		"lock": "into an empty lock", "journal": "with receipts", "store": "and bytes", "workspace": "in a folder", "digest": "names",
		"imaging": "of a tiny picture", "paint": "and draws alone",
		"provider/xai": "measures the client", "emulator": "with the server that it is tried against", "xaipb": "and one of large replies",
	},
	"torture": {
		"cli": "is the victim", "emulator": "keeps the ledger",
		"faultfs": "breaks its disk", "workspace": "which it works on", "config/hostile": "is what it is given to read",
	},
}

// keepers says which rooms may hold which sharp tool: a package, everything
// below one (a name that ends in /), or one thing out of it (time.Now). A room
// that ends in * stands for the rooms that begin like it.
var keepers = map[string][]string{
	"github.com/hashicorp/hcl/":   {"config", "bench"}, // the bench measures the bare parser
	"github.com/zclconf/go-cty":   {"config", "bench"},
	"github.com/zclconf/go-cty/":  {"config", "bench"},
	"github.com/spf13/afero":      {"workspace", "store", "store/storetest", "faultfs"},
	"image":                       {"imaging", "paint"},
	"image/":                      {"imaging", "paint"},
	"golang.org/x/image/":         {"imaging", "paint"},
	"net/http":                    {"provider/*", "store", "emulator", "report", "cli", "bench", "torture"}, // the bench measures it alone; torture waits for the connections of its emulator
	"net/http/":                   {"provider/*", "store", "emulator", "report", "cli"},
	"golang.org/x/net/":           {"provider/all", "site"}, // what the environment says of proxies; the tags of pages
	"connectrpc.com/connect":      {"provider/xai", "emulator"},
	"google.golang.org/protobuf/": {"xaipb", "provider/xai", "emulator", "bench"},
	"os":                          {"workspace", "store", "journal", "tool", "cli", "cmd", "bench", "faultfs", "torture"},
	"os/":                         {"tool", "cli", "cmd", "bench", "torture"},
	"os/exec":                     {"tool", "bench", "torture"}, // the bench runs what it measures
	"golang.org/x/sync/errgroup":  {"workspace", "apply"},
	"testing":                     {"store/storetest", "bench"}, // what the program can reach must not hold it

	// Clock and environment enter through cli.Env; nobody changes the folder.
	"time.Now":     {"cmd", "bench", "torture"},
	"time.Since":   {"cmd", "bench", "torture"},
	"time.Until":   {"cmd", "bench"},
	"os.Getenv":    {"cmd", "bench", "torture"},
	"os.LookupEnv": {"cmd"},
	"os.Environ":   {"bench"}, // for the go command
	"os.Chdir":     {},
}

// entering is what the files of one room import, and the sharp things that
// they use out of it: each with the first file that has it.
type entering map[string]string

func (e entering) add(what, file string) {
	if _, ok := e[what]; !ok {
		e[what] = filepath.ToSlash(file)
	}
}

// rooms reads every file that is not a test.
func rooms(t *testing.T) map[string]entering {
	t.Helper()
	out := map[string]entering{}
	files := token.NewFileSet()
	for dir, room := range map[string]string{".": "", "../cmd": "cmd"} {
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && d.Name() == "testdata" {
				return fs.SkipDir
			}
			if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return nil
			}
			f, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			where := room
			if where == "" {
				where = path.Dir(filepath.ToSlash(name))
			}
			if out[where] == nil {
				out[where] = entering{}
			}
			imports := map[string]string{} // by the name that the file has for it
			for _, spec := range f.Imports {
				imported, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					return err
				}
				out[where].add(imported, name)
				if spec.Name != nil {
					imports[spec.Name.Name] = imported
				} else {
					imports[path.Base(imported)] = imported
				}
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := s.X.(*ast.Ident); ok {
						if thing := imports[x.Name] + "." + s.Sel.Name; keepers[thing] != nil {
							out[where].add(thing, name)
						}
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(out) == 0 {
		t.Fatal("no room found: is the test run in its folder?")
	}
	return out
}

func TestDoors(t *testing.T) {
	t.Parallel()
	for _, problem := range throughDoors(rooms(t), doors) {
		t.Error(problem)
	}
}

func TestKeepers(t *testing.T) {
	t.Parallel()
	for _, problem := range keptTools(rooms(t)) {
		t.Error(problem)
	}
}

// throughDoors lists the ways between rooms that have no door, doors that
// nobody uses or that give no reason, stairs that go up, and rooms that stand
// on no floor.
func throughDoors(house map[string]entering, doors map[string]map[string]string) (problems []string) {
	complain := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for _, from := range slices.Sorted(maps.Keys(house)) {
		floor, ok := levels[from]
		if !ok {
			complain("room %s is on no floor: give it one in levels", from)
		}
		for _, imported := range slices.Sorted(maps.Keys(house[from])) {
			to, ours := strings.CutPrefix(imported, module+"internal/")
			file := house[from][imported]
			switch {
			case !ours:
			case slices.Contains(testOnly, to) && !slices.Contains(testOnly, from):
				complain("%s: %s is for tests only", file, to)
			case doors[from][to] == "":
				complain("%s: no door from %s to %s", file, from, to)
			case levels[to] > floor:
				complain("%s: stairs go down only, and %s is above %s", file, to, from)
			}
		}
	}
	for _, from := range slices.Sorted(maps.Keys(doors)) {
		for _, to := range slices.Sorted(maps.Keys(doors[from])) {
			if house[from][module+"internal/"+to] == "" {
				complain("the door from %s to %s is not used: wall it up", from, to)
			}
		}
	}
	return problems
}

// keptTools lists the imports of sharp tools outside the rooms that keep them.
func keptTools(house map[string]entering) (problems []string) {
	for _, room := range slices.Sorted(maps.Keys(house)) {
		for _, imported := range slices.Sorted(maps.Keys(house[room])) {
			if rooms, sharp := keepersOf(imported); sharp && !slices.ContainsFunc(rooms, func(keeper string) bool { return matches(keeper, room) }) {
				problems = append(problems, fmt.Sprintf("%s: %s is for [%s], not for %s", house[room][imported], imported, strings.Join(rooms, ", "), room))
			}
		}
	}
	return problems
}

// keepersOf finds the most exact row for an import.
func keepersOf(imported string) (rooms []string, sharp bool) {
	longest := ""
	for tool := range keepers {
		if (tool == imported || strings.HasSuffix(tool, "/") && strings.HasPrefix(imported, tool)) && len(tool) > len(longest) {
			longest = tool
		}
	}
	return keepers[longest], longest != ""
}

func matches(keeper, room string) bool {
	below, ok := strings.CutSuffix(keeper, "*")
	return keeper == room || ok && strings.HasPrefix(room, below)
}

// A plan that notices nothing would hold for any house.
func TestFloorPlanNotices(t *testing.T) {
	t.Parallel()
	ours := func(room string) string { return module + "internal/" + room }
	doors := map[string]map[string]string{"plan": {"lock": "what we had"}, "lock": {"apply": "wrong"}}
	whole := func() map[string]entering {
		return map[string]entering{"plan": {ours("lock"): "plan/make.go"}, "lock": {"os/exec": "lock/x.go", ours("apply"): "lock/x.go"}}
	}
	tests := []struct {
		name, want string
		change     func(map[string]entering)
	}{
		{"up the stairs", "lock/x.go: stairs go down only, and apply is above lock", func(map[string]entering) {}},
		{"no door", "plan/a.go: no door from plan to store", func(h map[string]entering) { h["plan"][ours("store")] = "plan/a.go" }},
		{"unused door", "the door from plan to lock is not used: wall it up", func(h map[string]entering) { delete(h, "plan") }},
		{"new room", "room attic is on no floor: give it one in levels", func(h map[string]entering) { h["attic"] = entering{} }},
		{"test only", "plan/a.go: faultfs is for tests only", func(h map[string]entering) { h["plan"][ours("faultfs")] = "plan/a.go" }},
		{"kept tool", "lock/x.go: os/exec is for [tool, bench, torture], not for lock", func(map[string]entering) {}},
		{"tool below", "plan/a.go: image/png is for [imaging, paint], not for plan", func(h map[string]entering) { h["plan"]["image/png"] = "plan/a.go" }},
		{"kept by nobody", "plan/a.go: os.Chdir is for [], not for plan", func(h map[string]entering) { h["plan"]["os.Chdir"] = "plan/a.go" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			house := whole()
			tt.change(house)
			if problems := append(throughDoors(house, doors), keptTools(house)...); !slices.Contains(problems, tt.want) {
				t.Errorf("no %q among %q", tt.want, problems)
			}
		})
	}
	if got := keptTools(map[string]entering{"provider/xai": {"net/http/httptrace": "x.go"}, "config": {"github.com/hashicorp/hcl/v2": "y.go"}}); len(got) != 0 {
		t.Errorf("keepers may not use their tools: %q", got)
	}
}
