package config

import (
	"cmp"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// TestFacts is what assertions may ask about besides the configuration.
type TestFacts struct {
	Images map[spec.Address]Facts
	Models map[spec.Address]string // which the configuration asks for, defaults resolved
	Plan   PlanFacts
}

// PlanFacts is what assertions may ask about a plan.
type PlanFacts struct {
	Price                                                                 provider.Money
	Buy, Make, Images, Unpriced, Free, Delete, Files, Standing, Unchanged int
	Budgets                                                               []BudgetFacts
	Steps                                                                 []StepFacts // of all images of the project, and of those that leave it
}

// BudgetFacts is what assertions may ask about a budget.
type BudgetFacts struct {
	Name           string
	Price, MaxCost provider.Money
	Unpriced       int
}

// StepFacts is what assertions may ask about a step.
type StepFacts struct {
	Address                                                         spec.Address
	Verb                                                            string
	Price                                                           provider.Money
	Priced                                                          bool
	Need                                                            int
	Provider, Model, Prompt, Size, AspectRatio, Resolution, Quality string
	Sensitive                                                       []string // as spec.Wanted.Sensitive
	Why                                                             []ReasonFacts
	Notes                                                           []string
	Write, Remove                                                   []string // paths
}

// ReasonFacts is a reason of a step.
type ReasonFacts struct{ Cause, Field, Old, New string }

// An asked is something that assertions may ask of a T.
type asked[T any] struct {
	name string
	ty   cty.Type
	of   func(*T) cty.Value
	doc  string
}

func count(n int) cty.Value          { return cty.NumberIntVal(int64(n)) }
func usd(m provider.Money) cty.Value { return cty.MustParseNumberVal(m.Decimal()) }
func orNull(s string) cty.Value {
	if s == "" {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(s)
}

func texts(list []string) cty.Value {
	out := make([]cty.Value, len(list))
	for i := range list {
		out[i] = cty.StringVal(list[i])
	}
	return listOf(out, cty.String)
}

func valueOf[T any](list []asked[T], of *T) cty.Value {
	attrs := make(map[string]cty.Value, len(list))
	for _, a := range list {
		attrs[a.name] = a.of(of)
	}
	return cty.ObjectVal(attrs)
}

func mapOf[T any](list []asked[T], of []T, key func(*T) string) cty.Value {
	m := make(map[string]cty.Value, len(of))
	for i := range of {
		m[key(&of[i])] = valueOf(list, &of[i])
	}
	if len(m) == 0 {
		return cty.MapValEmpty(cty.DynamicPseudoType)
	}
	return cty.MapVal(m)
}

var budgetAttrs = []asked[BudgetFacts]{
	{"price", cty.Number, func(b *BudgetFacts) cty.Value { return usd(b.Price) }, ""},
	{"max_cost", cty.Number, func(b *BudgetFacts) cty.Value { return usd(b.MaxCost) }, ""},
	{"unpriced", cty.Number, func(b *BudgetFacts) cty.Value { return count(b.Unpriced) }, ""},
}

var reasonAttrs = []asked[ReasonFacts]{
	{"cause", cty.String, func(r *ReasonFacts) cty.Value { return cty.StringVal(r.Cause) }, ""},
	{"field", cty.String, func(r *ReasonFacts) cty.Value { return orNull(r.Field) }, ""},
	{"old", cty.String, func(r *ReasonFacts) cty.Value { return orNull(r.Old) }, ""},
	{"new", cty.String, func(r *ReasonFacts) cty.Value { return orNull(r.New) }, ""},
}

var stepAttrs = []asked[StepFacts]{
	{"verb", cty.String, func(s *StepFacts) cty.Value { return cty.StringVal(s.Verb) }, `what is done: "generate", "edit", "render", "restore", "import", "move", "delete", "forget", "record", what is held back, or "unchanged"`},
	{"price", cty.Number, func(s *StepFacts) cty.Value { return usd(s.Price) }, "USD"},
	{"priced", cty.Bool, func(s *StepFacts) cty.Value { return cty.BoolVal(s.Priced) }, "whether the price is known"},
	{"images", cty.Number, func(s *StepFacts) cty.Value { return count(s.Need) }, "candidates that are bought or made"},
	{"provider", cty.String, func(s *StepFacts) cty.Value { return orNull(s.Provider) }, "who is asked; null where nobody is, as of all that follows"},
	{"model", cty.String, func(s *StepFacts) cty.Value { return orNull(s.Model) }, "as it is sent, defaults resolved"},
	{"prompt", cty.String, func(s *StepFacts) cty.Value {
		if slices.Contains(s.Sensitive, "prompt") {
			return orNull(s.Prompt).Mark(secret{})
		}
		return orNull(s.Prompt)
	}, "as it is sent"},
	{"size", cty.String, func(s *StepFacts) cty.Value { return orNull(s.Size) }, "as it is sent; null where the model is asked for a ratio"},
	{"aspect_ratio", cty.String, func(s *StepFacts) cty.Value { return orNull(s.AspectRatio) }, "as it is sent"},
	{"resolution", cty.String, func(s *StepFacts) cty.Value { return orNull(s.Resolution) }, "as it is sent"},
	{"quality", cty.String, func(s *StepFacts) cty.Value { return orNull(s.Quality) }, "as it is sent"},
	{"why", cty.List(cty.DynamicPseudoType), func(s *StepFacts) cty.Value {
		ty := map[string]cty.Type{}
		for _, a := range reasonAttrs {
			ty[a.name] = a.ty
		}
		out := make([]cty.Value, len(s.Why))
		for i := range s.Why {
			out[i] = valueOf(reasonAttrs, &s.Why[i])
		}
		return listOf(out, cty.Object(ty))
	}, "reasons, each with cause, field, old and new as in plan -json"},
	{"notes", cty.List(cty.String), func(s *StepFacts) cty.Value { return texts(s.Notes) }, "what is fulfilled on this machine instead of by the model, and which imported files are written over or deleted"},
	{"write", cty.List(cty.String), func(s *StepFacts) cty.Value { return texts(s.Write) }, "paths that are written"},
	{"delete", cty.List(cty.String), func(s *StepFacts) cty.Value { return texts(s.Remove) }, "paths that are deleted"},
}

var planAttrs = []asked[PlanFacts]{
	{"price", cty.Number, func(p *PlanFacts) cty.Value { return usd(p.Price) }, "USD, of all that has a known price"},
	{"buy", cty.Number, func(p *PlanFacts) cty.Value { return count(p.Buy) }, "steps that cost money"},
	{"make", cty.Number, func(p *PlanFacts) cty.Value { return count(p.Make) }, "steps whose provider is free of charge"},
	{"images", cty.Number, func(p *PlanFacts) cty.Value { return count(p.Images) }, "candidates that are bought or made"},
	{"unpriced", cty.Number, func(p *PlanFacts) cty.Value { return count(p.Unpriced) }, "paid steps without a known price"},
	{"free", cty.Number, func(p *PlanFacts) cty.Value { return count(p.Free) }, "steps that are free, such as renditions"},
	{"delete", cty.Number, func(p *PlanFacts) cty.Value { return count(p.Delete) }, "images that are deleted"},
	{"files_to_delete", cty.Number, func(p *PlanFacts) cty.Value { return count(p.Files) }, "files that are deleted, in all steps"},
	{"held_back", cty.Number, func(p *PlanFacts) cty.Value { return count(p.Standing) }, "steps that are only told, such as what was refused"},
	{"unchanged", cty.Number, func(p *PlanFacts) cty.Value { return count(p.Unchanged) }, "images with nothing to do"},
	{"budgets", cty.Map(cty.DynamicPseudoType), func(p *PlanFacts) cty.Value {
		return mapOf(budgetAttrs, p.Budgets, func(b *BudgetFacts) string { return b.Name })
	}, "a budget for each budget block, by name, with price, max_cost and unpriced, of the steps that it counts"},
	{"steps", cty.Map(cty.DynamicPseudoType), func(p *PlanFacts) cty.Value {
		return mapOf(stepAttrs, p.Steps, func(s *StepFacts) string { return string(s.Address) })
	}, `a step for each image, by address: plan.steps["image.hero"].verb`},
}

func planNames() []string {
	names := make([]string, len(planAttrs))
	for i := range planAttrs {
		names[i] = planAttrs[i].name
	}
	return names
}

func (p *PlanFacts) value() cty.Value { return valueOf(planAttrs, p) }

// pixelAttrs are the attributes of an image, in tests, that only its pixels
// tell.
var pixelAttrs = map[string]string{
	"has_alpha": "whether a pixel is not opaque; after apply",
	"blank":     "whether the picture is one colour all over; after apply",
}

// wantedRows are the rows of an image block that assertions may ask for, besides
// what any reference to an image has.
func wantedRows() (rows []*row[draft]) {
	for i := range imageSchema.rows {
		r := &imageSchema.rows[i]
		if r.to == nil || r.name == "enabled" || r.name == "label" || slices.Contains(imageAttrs, r.name) && r.name != "model" {
			continue
		}
		if _, ok := wantedValue(r.to(&draft{})); ok {
			rows = append(rows, r)
		}
	}
	return rows
}

// wantedValue is the value of what a row decodes into; ok is false for what
// assertions can't use.
func wantedValue(to any) (v cty.Value, ok bool) {
	switch to := to.(type) {
	case *string:
		return orNull(*to), true
	case *int:
		return count(*to), true
	case *bool:
		return cty.BoolVal(*to), true
	case *[]string:
		return texts(*to), true
	}
	return cty.NilVal, false
}

// testedAttrs are all attributes of an image in tests.
func testedAttrs() []string {
	names := append(slices.Clone(imageAttrs), "provider", "sources", "mask")
	for _, r := range wantedRows() {
		if r.name != "model" {
			names = append(names, r.name)
		}
	}
	return append(names, sortedKeys(pixelAttrs)...)
}

// tested is the value of an image in tests: with what is wanted, where model is
// the one that the configuration asks for, and what the pixels tell.
func (ev *evaluator) tested(im *spec.Image, f Facts, v cty.Value) cty.Value {
	attrs := v.AsValueMap()
	d := draft{Image: *im}
	d.Pick, d.Wanted.Model = max(d.Pick, 1), ev.models[im.Address]
	for _, r := range wantedRows() {
		v, _ := wantedValue(r.to(&d))
		if slices.Contains(im.Wanted.Sensitive, r.name) {
			v = v.Mark(secret{})
		}
		attrs[r.name] = v
	}
	sources := make([]string, len(im.Wanted.Sources))
	for i, s := range im.Wanted.Sources {
		sources[i] = s.String()
	}
	attrs["provider"], attrs["sources"], attrs["mask"] = orNull(im.Wanted.Provider), texts(sources), cty.NullVal(cty.String)
	if im.Wanted.Mask != nil {
		attrs["mask"] = cty.StringVal(cmp.Or(im.Wanted.Mask.File, im.Wanted.Mask.Shapes))
	}
	for _, name := range []string{"has_alpha", "blank"} {
		attrs[name] = cty.UnknownVal(cty.Bool).Mark(result{string(im.Address) + "." + name})
	}
	if f.Known && f.Pixels {
		attrs["has_alpha"], attrs["blank"] = cty.BoolVal(f.HasAlpha), cty.BoolVal(f.Blank)
	}
	return cty.ObjectVal(attrs)
}

var commands = []string{"plan", "apply"}

// The blocks of a file of tests.
var (
	testBlocks = []inner{
		{name: "run", label: "NAME", many: true, body: &runSchema, doc: "one test: the project, or a module alone, is planned or made with these variables, and then this must hold"},
		{name: "variables", body: &testValuesSchema, doc: "values of variables for all runs of the file; they are stronger than the command line"},
	}
	testValuesSchema = schema[described]{open: "any variable: its value"}
	runValuesSchema  = schema[described]{open: "any variable: its value, which may use var.NAME of the file's variables and run.NAME.OUTPUT of an earlier run"}
	runModuleSchema  = schema[described]{rows: []row[described]{
		{name: "source", required: true, kind: "string", doc: "its folder, which begins with ./ or ../ and is in the project; it has the providers of the root"},
	}}
	testAssertSchema = conditionSchema("must be true; may use var, local, image, module, output, plan and run", "what is said if it is not")
	runSchema        = schema[described]{
		rows: []row[described]{
			{name: "command", kind: "plan or apply", def: "plan", doc: "plan: with an empty lock and the prices of the providers, no picture is made; apply: all pictures are sketched offline, into a folder that is removed, and the runs of a file go on from one another"},
			{name: "expect_failures", kind: "list of addresses", doc: "var.NAME, image.NAME, output.NAME or check.NAME whose conditions must fail"},
		},
		blocks: []inner{
			{name: "variables", body: &runValuesSchema, doc: "values of variables for this run, stronger than those of the file"},
			{name: "module", body: &runModuleSchema, doc: "a module that is tested alone, with these variables and no others"},
			{name: "assert", many: true, body: &testAssertSchema, doc: "what must hold"},
		},
		later: []string{"providers", "plan_options", "parallel", "state_key"},
	}
)

// LanguageOfTests lists the blocks of a file of tests, with all that is in them.
func LanguageOfTests() []Block { return describeBlocks(testBlocks) }

// NamesOfTests lists what assertions may ask that other expressions may not: of an
// image, of plan, and of a step in plan.steps.
func NamesOfTests() (image, plan, step []Attribute) {
	image = []Attribute{{Name: "provider", Type: "string", Text: "who makes it, such as \"xai\" or \"xai.eu\""},
		{Name: "sources", Type: "list of string", Text: "what it edits: addresses and paths"}, {Name: "mask", Type: "string", Text: "the file of the mask, or its shapes in one line, or null"}}
	for _, r := range wantedRows() {
		a := r.describe()
		switch a.Name {
		case "prompt":
			a.Text = "what is asked for, with the words of the preset"
		case "model":
			a.Text = "the model that is asked, also where the picture is sketched; the default resolved"
		case "reroll":
			a.Type = "string"
		case "tags":
			a.Type, a.Text = "list of string", "its own and those of the preset"
		}
		image = append(image, Attribute{Name: a.Name, Type: a.Type, Text: a.Text})
	}
	for _, name := range sortedKeys(pixelAttrs) {
		image = append(image, Attribute{Name: name, Type: "bool", Text: pixelAttrs[name]})
	}
	return image, describeAsked(planAttrs), describeAsked(stepAttrs)
}

func describeAsked[T any](list []asked[T]) []Attribute {
	out := make([]Attribute, len(list))
	for i, a := range list {
		out[i] = Attribute{Name: a.name, Type: strings.TrimSuffix(a.ty.FriendlyName(), " of dynamic"), Text: a.doc}
	}
	return out
}
