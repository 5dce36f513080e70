package binlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"

	"github.com/snapexport/snapexport/fault"
)

// Keys of the extras (docs/format/binlog-v1.md 1.2).
const (
	extraOriginalSize = "original_size"
	extraNullable     = "nullable"
	extraVersion      = "version"
	extraEdek         = "edek"
	extraZone         = "encryption_zone"
)

// Extras is the descriptor's JSON object. Values are of any JSON type; numbers are json.Number. Unknown keys are kept.
type Extras map[string]any

// OriginalSize returns the size in memory, bytes, that the writer declared. It is advisory. ok is false where it is absent or
// not a number.
func (x Extras) OriginalSize() (n int64, ok bool) {
	s, _ := x[extraOriginalSize].(string)
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// Nullable is the nullability that an insert log declares; files before 2.5 declare nothing.
func (x Extras) Nullable() bool {
	b, _ := x[extraNullable].(bool)
	return b
}

// Version is the "version" text: "MULTI_FIELD" in two-column deltalogs, "" elsewhere but for index files.
func (x Extras) Version() string {
	s, _ := x[extraVersion].(string)
	return s
}

// Encrypted reports whether everything after the descriptor is ciphertext.
func (x Extras) Encrypted() bool {
	_, ok := x[extraEdek]
	return ok
}

func parseExtras(b []byte) (Extras, error) {
	if err := checkJSON(b, MaxExtrasDepth); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber() // ids above 2^53
	var x map[string]any
	if err := dec.Decode(&x); err != nil {
		return nil, corrupt("extras are not a JSON object: %w", err)
	}
	if x == nil {
		return nil, corrupt("extras are null, want a JSON object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, corrupt("extras have bytes after the JSON object")
	}
	return x, nil
}

// encode gives the bytes that Milvus writes: compact, keys in byte order, HTML-escaped.
func (x Extras) encode() ([]byte, error) {
	if _, ok := x.OriginalSize(); !ok {
		return nil, fault.Corrupt(opEncode, "descriptor without original_size")
	}
	return json.Marshal(map[string]any(x))
}

// checkJSON refuses nesting deeper than maxDepth before a decoder recurses into it. Well-formedness is the decoder's matter.
func checkJSON(b []byte, maxDepth int) error {
	depth, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fault.Limit(opDecode, "JSON is nested deeper than %d", maxDepth).At(int64(i))
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}
