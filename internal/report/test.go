package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/plan"
)

// TestStatus is how a run of a test ended, in the words of terraform test.
type TestStatus string

const (
	TestPassed  TestStatus = "pass"
	TestFailed  TestStatus = "fail"  // something that must hold does not
	TestErrored TestStatus = "error" // it could not be found out
	TestSkipped TestStatus = "skip"
)

// TestRun is what became of a run.
type TestRun struct {
	File, Name string
	Status     TestStatus // "" of one that has only begun
	Began      time.Time
	Took       time.Duration
	Findings   diag.List
	Source     func(file string) []byte // for the findings, as for diag.List.Text
	Why        string                   // of a skipped one
	Plan       *plan.Plan               // to be shown; may be nil
}

// TestFile is what became of a file.
type TestFile struct {
	Name string
	Runs []TestRun
}

// Status is the worst of the runs.
func (f *TestFile) Status() TestStatus { return countTests([]TestFile{*f}).Status }

// TestCounts counts runs.
type TestCounts struct {
	Status  TestStatus `json:"status"`
	Passed  int        `json:"passed"`
	Failed  int        `json:"failed"`
	Errored int        `json:"errored"`
	Skipped int        `json:"skipped"`
}

func countTests(files []TestFile) (c TestCounts) {
	for _, f := range files {
		for _, r := range f.Runs {
			switch r.Status {
			case TestPassed:
				c.Passed++
			case TestFailed:
				c.Failed++
			case TestErrored:
				c.Errored++
			case TestSkipped:
				c.Skipped++
			}
		}
	}
	switch {
	case c.Errored > 0:
		c.Status = TestErrored
	case c.Failed > 0:
		c.Status = TestFailed
	case c.Passed == 0 && c.Skipped > 0:
		c.Status = TestSkipped
	default:
		c.Status = TestPassed
	}
	return c
}

func (c TestCounts) String() string {
	s := fmt.Sprintf("%d passed, %d failed", c.Passed, c.Failed+c.Errored)
	if c.Skipped > 0 {
		s += fmt.Sprintf(", %d skipped", c.Skipped)
	}
	return s + "."
}

// loud reports whether a text of it ends with an empty line.
func (r *TestRun) loud() bool { return r.Plan != nil || len(r.Findings) > 0 }

// TestHead begins the runs of a file.
func TestHead(w io.Writer, file string, o Options) {
	fmt.Fprintln(w, o.Palette.Bold(diag.Clean(file)))
}

// Test writes what became of a run.
func Test(w io.Writer, r *TestRun, o Options) {
	c := o.Palette
	paint := map[TestStatus]func(string) string{TestPassed: c.Green, TestFailed: c.Red, TestErrored: c.Red, TestSkipped: c.Yellow}
	line := fmt.Sprintf("  %s  %s", paint[r.Status](fmt.Sprintf("%-5s", r.Status)), diag.Clean(r.Name))
	if r.Why != "" {
		line += ": " + diag.Clean(r.Why)
	}
	fmt.Fprintln(w, line)
	if r.Plan != nil {
		fmt.Fprintln(w)
		Plan(w, r.Plan, o)
		fmt.Fprintln(w)
	}
	if len(r.Findings) > 0 {
		if r.Plan == nil {
			fmt.Fprintln(w)
		}
		r.Findings.Text(w, r.Source, c)
		fmt.Fprintln(w)
	}
}

// TestSummary ends a text; there is at least one file.
func TestSummary(w io.Writer, files []TestFile, o Options) {
	c := countTests(files)
	if last := files[len(files)-1]; len(last.Runs) > 0 && !last.Runs[len(last.Runs)-1].loud() {
		fmt.Fprintln(w)
	}
	paint := o.Palette.Green
	if c.Status != TestPassed {
		paint = o.Palette.Red
	}
	fmt.Fprintln(w, paint(c.String()))
}

// TestProgress is how far a file or a run is.
type TestProgress struct {
	Path     string     `json:"path"`
	Run      string     `json:"run,omitempty"`
	Progress string     `json:"progress"` // "starting" or "complete"
	Status   TestStatus `json:"status,omitempty"`
}

// TestsBegin writes the names of all runs by file.
func (s *Stream) TestsBegin(runs map[string][]string) {
	n := 0
	for _, names := range runs {
		n += len(names)
	}
	s.Write(Line{Type: "test_abstract", Tests: runs, Message: fmt.Sprintf("%d %s in %d %s", n, plural(n, "run", "runs"), len(runs), plural(len(runs), "file", "files"))})
}

// TestFile writes that a file begins, or what became of it.
func (s *Stream) TestFile(f *TestFile, complete bool) {
	p := &TestProgress{Path: f.Name, Progress: "starting"}
	if complete {
		p.Progress, p.Status = "complete", f.Status()
	}
	s.Write(Line{Type: "test_file", TestFile: p, Message: f.Name + ": " + either(string(p.Status), "begins")})
}

// Test writes that a run begins, or, if it has a status, what became of it.
func (s *Stream) Test(r *TestRun) {
	p := &TestProgress{Path: r.File, Run: r.Name, Progress: "starting"}
	l := Line{Type: "test_run", TestRun: p, Message: r.Name + ": " + either(string(r.Status), "begins")}
	if r.Status == "" {
		s.Write(l)
		return
	}
	p.Progress, p.Status, l.Took = "complete", r.Status, r.Took.Seconds()
	if r.Why != "" {
		l.Message += ": " + r.Why
	}
	s.Write(l)
	if r.Plan != nil {
		s.plan(r.Plan, p)
	}
	for _, f := range r.Findings {
		s.Write(Line{Type: "diagnostic", Message: f.Text, Address: f.Address, Hint: f.Hint, Finding: &f, TestRun: p})
	}
}

// TestsEnd writes the counts.
func (s *Stream) TestsEnd(files []TestFile) {
	c := countTests(files)
	s.Write(Line{Type: "test_summary", TestSummary: &c, Message: c.String()})
}

// The elements of JUnit's XML, as both schemas in use have them: that of the
// Jenkins xUnit plugin and that of Apache Ant. A time has no zone there, and is
// UTC.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		ID         int         `xml:"id,attr"`
		Name       string      `xml:"name,attr"`
		Package    string      `xml:"package,attr"`
		Hostname   string      `xml:"hostname,attr"`
		Timestamp  string      `xml:"timestamp,attr"`
		Tests      int         `xml:"tests,attr"`
		Failures   int         `xml:"failures,attr"`
		Errors     int         `xml:"errors,attr"`
		Skipped    int         `xml:"skipped,attr"`
		Time       string      `xml:"time,attr"`
		Properties struct{}    `xml:"properties"`
		Cases      []junitCase `xml:"testcase"`
		Out        junitText   `xml:"system-out"`
		Err        junitText   `xml:"system-err"`
	}
	junitCase struct {
		Name    string       `xml:"name,attr"`
		Class   string       `xml:"classname,attr"`
		Time    string       `xml:"time,attr"`
		Skipped *junitReason `xml:"skipped"`
		Error   *junitReason `xml:"error"`
		Failure *junitReason `xml:"failure"`
	}
	junitReason struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		junitText
	}
	junitText struct {
		Text string `xml:",innerxml"`
	}
)

// TestsJUnit writes what became of files as JUnit's XML.
func TestsJUnit(w io.Writer, files []TestFile) error {
	all := countTests(files)
	doc := junitSuites{Tests: all.Passed + all.Failed + all.Errored + all.Skipped, Failures: all.Failed, Errors: all.Errored}
	var took time.Duration
	for i := range files {
		f := &files[i]
		c := countTests(files[i : i+1])
		s := junitSuite{ID: i, Name: f.Name, Package: "imgbuild", Hostname: "localhost", Tests: len(f.Runs),
			Failures: c.Failed, Errors: c.Errored, Skipped: c.Skipped, Timestamp: time.Unix(0, 0).UTC().Format(junitTime)}
		var sum time.Duration
		var warnings strings.Builder
		for k := range f.Runs {
			r := &f.Runs[k]
			if k == 0 {
				s.Timestamp = r.Began.UTC().Format(junitTime)
			}
			sum += r.Took
			found := junitFindings(r.Findings, r.Source)
			one := junitCase{Name: r.Name, Class: f.Name, Time: junitSeconds(r.Took)}
			switch r.Status {
			case TestSkipped:
				one.Skipped = &junitReason{Message: diag.Clean(r.Why)}
			case TestPassed:
				warnings.WriteString(found.Text)
			case TestErrored:
				one.Error = junitWhy(r.Findings, found)
			default:
				one.Failure = junitWhy(r.Findings, found)
			}
			s.Cases = append(s.Cases, one)
		}
		s.Time, s.Err = junitSeconds(sum), junitText{warnings.String()}
		took += sum
		doc.Suites = append(doc.Suites, s)
	}
	doc.Time = junitSeconds(took)
	b, err := xml.MarshalIndent(doc, "", "  ")
	if err == nil {
		_, err = w.Write(append(append([]byte(xml.Header), b...), '\n'))
	}
	return err
}

const junitTime = "2006-01-02T15:04:05"

func junitSeconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// junitWhy takes its head from the first error.
func junitWhy(l diag.List, found junitText) *junitReason {
	r := &junitReason{junitText: found}
	for _, f := range l.Sorted() {
		if r.Type == "" || f.Severity == diag.Error {
			r.Message, r.Type = diag.Clean(f.Text), f.Code
		}
		if f.Severity == diag.Error {
			break
		}
	}
	return r
}

// junitFindings is findings as people see them, on lines of their own.
func junitFindings(l diag.List, source func(string) []byte) junitText {
	if len(l) == 0 {
		return junitText{}
	}
	var plain, escaped bytes.Buffer
	l.Text(&plain, source, diag.Palette{})
	_ = xml.EscapeText(&escaped, plain.Bytes()) // a buffer takes all
	return junitText{"\n" + strings.ReplaceAll(escaped.String(), "&#xA;", "\n")}
}
