package cli_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// wireCatalogues is where the recorded answers are, from the folder of the test.
var wireCatalogues, wireErr = filepath.Abs("../../testdata/wire/catalogue")

// catalogue FILE starts a server that has only a catalogue of models, and sets
// the variable "emulator" to its endpoint.
func catalogue(ts *testscript.TestScript, neg bool, args []string) {
	refuse(ts, neg, len(args) == 1, "catalogue FILE")
	ts.Check(wireErr)
	b, err := os.ReadFile(filepath.Join(wireCatalogues, args[0]+".json"))
	ts.Check(err)
	var answer struct {
		Status int
		Body   json.RawMessage
		Text   string
	}
	ts.Check(json.Unmarshal(b, &answer))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/image-generation-models", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(answer.Status)
		w.Write(answer.Body)
		io.WriteString(w, answer.Text)
	})
	server := httptest.NewServer(mux)
	ts.Defer(server.Close)
	setEmulator(ts, server.URL)
}
