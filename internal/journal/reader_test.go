package journal

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawInto draws each field of a struct: a new one is read by the reader too, or
// the test below fails.
func drawInto(t *rapid.T, v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		drawInto(t, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			tag := v.Type().Field(i).Tag.Get("json")
			if tag != "-" && rapid.IntRange(0, 3).Draw(t, "is there") > 0 {
				drawInto(t, v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rapid.IntRange(0, 3).Draw(t, "n"), 3))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			drawInto(t, v.Index(i))
		}
	case reflect.String:
		v.SetString(rapid.OneOf(rapid.SampledFrom([]string{"a \"b\" \\", "é\n", "<&>\u2028"}), rapid.String()).Draw(t, "text"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64Range(0, 1<<40).Draw(t, "number"))
	case reflect.Uint8:
		v.SetUint(rapid.Uint64Range(0, 255).Draw(t, "byte"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	default:
		t.Fatalf("nothing draws a %s", v.Type())
	}
}

// What the reader takes is what package json makes of it, and it takes what is
// written by us: only rare records are left to package json.
func TestReader(t *testing.T) {
	t.Parallel()
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		var r Record
		drawInto(t, reflect.ValueOf(&r).Elem())
		body, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		rare := len(r.Files) > 0 || r.Keep != 0
		var fast Record
		in := reader{rest: body}
		if took := in.record(&fast); took == rare {
			t.Fatalf("took %v of %s", took, body)
		}
		var slow Record
		if err := json.Unmarshal(body, &slow); err != nil {
			t.Fatal(err)
		}
		if !rare && !cmp.Equal(fast, slow) {
			t.Fatal(cmp.Diff(fast, slow))
		}

		// Of what is not as we write it, too.
		for range 20 {
			odd := append([]byte{}, body...)
			at := rapid.IntRange(0, len(odd)-1).Draw(t, "at")
			switch rapid.IntRange(0, 2).Draw(t, "harm") {
			case 0:
				odd[at] = rapid.SampledFrom([]byte("{}[],:\"\\0-1eE. \tatun\x00\xff")).Draw(t, "byte")
			case 1:
				odd = append(odd[:at], odd[at+1:]...)
			case 2:
				n := rapid.IntRange(0, min(40, len(odd)-at)).Draw(t, "n")
				odd = append(odd[:at+n], append(append([]byte{}, odd[at:at+n]...), odd[at+n:]...)...)
			}
			var fast, slow Record
			if in := (reader{rest: odd}); !in.record(&fast) {
				continue
			}
			taken++
			if err := json.Unmarshal(odd, &slow); err != nil || !cmp.Equal(fast, slow) {
				t.Fatalf("%s\nis taken, and package json says %v: %s", odd, err, cmp.Diff(fast, slow))
			}
		}
	})
	if taken == 0 {
		t.Error("nothing that was changed is still taken")
	}
}
