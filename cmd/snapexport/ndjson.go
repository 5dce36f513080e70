package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/fault"
)

// appender appends the JSON of one row's value.
type appender func(to []byte, row int) []byte

// jsonLines writes batches as one JSON object per row, with the columns in their order (docs/guide/types.md says what a value
// looks like). The text of columns in nested is embedded as JSON where it is JSON.
type jsonLines struct {
	out    io.Writer
	nested map[string]bool
	line   []byte
}

func (w *jsonLines) write(batch arrow.RecordBatch) error {
	names := make([][]byte, batch.NumCols())
	values := make([]appender, batch.NumCols())
	for i, f := range batch.Schema().Fields() {
		names[i] = append(appendString(nil, []byte(f.Name)), ':')
		a := batch.Column(i)
		if text, ok := a.(*array.String); ok && w.nested[f.Name] {
			values[i] = nullable(a, nestedJSON(text))
			continue
		}
		var err error
		if values[i], err = appenderOf(a); err != nil {
			return err
		}
	}
	for row := range int(batch.NumRows()) {
		line := append(w.line[:0], '{')
		for i, value := range values {
			if i > 0 {
				line = append(line, ',')
			}
			line = value(append(line, names[i]...), row)
		}
		w.line = append(line, '}', '\n')
		if _, err := w.out.Write(w.line); err != nil {
			return err
		}
	}
	return nil
}

// appenderOf chooses the form of a column's or of nested values.
func appenderOf(a arrow.Array) (appender, error) {
	value, err := valueOf(a)
	return nullable(a, value), err
}

func nullable(a arrow.Array, value appender) appender {
	if a.NullN() == 0 {
		return value
	}
	return func(to []byte, row int) []byte {
		if a.IsNull(row) {
			return append(to, "null"...)
		}
		return value(to, row)
	}
}

func valueOf(a arrow.Array) (appender, error) {
	switch a := a.(type) {
	case *array.Boolean:
		return func(to []byte, r int) []byte { return strconv.AppendBool(to, a.Value(r)) }, nil
	case *array.Int32:
		return func(to []byte, r int) []byte { return strconv.AppendInt(to, int64(a.Value(r)), 10) }, nil
	case *array.Int64:
		return func(to []byte, r int) []byte { return strconv.AppendInt(to, a.Value(r), 10) }, nil
	case *array.Float32:
		return func(to []byte, r int) []byte { return appendFloat(to, float64(a.Value(r)), 32) }, nil
	case *array.Float64:
		return func(to []byte, r int) []byte { return appendFloat(to, a.Value(r), 64) }, nil
	case *array.String:
		return func(to []byte, r int) []byte { return appendString(to, []byte(a.Value(r))) }, nil
	case *array.Binary:
		return func(to []byte, r int) []byte { return appendBase64(to, a.Value(r)) }, nil
	case *array.FixedSizeBinary:
		return func(to []byte, r int) []byte { return appendBase64(to, a.Value(r)) }, nil
	case *array.Timestamp:
		return func(to []byte, r int) []byte { return appendTime(to, time.UnixMicro(int64(a.Value(r))).UTC()) }, nil
	case *array.Date32:
		return func(to []byte, r int) []byte { return appendDate(to, a.Value(r)) }, nil
	case *array.Map:
		return mapOf(a)
	case *array.Struct:
		return structOf(a)
	case array.ListLike:
		return listOf(a)
	}
	return nil, fault.Unsupported("write JSON", "values of type %s", a.DataType())
}

func listOf(a array.ListLike) (appender, error) {
	element, err := appenderOf(a.ListValues())
	if err != nil {
		return nil, err
	}
	return func(to []byte, row int) []byte {
		to = append(to, '[')
		start, end := a.ValueOffsets(row)
		for i := start; i < end; i++ {
			if i > start {
				to = append(to, ',')
			}
			to = element(to, int(i))
		}
		return append(to, ']')
	}, nil
}

// mapOf writes a sparse vector as an object: keys are strings in JSON.
func mapOf(a *array.Map) (appender, error) {
	keys, ok := a.Keys().(*array.Int64)
	if !ok {
		return nil, fault.Unsupported("write JSON", "keys of type %s", a.Keys().DataType())
	}
	value, err := appenderOf(a.Items())
	if err != nil {
		return nil, err
	}
	return func(to []byte, row int) []byte {
		to = append(to, '{')
		start, end := a.ValueOffsets(row)
		for i := start; i < end; i++ {
			if i > start {
				to = append(to, ',')
			}
			to = strconv.AppendInt(append(to, '"'), keys.Value(int(i)), 10)
			to = value(append(to, '"', ':'), int(i))
		}
		return append(to, '}')
	}, nil
}

func structOf(a *array.Struct) (appender, error) {
	fields := a.DataType().(*arrow.StructType).Fields()
	names, values := make([][]byte, len(fields)), make([]appender, len(fields))
	for i, f := range fields {
		names[i] = append(appendString(nil, []byte(f.Name)), ':')
		var err error
		if values[i], err = appenderOf(a.Field(i)); err != nil {
			return nil, err
		}
	}
	return func(to []byte, row int) []byte {
		to = append(to, '{')
		for i, value := range values {
			if i > 0 {
				to = append(to, ',')
			}
			to = value(append(to, names[i]...), row)
		}
		return append(to, '}')
	}, nil
}

// nestedJSON embeds JSON text without its white space, so that a row stays on its line. Text that is no JSON is a string.
func nestedJSON(a *array.String) appender {
	var compact bytes.Buffer
	return func(to []byte, row int) []byte {
		text := []byte(a.Value(row))
		compact.Reset()
		if json.Compact(&compact, text) != nil {
			return appendString(to, text)
		}
		return append(to, compact.Bytes()...)
	}
}

// appendFloat writes the shortest text that reads as the same number, always recognisable as a floating-point one. JSON has
// no word for what is not finite: strings stand for it.
func appendFloat(to []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(to, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(to, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(to, `"-Infinity"`...)
	}
	start := len(to)
	if size := math.Abs(v); size != 0 && (size < 1e-6 || size >= 1e16) {
		return strconv.AppendFloat(to, v, 'e', -1, bits)
	}
	to = strconv.AppendFloat(to, v, 'f', -1, bits)
	if bytes.IndexByte(to[start:], '.') < 0 {
		to = append(to, '.', '0')
	}
	return to
}

func appendBase64(to, v []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(to, '"'), v), '"')
}

// appendTime writes RFC 3339 with microseconds. Years that it can't have get a sign and six digits, as in ISO 8601.
func appendTime(to []byte, t time.Time) []byte {
	to = append(to, '"')
	if t.Nanosecond() == 0 {
		to = append(appendDay(to, t), t.Format("T15:04:05Z")...)
	} else {
		to = append(appendDay(to, t), t.Format("T15:04:05.000000Z")...)
	}
	return append(to, '"')
}

func appendDate(to []byte, d arrow.Date32) []byte {
	const day = 24 * 60 * 60
	return append(appendDay(append(to, '"'), time.Unix(int64(d)*day, 0).UTC()), '"')
}

func appendDay(to []byte, t time.Time) []byte {
	year := t.Year()
	if year >= 0 && year <= 9999 {
		return t.AppendFormat(to, time.DateOnly)
	}
	sign := byte('+')
	if year < 0 {
		sign, year = '-', -year
	}
	to = append(to, sign)
	for limit := 100_000; limit > year && limit > 1; limit /= 10 {
		to = append(to, '0')
	}
	return t.AppendFormat(strconv.AppendInt(to, int64(year), 10), "-01-02")
}

const hexDigits = "0123456789abcdef"

// appendString quotes text, which is UTF-8, and escapes what JSON does not take as it is; nothing else.
func appendString(to, text []byte) []byte {
	to = append(to, '"')
	plain := 0
	for i, c := range text {
		if c >= utf8.RuneSelf || c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		to = append(to, text[plain:i]...)
		plain = i + 1
		switch c {
		case '"', '\\':
			to = append(to, '\\', c)
		case '\n':
			to = append(to, '\\', 'n')
		case '\t':
			to = append(to, '\\', 't')
		case '\r':
			to = append(to, '\\', 'r')
		default:
			to = append(to, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(to, text[plain:]...), '"')
}
