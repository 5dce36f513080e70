package filter

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFindJSON(t *testing.T) {
	tests := []struct {
		doc  string
		path []string
		kind jsonKind
		raw  string
	}{
		{`{"a":1}`, []string{"a"}, jsonNumber, "1"},
		{` { "a" : { "b" : [ 1 , "x\"y" , { "c" : true } ] } } `, []string{"a", "b", "2", "c"}, jsonBool, "true"},
		{`{"x":"}]\\","a":null}`, []string{"a"}, jsonNull, "null"},
		{`{"a":1,"a":2}`, []string{"a"}, jsonNumber, "1"},
		{`{"é":1}`, []string{"é"}, jsonNumber, "1"},
		{`{"\u00e9":1}`, []string{"é"}, jsonNumber, "1"},
		{`{"0":"k"}`, []string{"0"}, jsonString, `"k"`},
		{`["x"]`, []string{"0"}, jsonString, `"x"`},
		{`["x"]`, []string{"00"}, jsonMissing, ""},
		{`["x"]`, []string{"1"}, jsonMissing, ""},
		{`[]`, []string{"0"}, jsonMissing, ""},
		{`{}`, []string{"a"}, jsonMissing, ""},
		{`7`, []string{"a"}, jsonMissing, ""},
		{`{"a":{}}`, []string{"a"}, jsonObject, "{}"},
		{`[1,2]`, nil, jsonArray, "[1,2]"},
		{`-1.5e3`, nil, jsonNumber, "-1.5e3"},
	}
	for _, tt := range tests {
		var steps []step
		for _, key := range tt.path {
			steps = append(steps, newStep(key))
		}
		v, err := findJSON(tt.doc, steps)
		if err != nil || v.kind != tt.kind || v.raw != tt.raw {
			t.Errorf("%s %q: %d %q %v, want %d %q", tt.doc, tt.path, v.kind, v.raw, err, tt.kind, tt.raw)
		}
	}
	for _, doc := range []string{``, `{`, `{"a"`, `{"a":`, `{"a" 1}`, `{"b":1 "a":2}`, `{"b":tru,"a":2}`, `{b:1}`, `{"b":[1,"a":2}`, `x`, `{"\q":1,"a":1}`} {
		if v, err := findJSON(doc, []step{newStep("a")}); err == nil {
			t.Errorf("%s: found %v", doc, v)
		}
	}
}

// FuzzJSONPath checks that on valid documents a path finds what encoding/json finds, and that no text breaks the scanner.
func FuzzJSONPath(f *testing.F) {
	for _, doc := range someJSON {
		f.Add(doc, "b.0")
		f.Add(doc, "c.d")
	}
	f.Add(`{"a":{"a":{"a":"\ud83d\ude00\ud800"}}}`, "a.a.a")
	f.Add(strings.Repeat("[", 2000), "0.0")
	f.Add(`{"a":1,"a":2}`, "a")
	f.Fuzz(func(t *testing.T, doc, dotted string) {
		var steps []step
		for key := range strings.SplitSeq(dotted, ".") {
			steps = append(steps, newStep(key))
		}
		v, err := findJSON(doc, steps)
		if err != nil {
			if json.Valid([]byte(doc)) {
				t.Fatalf("%q %q: %v", doc, dotted, err)
			}
			return
		}
		got, scalarErr := v.scalar()
		_, hollowErr := v.hollow()
		v.equals(scalar{kind: kindList, list: []scalar{intScalar(1), {kind: kindList}}})
		if !json.Valid([]byte(doc)) || !utf8.ValidString(doc) {
			return // columns hold valid UTF-8, whatever json.Valid says
		}
		if scalarErr != nil || hollowErr != nil {
			t.Fatalf("%q %q: %v, %v", doc, dotted, scalarErr, hollowErr)
		}
		if repeatsKeys(doc) {
			return // encoding/json takes the last of equal keys, Milvus the first
		}
		want := reference{map[string]any{"doc": doc}}.path(&path{field: field("doc"), steps: steps})
		switch want := want.(type) {
		case nil:
			if v.kind > jsonNull {
				t.Fatalf("%q %q: found %q, want nothing", doc, dotted, v.raw)
			}
		case []any:
			n := 0
			if err := v.each(func(jsonValue) (bool, error) { n++; return true, nil }); err != nil || n != len(want) {
				t.Fatalf("%q %q: %d elements, want %d: %v", doc, dotted, n, len(want), err)
			}
		case map[string]any:
			if v.kind != jsonObject {
				t.Fatalf("%q %q: found %q, want an object", doc, dotted, v.raw)
			}
		default:
			if plain(got) != want {
				t.Fatalf("%q %q: %v, want %v", doc, dotted, got, want)
			}
		}
	})
}

// repeatsKeys reports whether an object of the document has a key twice.
func repeatsKeys(doc string) bool {
	d := json.NewDecoder(strings.NewReader(doc))
	var walk func() bool
	walk = func() bool {
		token, err := d.Token()
		if err != nil {
			return false
		}
		repeats, seen := false, map[string]bool{}
		switch token {
		case json.Delim('{'):
			for d.More() {
				key, _ := d.Token()
				name, _ := key.(string)
				repeats = repeats || seen[name]
				seen[name] = true
				repeats = walk() || repeats
			}
			d.Token()
		case json.Delim('['):
			for d.More() {
				repeats = walk() || repeats
			}
			d.Token()
		}
		return repeats
	}
	return walk()
}
