package export_test

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/milvus"
)

// truth is a value of Kleene's logic.
type truth int

const (
	isFalse truth = iota
	unknown
	isTrue
)

// condition is a filter as text and as what it means for one row.
type condition struct {
	text  string
	holds func(row) truth
}

// condition makes a filter over the fields, with values of rows, so that it selects some.
func (h *history) condition(r random, depth int) condition {
	if depth == 0 || r.IntN(3) == 0 {
		return h.comparison(r)
	}
	a := h.condition(r, depth-1)
	switch r.IntN(5) {
	case 0:
		return condition{"not (" + a.text + ")", func(x row) truth { return isTrue - a.holds(x) }}
	case 1:
		b := h.condition(r, depth-1)
		return condition{"(" + a.text + ") or (" + b.text + ")", func(x row) truth { return max(a.holds(x), b.holds(x)) }}
	}
	b := h.condition(r, depth-1)
	return condition{"(" + a.text + ") and (" + b.text + ")", func(x row) truth { return min(a.holds(x), b.holds(x)) }}
}

// comparison compares one field with a constant, or with NULL.
func (h *history) comparison(r random) condition {
	fields := h.schema.UserFields()
	f := fields[r.IntN(len(fields))]
	if f.Dynamic || r.IntN(3) == 0 {
		f, _ = h.schema.PrimaryKey()
	}
	var of any
	if len(h.rows) > 0 {
		of = h.rows[r.IntN(len(h.rows))].cells[f.ID]
	}
	literal, value, ok := r.literal(f.Type, of)
	if !ok || r.IntN(8) == 0 {
		if r.coin() {
			return condition{f.Name + " is not null", func(x row) truth { return judge(x.cells[f.ID] != nil) }}
		}
		return condition{f.Name + " is null", func(x row) truth { return judge(x.cells[f.ID] == nil) }}
	}
	ops := []string{"==", "!=", "<", "<=", ">", ">="}
	if f.Type == milvus.TypeBool {
		ops = ops[:2]
	}
	op := ops[r.IntN(len(ops))]
	return condition{f.Name + " " + op + " " + literal, func(x row) truth { return compare(x.cells[f.ID], op, value) }}
}

// literal makes a constant near a cell, as text and as value; not of types that have no comparison.
func (r random) literal(t milvus.DataType, of any) (string, any, bool) {
	switch t {
	case milvus.TypeBool:
		v := r.coin()
		return fmt.Sprint(v), v, true
	case milvus.TypeInt8, milvus.TypeInt16, milvus.TypeInt32, milvus.TypeInt64:
		v, _ := of.(int64)
		if v > math.MinInt64+1 && v < math.MaxInt64 {
			v += r.Int64N(3) - 1
		}
		return fmt.Sprint(v), v, true
	case milvus.TypeFloat:
		v, ok := of.(float32)
		if !ok || v != v || math.IsInf(float64(v), 0) {
			v = 0.5
		}
		return decimal(float64(v), 32), v, true
	case milvus.TypeDouble:
		v, ok := of.(float64)
		if !ok || v != v || math.IsInf(v, 0) {
			v = 0.5
		}
		return decimal(v, 64), v, true
	case milvus.TypeVarChar:
		v, _ := of.(string)
		return strconv.Quote(v), v, true
	}
	return "", nil, false
}

// decimal spells a number so that it is not an integer's literal.
func decimal(v float64, bits int) string {
	s := strconv.FormatFloat(v, 'g', -1, bits)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

func judge(b bool) truth {
	if b {
		return isTrue
	}
	return isFalse
}

func compare(cell any, op string, with any) truth {
	switch v := cell.(type) {
	case bool:
		return judge((v == with.(bool)) == (op == "=="))
	case int64:
		return ordered(v, op, with.(int64))
	case float32:
		return ordered(v, op, with.(float32))
	case float64:
		return ordered(v, op, with.(float64))
	case string:
		return ordered(v, op, with.(string))
	}
	return unknown
}

func ordered[T cmp.Ordered](a T, op string, b T) truth {
	switch op {
	case "==":
		return judge(a == b)
	case "!=":
		return judge(a != b)
	case "<":
		return judge(a < b)
	case "<=":
		return judge(a <= b)
	case ">":
		return judge(a > b)
	}
	return judge(a >= b)
}
