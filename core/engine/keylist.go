package engine

import (
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/milvus"
)

// keyList recognises filters that name keys, as clients write them for deletes by key: id in [1, 2], id in ["a"], id == 1, and
// id in {name} with a list among the values. Everything else is left to package filter. Lists may be far longer than filters.
func keyList(key milvus.Field, expr string, values map[string]any) (arrow.Array, bool) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(expr), key.Name)
	if !ok {
		return nil, false
	}
	rest = strings.TrimSpace(rest)
	list := keyBuilder(key)
	if one, ok := strings.CutPrefix(rest, "=="); ok {
		rest, ok = list.literal(strings.TrimSpace(one))
		return list.array(), ok && rest == ""
	}
	if len(rest) < 2 || !strings.EqualFold(rest[:2], "in") {
		return nil, false
	}
	rest = strings.TrimSpace(rest[2:])
	if name, ok := strings.CutPrefix(rest, "{"); ok {
		name, ok = strings.CutSuffix(name, "}")
		ok = ok && list.values(values[strings.TrimSpace(name)])
		return list.array(), ok
	}
	if rest, ok = strings.CutPrefix(rest, "["); !ok {
		return nil, false
	}
	for {
		if rest, ok = list.literal(strings.TrimSpace(rest)); !ok {
			return nil, false
		}
		rest = strings.TrimSpace(rest)
		if next, ok := strings.CutPrefix(rest, ","); ok {
			rest = next
			continue
		}
		return list.array(), rest == "]"
	}
}

// keys collects keys of one type.
type keys struct {
	ints  *array.Int64Builder
	texts *array.StringBuilder
}

func keyBuilder(key milvus.Field) *keys {
	if key.Type == milvus.TypeInt64 {
		return &keys{ints: array.NewInt64Builder(allocator)}
	}
	return &keys{texts: array.NewStringBuilder(allocator)}
}

func (k *keys) array() arrow.Array {
	if k.ints != nil {
		return k.ints.NewArray()
	}
	return k.texts.NewArray()
}

// literal takes a decimal number, or a quoted text without escapes, off the front.
func (k *keys) literal(s string) (rest string, ok bool) {
	if k.ints != nil {
		n := 0
		for n < len(s) && ('0' <= s[n] && s[n] <= '9' || n == 0 && s[n] == '-') {
			n++
		}
		if digits := strings.TrimPrefix(s[:n], "-"); len(digits) > 1 && digits[0] == '0' { // octal in filters
			return s, false
		}
		v, err := strconv.ParseInt(s[:n], 10, 64)
		if err != nil {
			return s, false
		}
		k.ints.Append(v)
		return s[n:], true
	}
	if s == "" || s[0] != '"' && s[0] != '\'' {
		return s, false
	}
	end := strings.IndexByte(s[1:], s[0])
	if end < 0 || strings.IndexByte(s[1:1+end], '\\') >= 0 {
		return s, false
	}
	k.texts.Append(s[1 : 1+end])
	return s[end+2:], true
}

// values takes a list of a template variable.
func (k *keys) values(list any) bool {
	switch v := list.(type) {
	case []int64:
		if k.ints != nil {
			k.ints.AppendValues(v, nil)
		}
		return k.ints != nil && len(v) > 0
	case []string:
		if k.texts != nil {
			k.texts.AppendValues(v, nil)
		}
		return k.texts != nil && len(v) > 0
	case []any:
		for _, x := range v {
			switch x := x.(type) {
			case int64:
				if k.ints == nil {
					return false
				}
				k.ints.Append(x)
			case string:
				if k.texts == nil {
					return false
				}
				k.texts.Append(x)
			default:
				return false
			}
		}
		return len(v) > 0
	}
	return false
}
