package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/provider"
)

// Roll is one image that was bought for a request.
type Roll struct {
	ID      string // of the attempt and the image; the same roll has the same one
	Image   provider.Image
	Refused string // why it is not taken for a picture; "" if it is
}

// recordVersion 2 has a checksum. Records of version 1 are read, and get one
// when they are written again.
const recordVersion = 2

// record is the file of a request.
type record struct {
	Version int            `json:"version"`
	Request digest.Request `json:"request"`
	Fields  [][2]string    `json:"fields"` // name and value, in the order of the canonical text
	Rolls   []roll         `json:"rolls"`  // in the order of arrival
	Sum     string         `json:"sum,omitempty"`
}

type roll struct {
	ID            string         `json:"id"`
	Content       digest.Content `json:"sha256,omitzero"`
	Width         int            `json:"width,omitempty"`
	Height        int            `json:"height,omitempty"`
	Bytes         int64          `json:"bytes,omitempty"`
	MIME          string         `json:"mime,omitempty"`
	Model         string         `json:"model,omitempty"`
	RevisedPrompt string         `json:"revised_prompt,omitempty"`
	C2PA          bool           `json:"c2pa,omitempty"`
	SourceType    string         `json:"digital_source_type,omitempty"`
	Price         provider.Money `json:"price"` // USD
	Refused       string         `json:"refused,omitempty"`
}

func (r Roll) file() roll {
	i := r.Image
	return roll{r.ID, i.Content, i.Width, i.Height, i.Bytes, i.MIME, i.Model, i.RevisedPrompt, i.C2PA, i.SourceType, i.Price, r.Refused}
}

func (r roll) roll() Roll {
	return Roll{r.ID, provider.Image{Content: r.Content, Width: r.Width, Height: r.Height, Bytes: r.Bytes,
		MIME: r.MIME, Model: r.Model, RevisedPrompt: r.RevisedPrompt, C2PA: r.C2PA, SourceType: r.SourceType, Price: r.Price}, r.Refused}
}

func hexOf(req digest.Request) string { return digest.Content(req).String() } // without the prefix

func recordPath(req digest.Request) string {
	s := hexOf(req)
	return path.Join(requests, s[:2], s+".json")
}

func parseRecordName(name string) (digest.Request, bool) {
	s, ok := strings.CutSuffix(name, ".json")
	c, err := digest.ParseContent(s)
	return digest.Request(c), ok && err == nil
}

// maxRecord is how long a record may be, in bytes: a prompt of 8 MiB, the most
// that a configuration may make, and what its images add. A longer one, which a
// second tier may bring along, is not read.
const maxRecord = 32 << 20

// bad is the ending of a record that can't be read and was begun anew.
const bad = ".bad"

// errNewer is a record that a later version of imgbuild wrote.
var errNewer = errors.New("was written by a newer imgbuild")

// load reads the record of a request; one that does not exist is empty.
func (d *Dir) load(req digest.Request) (record, error) {
	p := recordPath(req)
	b, err := d.read(p)
	var long *TooLarge
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return record{Version: recordVersion, Request: req}, nil
	case errors.As(err, &long):
		return record{}, &Corrupt{p, "it has " + long.Error()}
	case err != nil:
		return record{}, err
	}
	rec, err := parseRecord(b)
	switch {
	case errors.Is(err, errNewer):
		return record{}, fmt.Errorf("%s %w", p, err)
	case err != nil:
		return record{}, &Corrupt{p, err.Error()}
	case rec.Request != req:
		return record{}, &Corrupt{p, "it is of another request"}
	}
	return rec, nil
}

// read is the text of a record.
func (d *Dir) read(p string) ([]byte, error) {
	f, err := d.fs.Open(p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxRecord+1))
	if err == nil && len(b) > maxRecord {
		return nil, &TooLarge{maxRecord}
	}
	return b, err
}

func parseRecord(b []byte) (rec record, err error) {
	var version struct{ Version int }
	if json.Unmarshal(b, &version) == nil && version.Version > recordVersion {
		return record{}, errNewer
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&rec); err != nil {
		return record{}, err
	}
	if rec.Version < recordVersion && (rec.Version != 1 || rec.Sum != "") {
		return record{}, fmt.Errorf("there is no version %d of it", rec.Version)
	}
	// git may have changed the line ends of a committed store.
	if text := rec.encode(); !bytes.Equal(text, bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))) {
		if rec.Version > 1 && !bytes.Contains(text, []byte(`"sum": "`+rec.Sum+`"`)) {
			return record{}, errors.New("its checksum is another one")
		}
		return record{}, errors.New("it is not in canonical form")
	}
	if !rec.fits() {
		return record{}, errors.New("its fields are not those of its request")
	}
	return rec, nil
}

func (rec *record) setFields(fields []provider.Field) {
	rec.Fields = make([][2]string, len(fields))
	for i, f := range fields {
		rec.Fields[i] = [2]string{f.Name, f.Value}
	}
}

// fits reports whether the fields give the request, as far as that can be
// known: sensitive values are not written.
func (rec record) fits() bool {
	return rec.Version > 1 || slices.ContainsFunc(rec.Fields, func(f [2]string) bool { return f[0] == "sensitive" }) ||
		digest.OfRequest(provider.Canonical(rec.fields())) == rec.Request
}

// sumOf is the checksum of a record without one: its SHA-256, cut short. There
// is no other witness of a price.
func sumOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// encode is the record with its checksum, which comes last.
func (rec record) encode() []byte {
	rec.Sum = ""
	b := rec.text()
	if rec.Version > 1 {
		sum := sumOf(b)
		b = append(bytes.TrimSuffix(b, []byte("\n}\n")), ",\n  \"sum\": \""+sum+"\"\n}\n"...)
	}
	return b
}

// text is the record as encoding/json would indent it, at a third of the
// cost: recovery compares thousands.
func (rec record) text() []byte {
	b := make([]byte, 0, 1024)
	b = append(b, "{\n  \"version\": "...)
	b = strconv.AppendInt(b, int64(rec.Version), 10)
	b = appendText(append(b, ",\n  \"request\": "...), rec.Request.String())
	b = append(b, ",\n  \"fields\": ["...)
	for i, f := range rec.Fields {
		b = appendText(append(between(b, i), "\n    [\n      "...), f[0])
		b = append(appendText(append(b, ",\n      "...), f[1]), "\n    ]"...)
	}
	if len(rec.Fields) > 0 {
		b = append(b, "\n  "...)
	}
	b = append(b, "],\n  \"rolls\": ["...)
	for i, r := range rec.Rolls {
		b = appendText(append(between(b, i), "\n    {\n      \"id\": "...), r.ID)
		str := func(key, value string) {
			if value != "" {
				b = appendText(append(append(append(b, ",\n      \""...), key...), "\": "...), value)
			}
		}
		num := func(key string, n int64) {
			if n != 0 {
				b = strconv.AppendInt(append(append(append(b, ",\n      \""...), key...), "\": "...), n, 10)
			}
		}
		if !r.Content.IsZero() {
			str("sha256", r.Content.String())
		}
		num("width", int64(r.Width))
		num("height", int64(r.Height))
		num("bytes", r.Bytes)
		str("mime", r.MIME)
		str("model", r.Model)
		str("revised_prompt", r.RevisedPrompt)
		if r.C2PA {
			b = append(b, ",\n      \"c2pa\": true"...)
		}
		str("digital_source_type", r.SourceType)
		str("price", r.Price.Decimal())
		str("refused", r.Refused)
		b = append(b, "\n    }"...)
	}
	if len(rec.Rolls) > 0 {
		b = append(b, "\n  "...)
	}
	return append(b, "]\n}\n"...)
}

func between(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return b
}

// appendText appends a string as JSON, without the escapes that HTML needs.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			var buf bytes.Buffer
			e := json.NewEncoder(&buf)
			e.SetEscapeHTML(false)
			if err := e.Encode(s); err != nil {
				panic(err) // a string
			}
			return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// Record notes that an image was bought for a request. A roll that is noted
// already is replaced, so that a run may repeat what a crash cut off.
//
// The first note of a request is durable only after Sync: until then whoever
// calls must be able to repeat it, as a journal can. What was noted before is
// never at risk.
func (d *Dir) Record(req digest.Request, fields []provider.Field, r Roll) error {
	if err := d.record(req, fields, r); err != nil {
		return fmt.Errorf("store: record %s: %w", req.Short(), err)
	}
	return nil
}

func (d *Dir) record(req digest.Request, fields []provider.Field, r Roll) error {
	if req.IsZero() || r.ID == "" || r.Image.Price < 0 {
		panic(fmt.Sprintf("store: a roll needs a request, an id and a price: %v %+v", req, r))
	}
	mu := &d.records[int(req[0])%len(d.records)]
	mu.Lock()
	defer mu.Unlock()
	p := recordPath(req)
	alone := record{Version: recordVersion, Request: req, Rolls: []roll{r.file()}}
	alone.setFields(fields)
	if b, err := d.read(p); err == nil && bytes.Equal(b, alone.encode()) {
		d.setLoose(p) // as below: recovery repeats every record, and most are such
		return nil
	}
	rec, err := d.load(req)
	var damage *Corrupt
	if errors.As(err, &damage) {
		if err := d.setBad(p); err != nil {
			return errors.Join(damage, err)
		}
		rec, err = record{Version: recordVersion, Request: req}, nil
	}
	if err != nil {
		return err
	}
	had := rec.Fields
	rec.Version = recordVersion
	rec.setFields(fields)
	i := slices.IndexFunc(rec.Rolls, func(have roll) bool { return have.ID == r.ID })
	switch {
	case i < 0:
		rec.Rolls = append(rec.Rolls, r.file())
	case rec.Rolls[i] == r.file() && slices.Equal(had, rec.Fields): // perhaps by a run that died before it synced
		d.setLoose(p)
		return nil
	default:
		rec.Rolls[i] = r.file()
	}
	return d.write(p, rec, len(rec.Rolls) > 1)
}

// write writes a record that can be read again.
func (d *Dir) write(p string, rec record, durably bool) error {
	b := rec.encode()
	if len(b) > maxRecord {
		return &TooLarge{maxRecord}
	}
	return d.replace(p, b, durably)
}

// Rewrite writes the record of a request anew, whole and durably, over what has
// its name, which may be damaged.
func (d *Dir) Rewrite(req digest.Request, fields []provider.Field, rolls []Roll) error {
	rec := record{Version: recordVersion, Request: req}
	rec.setFields(fields)
	for _, r := range rolls {
		rec.Rolls = append(rec.Rolls, r.file())
	}
	mu := &d.records[int(req[0])%len(d.records)]
	mu.Lock()
	defer mu.Unlock()
	if err := d.write(recordPath(req), rec, true); err != nil {
		return fmt.Errorf("store: rewrite %s: %w", req.Short(), err)
	}
	return nil
}

// setBad takes a record that can't be read out of the way. One that was before
// gets a name that sorts before it, so that it is mended first: as long as
// there is any, Bought finds one with the plain ending.
func (d *Dir) setBad(p string) error {
	if _, err := d.fs.Stat(p + bad); err == nil {
		older, err := d.unused(func(i int) string { return fmt.Sprintf("%s.%d%s", p, i, bad) })
		if err == nil {
			err = d.fs.Rename(p+bad, older)
		}
		if err != nil {
			return err
		}
	}
	return d.fs.Rename(p, p+bad)
}

// unused is the first of some names that no file has.
func (d *Dir) unused(name func(i int) string) (string, error) {
	for i := 1; ; i++ {
		switch _, err := d.fs.Stat(name(i)); {
		case errors.Is(err, fs.ErrNotExist):
			return name(i), nil
		case err != nil:
			return "", err
		}
	}
}

func (d *Dir) setLoose(p string) {
	d.loosely.Lock()
	defer d.loosely.Unlock()
	if d.loose == nil {
		d.loose = map[string]bool{}
	}
	d.loose[p] = true
}

// manyLoose is where one call for the whole file system costs less than one
// for each record.
const manyLoose = 64

// Sync makes everything durable that Record noted.
func (d *Dir) Sync() error {
	d.loosely.Lock()
	defer d.loosely.Unlock()
	if all, ok := d.fs.(interface{ SyncAll() error }); ok && len(d.loose) > manyLoose {
		err := all.SyncAll()
		if err == nil {
			d.loose = nil
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	folders := map[string]bool{}
	for p := range d.loose {
		f, err := d.fs.Open(p)
		if err == nil {
			err = errors.Join(f.Sync(), f.Close())
		}
		if err != nil {
			return fmt.Errorf("store: sync: %w", err)
		}
		folders[path.Dir(p)] = true
	}
	for dir := range folders {
		if err := syncDir(d.fs, dir); err != nil {
			return fmt.Errorf("store: sync: %w", err)
		}
	}
	d.loose = nil
	return nil
}

// replace writes a file, whole or not at all; durably, or else for Sync to
// make it so.
func (d *Dir) replace(p string, b []byte, durably bool) error {
	temp, f, err := d.temp(0o666)
	if err != nil {
		return err
	}
	n, err := f.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err == nil && durably {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	switch {
	case err != nil:
	case durably:
		err = d.place(temp, p)
	default:
		if err = d.rename(temp, p); err == nil {
			d.setLoose(p)
		}
	}
	if err != nil {
		d.fs.Remove(temp)
	}
	return err
}

// Bought lists what was bought for a request, in the order of arrival. Nothing
// bought is no error. A damaged record has no rolls and the error *Corrupt; one
// that was begun anew beside a damaged one has its rolls, and that error: what
// was bought before them is not known.
func (d *Dir) Bought(req digest.Request) ([]Roll, error) {
	rec, err := d.load(req)
	if err != nil {
		return nil, fmt.Errorf("store: what was bought for %s: %w", req.Short(), err)
	}
	var rolls []Roll
	for _, r := range rec.Rolls {
		rolls = append(rolls, r.roll())
	}
	_, err = d.fs.Stat(recordPath(req) + bad)
	if err == nil {
		err = &Corrupt{recordPath(req) + bad, "it was set aside as damaged"}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return rolls, fmt.Errorf("store: what was bought for %s: %w", req.Short(), err)
	}
	return rolls, nil
}

// fields lists the resolved request that a record is for, nil if there is none.
func (rec record) fields() []provider.Field {
	var out []provider.Field
	for _, f := range rec.Fields {
		out = append(out, provider.Field{Name: f[0], Value: f[1]})
	}
	return out
}
