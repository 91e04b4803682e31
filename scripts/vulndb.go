//go:build ignore

// Vulndb makes the database that govulncheck reads (go.dev/security/vuln/database)
// out of a checkout of github.com/golang/vulndb: go run scripts/vulndb.go data/osv DB
package main

import (
	"encoding/json"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

type module struct {
	Path  string `json:"path"`
	Vulns []vuln `json:"vulns"`
}

type vuln struct {
	ID       string   `json:"id"`
	Modified string   `json:"modified"`
	Fixed    string   `json:"fixed,omitempty"`
	Aliases  []string `json:"aliases,omitempty"`
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("vulndb: ")
	if len(os.Args) != 3 {
		log.Fatal("usage: go run scripts/vulndb.go OSV-FOLDER DATABASE-FOLDER")
	}
	from, to := os.Args[1], os.Args[2]
	files, err := filepath.Glob(filepath.Join(from, "GO-*.json"))
	if err != nil || len(files) == 0 {
		log.Fatalf("there are no GO-*.json in %s", from)
	}
	for _, dir := range []string{"ID", "index"} {
		check(os.MkdirAll(filepath.Join(to, dir), 0o777))
	}
	var all []vuln
	newest := ""
	modules := map[string]*module{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		check(err)
		var entry struct {
			ID, Modified, Published string
			Aliases                 []string
			Affected                []struct {
				Package struct{ Name string }
				Ranges  []struct {
					Events []struct{ Fixed string }
				}
			}
		}
		if err := json.Unmarshal(b, &entry); err != nil {
			log.Fatalf("%s: %v", file, err)
		}
		check(os.WriteFile(filepath.Join(to, "ID", entry.ID+".json"), b, 0o666))
		newest = max(newest, entry.Modified, entry.Published)
		all = append(all, vuln{ID: entry.ID, Modified: entry.Modified, Aliases: entry.Aliases})
		for _, a := range entry.Affected {
			v := vuln{ID: entry.ID, Modified: entry.Modified}
			for _, r := range a.Ranges {
				for _, e := range r.Events {
					if e.Fixed != "" {
						v.Fixed = e.Fixed // the last one
					}
				}
			}
			m := modules[a.Package.Name]
			if m == nil {
				m = &module{Path: a.Package.Name}
				modules[a.Package.Name] = m
			}
			if !slices.ContainsFunc(m.Vulns, func(x vuln) bool { return x.ID == v.ID }) {
				m.Vulns = append(m.Vulns, v)
			}
		}
	}
	var list []*module
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		list = append(list, modules[path])
	}
	write(filepath.Join(to, "index", "db.json"), map[string]string{"modified": newest})
	write(filepath.Join(to, "index", "modules.json"), list)
	write(filepath.Join(to, "index", "vulns.json"), all)
	log.Printf("%d entries, up to %s", len(all), all[len(all)-1].ID)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func write(file string, v any) {
	b, err := json.Marshal(v)
	check(err)
	check(os.WriteFile(file, b, 0o666))
}
