package filter

import (
	"cmp"
	"math"
	"strconv"
	"strings"
)

// kind is the type of an operand.
type kind uint8

const (
	kindNull kind = iota // of scalars only: no value
	kindBool
	kindInt
	kindFloat   // float64
	kindFloat32 // columns and elements; constants and arithmetic are float64
	kindString
	kindTime     // Timestamptz: microseconds since 1970
	kindDate     // days since 1970
	kindClock    // Time: microseconds since midnight
	kindInterval // constants only
	kindJSON     // known row by row
	kindList
)

var kindNames = [...]string{
	"NULL", "Bool", "integer", "floating-point number", "floating-point number", "string", "Timestamptz", "Date", "Time",
	"INTERVAL", "JSON value", "list",
}

func (k kind) String() string { return kindNames[k] }

func (k kind) isNumber() bool { return k == kindInt || k == kindFloat || k == kindFloat32 }

// stored returns the kind of the Go values that hold it: kindBool, kindInt, kindFloat, kindString, kindJSON or kindList.
func (k kind) stored() kind {
	switch k {
	case kindTime, kindDate, kindClock:
		return kindInt
	case kindFloat32:
		return kindFloat
	}
	return k
}

// scalar is one value: of a constant, or of one row. Only the field of its kind is set.
type scalar struct {
	kind kind
	b    bool
	i    int64
	f    float64
	s    string
	list []scalar
	span *interval
}

func boolScalar(b bool) scalar     { return scalar{kind: kindBool, b: b} }
func intScalar(i int64) scalar     { return scalar{kind: kindInt, i: i} }
func floatScalar(f float64) scalar { return scalar{kind: kindFloat, f: f} }
func stringScalar(s string) scalar { return scalar{kind: kindString, s: s} }

// canonical makes integers of floats without a fraction, so that equal numbers are equal values.
func (v scalar) canonical() scalar {
	if v.kind == kindFloat && v.f >= -(1<<63) && v.f < 1<<63 && v.f == math.Trunc(v.f) {
		return intScalar(int64(v.f))
	}
	return v
}

// float returns a number as a float64, rounded.
func (v scalar) float() float64 {
	if v.kind == kindInt {
		return float64(v.i)
	}
	return v.f
}

// relation is the operator of a comparison.
type relation uint8

const (
	relEQ relation = iota
	relNE
	relLT
	relLE
	relGT
	relGE
	relNever  // FALSE for every value
	relAlways // TRUE for every value
)

var relationTexts = [...]string{"==", "!=", "<", "<=", ">", ">=", "never", "always"}

func (r relation) String() string { return relationTexts[r] }

func parseRelation(op string) relation {
	for r, text := range relationTexts {
		if text == op {
			return relation(r)
		}
	}
	panic("filter: the grammar has no operator " + op)
}

// flipped is the operator with its sides exchanged.
func (r relation) flipped() relation {
	switch r {
	case relLT:
		return relGT
	case relLE:
		return relGE
	case relGT:
		return relLT
	case relGE:
		return relLE
	}
	return r
}

func (r relation) isOrder() bool { return r >= relLT && r <= relGE }

// unordered is the result of comparing with NaN.
const unordered = 2

// holds applies the operator to the outcome of a comparison: negative, 0, positive, or unordered.
func (r relation) holds(order int) bool {
	switch r {
	case relEQ:
		return order == 0
	case relNE:
		return order != 0
	case relLT:
		return order < 0
	case relLE:
		return order <= 0
	case relGT:
		return order == 1
	case relGE:
		return order == 0 || order == 1
	}
	return r == relAlways
}

func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	return unordered
}

// compareIntFloat compares exactly, without rounding the integer.
func compareIntFloat(i int64, f float64) int {
	switch {
	case math.IsNaN(f):
		return unordered
	case f >= 1<<63:
		return -1
	case f < -(1 << 63):
		return 1
	}
	whole := math.Floor(f)
	if order := cmp.Compare(i, int64(whole)); order != 0 || f == whole {
		return order
	}
	return -1 // i == floor(f) < f
}

// compareScalars compares two values; ok is false where their types do not compare.
func compareScalars(a, b scalar) (order int, ok bool) {
	ka, kb := a.kind.stored(), b.kind.stored()
	switch {
	case ka == kindInt && kb == kindInt:
		return cmp.Compare(a.i, b.i), true
	case ka == kindInt && kb == kindFloat:
		return compareIntFloat(a.i, b.f), true
	case ka == kindFloat && kb == kindInt:
		if order := compareIntFloat(b.i, a.f); order != unordered {
			return -order, true
		}
		return unordered, true
	case ka == kindFloat && kb == kindFloat:
		return compareFloats(a.f, b.f), true
	case ka == kindString && kb == kindString:
		return strings.Compare(a.s, b.s), true
	case ka == kindBool && kb == kindBool:
		return boolOrder(a.b) - boolOrder(b.b), true
	}
	return 0, false
}

func boolOrder(b bool) int {
	if b {
		return 1
	}
	return 0
}

// text writes the constant so that it parses to itself.
func (v scalar) text() string {
	switch v.kind {
	case kindBool:
		return strconv.FormatBool(v.b)
	case kindInt:
		return strconv.FormatInt(v.i, 10)
	case kindFloat:
		text := strconv.FormatFloat(v.f, 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return text
	case kindString:
		return quote(v.s)
	case kindTime:
		return "ISO " + quote(formatTime(v.i))
	case kindDate:
		return quote(formatDate(v.i))
	case kindClock:
		return quote(formatClock(v.i))
	case kindInterval:
		return "INTERVAL " + quote(v.span.text)
	case kindList:
		var b strings.Builder
		b.WriteByte('[')
		for i, item := range v.list {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(item.text())
		}
		b.WriteByte(']')
		return b.String()
	}
	return "null"
}
