package cli

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/imgbuild/imgbuild/internal/plan"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/report"
)

// Every field that imgbuild writes is in docs/json.md.
func TestDocsJSON(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	for _, v := range []any{plan.Plan{}, report.Model{}, report.Point{}, report.Total{}, report.ImageChange{}, report.FieldChange{}, report.ImageFile{}, report.FileChange{}, plan.Step{}, plan.Output{}, plan.Reason{}, plan.Summary{}, report.Line{}, report.ResultCount{}, report.Recorded{},
		plan.Manifest{}, unusedReport{}, unusedImage{}, modelRow{}, priceRow{}, catalogueRow{}, provider.Difference{}, examination{}, checkRow{}, checkProblem{},
		functionRow{}, explained{}, parameterRow{}, absentRow{}, exampleRow{}, blockRow{}, attributeRow{}, picked{}, pickCandidate{}, approvable{}, report.RecordedApproval{}, resolved{}, resolvedChoice{}, resolvedConflict{}, provider.Image{}} {
		for f := range reflect.TypeOf(v).Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "" && name != "-" && !strings.Contains(doc, "`"+name+"`") {
				t.Errorf("%T: docs/json.md does not name %q", v, name)
			}
		}
	}
}
