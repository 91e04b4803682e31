package config

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/imgbuild/imgbuild/internal/diag"
)

// terraformProjects are projects of Terraform, each an archive: a sentence and
// the command line (env NAME=value sets a variable by the environment), then
// the files, then what comes out of it.
const (
	terraformProjects = "testdata/terraform_projects"
	outputsFile       = "outputs"  // of Terraform: name, type and value of each
	oursFile          = "imgbuild" // the same of ours where it differs, below the reason
)

// tfProject is a project that both programs read.
type tfProject struct {
	files files // with the names that Terraform wants
	args  []string
	env   map[string]string
}

// projectOf reads the lines of a command line.
func projectOf(f files, lines []string) tfProject {
	p := tfProject{files: f, env: map[string]string{}}
	for _, line := range lines {
		if env, ok := strings.CutPrefix(line, "env "); ok {
			name, value, _ := strings.Cut(env, "=")
			p.env[name] = value
		} else if strings.HasPrefix(line, "-") {
			p.args = append(p.args, line)
		}
	}
	return p
}

// renamed is what a file of Terraform is called here.
func renamed(name string) string {
	name = strings.Replace(name, "terraform.tfvars", "imgbuild.tfvars", 1)
	for _, r := range [][2]string{
		{".tfvars", ".imgvars"}, {".tfvars.json", ".imgvars.json"},
		{".tf", ".img.hcl"}, {".tf.json", ".img.json"},
	} {
		if rest, ok := strings.CutSuffix(name, r[0]); ok {
			return rest + r[1]
		}
	}
	return name
}

// load reads the project as imgbuild does.
func (p tfProject) load() (*Project, []string) {
	f := files{}
	for name, text := range p.files {
		f[renamed(name)] = text
	}
	opt := Options{Env: func(name string) string { return p.env[strings.TrimPrefix(name, envPrefix)] }}
	for _, a := range p.args {
		if file, ok := strings.CutPrefix(a, "-var-file="); ok {
			opt.Vars = append(opt.Vars, Var{File: renamed(file)})
			continue
		}
		name, value, _ := strings.Cut(strings.TrimPrefix(a, "-var="), "=")
		opt.Vars = append(opt.Vars, Var{Name: name, Value: value})
	}
	project, found := Load(f, opt)
	var errors []string
	for _, f := range found {
		if f.Severity != diag.Warning {
			errors = append(errors, f.Code+" "+f.Text)
		}
	}
	return project, errors
}

// terraform plans the project and tells its outputs, or what is wrong.
func (p tfProject) terraform(t *testing.T) (outputs map[string]cty.Value, why string) {
	t.Helper()
	dir := t.TempDir()
	modules := false
	for name, text := range p.files {
		modules = modules || strings.Contains(text, "module")
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) ([]byte, error) {
		cmd := exec.Command("terraform", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+os.DevNull, "TF_IN_AUTOMATION=1")
		for name, value := range p.env {
			cmd.Env = append(cmd.Env, "TF_VAR_"+name+"="+value)
		}
		out, err := cmd.Output()
		if failed, ok := err.(*exec.ExitError); ok {
			return failed.Stderr, err
		}
		return out, err
	}
	if modules {
		if out, err := run("get", "-no-color"); err != nil {
			return nil, string(out)
		}
	}
	if out, err := run(append([]string{"plan", "-no-color", "-input=false", "-lock=false", "-out=plan"}, p.args...)...); err != nil {
		return nil, string(out)
	}
	out, err := run("show", "-json", "plan")
	if err != nil {
		t.Fatalf("terraform show: %v %s", err, out)
	}
	var plan struct {
		PlannedValues struct {
			Outputs map[string]struct{ Type, Value json.RawMessage }
		} `json:"planned_values"`
	}
	if err := json.Unmarshal(out, &plan); err != nil {
		t.Fatal(err)
	}
	outputs = map[string]cty.Value{}
	for name, o := range plan.PlannedValues.Outputs {
		if outputs[name] = cty.DynamicVal; len(o.Type) == 0 {
			continue // not known
		}
		ty, err := ctyjson.UnmarshalType(o.Type)
		if err != nil {
			t.Fatalf("output %s: %v", name, err)
		}
		if outputs[name], err = ctyjson.Unmarshal(o.Value, ty); err != nil {
			t.Fatalf("output %s: %v", name, err)
		}
	}
	return outputs, ""
}

// finishedOutputs tells the outputs of a project, one a line.
func finishedOutputs(t *testing.T, p *Project) string {
	t.Helper()
	values, found := p.Finish(nil)
	if len(found) > 0 {
		t.Fatalf("outputs: %s", lines(found))
	}
	var b strings.Builder
	for i, o := range p.eval.top.outputs {
		got := typed(p.eval.value(o.body.Attributes["value"].Expr, nil, "output."+o.name))
		if !strings.HasSuffix(got, " "+string(values[i].JSON)) {
			t.Errorf("output %s is %s when it is written, and %s when it is evaluated", o.name, values[i].JSON, got)
		}
		fmt.Fprintf(&b, "%s %s\n", o.name, got)
	}
	return b.String()
}

// TestTerraformProjects: both programs make the same outputs of the same text.
func TestTerraformProjects(t *testing.T) {
	t.Parallel()
	here := terraformHere(t)
	paths, err := filepath.Glob(terraformProjects + "/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no projects: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f := files{}
			for _, file := range archive.Files {
				f[file.Name] = string(file.Data)
			}
			want, ours := f[outputsFile], f[oursFile]
			delete(f, outputsFile)
			delete(f, oursFile)
			p := projectOf(f, strings.Split(string(archive.Comment), "\n"))
			if here {
				outputs, why := p.terraform(t)
				if why != "" {
					t.Fatalf("terraform fails:\n%s", why)
				}
				got := ""
				for _, name := range sortedKeys(outputs) {
					got += name + " " + typed(outputs[name]) + "\n"
				}
				if d := cmp.Diff(want, got); d != "" && !*record {
					t.Errorf("terraform does not say what is recorded (-recorded +now):\n%s", d)
				}
				if want = got; *record {
					archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == outputsFile })
					archive.Files = append(archive.Files, txtar.File{Name: outputsFile, Data: []byte(got)})
					if err := os.WriteFile(path, txtar.Format(archive), 0o666); err != nil {
						t.Fatal(err)
					}
				}
			}
			project, errors := p.load()
			if len(errors) > 0 {
				t.Fatalf("imgbuild refuses it:\n%s", strings.Join(errors, "\n"))
			}
			if ours != "" {
				reason, text, _ := strings.Cut(ours, "\n")
				if !strings.HasPrefix(reason, reasonLine) || text == want {
					t.Errorf("there is no reason to differ, or no difference")
				}
				want = text
			}
			if d := cmp.Diff(want, finishedOutputs(t, project)); d != "" {
				t.Errorf("(-terraform +imgbuild):\n%s", d)
			}
		})
	}
}

const terraformRefused = "testdata/terraform_refused.txtar"

// TestTerraformRefused: what one program refuses the other does too.
func TestTerraformRefused(t *testing.T) {
	t.Parallel()
	here := terraformHere(t)
	archive, err := txtar.ParseFile(terraformRefused)
	if err != nil {
		t.Fatal(err)
	}
	shared := files{}
	for _, file := range archive.Files {
		if strings.Contains(file.Name, ".") && !strings.Contains(file.Name, " ") {
			shared[file.Name] = string(file.Data)
		}
	}
	seen := map[string]bool{}
	for _, file := range archive.Files {
		if _, ok := shared[file.Name]; ok {
			continue
		}
		if seen[file.Name] {
			t.Errorf("%s is there twice", file.Name)
		}
		seen[file.Name] = true
		t.Run(file.Name, func(t *testing.T) {
			t.Parallel()
			f := files{"main.tf": string(file.Data)}
			for name, text := range shared {
				f[name] = text
			}
			var head []string
			for line := range strings.Lines(string(file.Data)) {
				comment, ok := strings.CutPrefix(line, "# ")
				if !ok {
					break
				}
				head = append(head, strings.TrimSuffix(comment, "\n"))
			}
			if len(head) == 0 {
				t.Fatal("there is no code")
			}
			p := projectOf(f, head[1:])
			_, errors := p.load()
			code := head[0]
			switch {
			case code == "taken" && len(errors) > 0:
				t.Errorf("imgbuild refuses it:\n%s", strings.Join(errors, "\n"))
			case code != "taken" && !slices.ContainsFunc(errors, func(e string) bool { return strings.HasPrefix(e, code+" ") }):
				t.Errorf("imgbuild does not find %s:\n%s", code, strings.Join(errors, "\n"))
			}
			differs := slices.ContainsFunc(head, func(h string) bool { return strings.HasPrefix(h, reasonLine) })
			if code == "taken" && !differs {
				t.Error("there is no reason why it is taken")
			}
			if !here {
				return
			}
			_, why := p.terraform(t)
			if takes := (code == "taken") != differs; takes != (why == "") {
				t.Errorf("terraform takes it: %v\n%s", !takes, why)
			}
		})
	}
}
