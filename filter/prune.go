package filter

import (
	"math"
	"strings"

	"github.com/snapexport/snapexport/milvus"
)

// Range is what is known of a field's values in a set of rows. Min and Max bound the values that are not NULL; they need not
// occur, so truncated bounds are fine. They are bool; int64 (Int8 to Int64, Timestamptz and Time in microseconds, Date in days);
// float64 (Float, Double); or string; nil where nothing is known. NaN lies in every range.
type Range struct {
	Min, Max any
	Nulls    int64 // NULL rows; -1 if not known
	Rows     int64 // all rows, NULL ones included; 0 if not known
}

// Stats returns what is known of a field, false if nothing is.
type Stats func(milvus.FieldID) (Range, bool)

// outcome is a set of truth values: those that a condition may have for some row.
type outcome uint8

const (
	canTrue outcome = 1 << iota
	canFalse
	canUnknown

	canAnything = canTrue | canFalse | canUnknown
)

func (c *always) outcomes(Stats) outcome {
	if c.value {
		return canTrue
	}
	return canFalse
}

func (c *not) outcomes(stats Stats) outcome { return c.term.outcomes(stats).inverted() }

// inverted swaps TRUE and FALSE.
func (o outcome) inverted() outcome {
	out := o & canUnknown
	if o&canTrue != 0 {
		out |= canFalse
	}
	if o&canFalse != 0 {
		out |= canTrue
	}
	return out
}

// outcomes of a conjunction: TRUE needs every term, FALSE one, and a term that is always FALSE decides. The terms are taken to be
// independent, which allows more, never less. A disjunction is the same with TRUE and FALSE exchanged.
func (c *logic) outcomes(stats Stats) outcome {
	every, one := canTrue, canFalse
	if c.or {
		every, one = canFalse, canTrue
	}
	all, some := canAnything, outcome(0)
	for _, t := range c.terms {
		o := t.outcomes(stats)
		if o == one {
			return one
		}
		all &= o
		some |= o
	}
	return all&every | some&(one|canUnknown)
}

// rangeOf returns the range of an operand that is a plain column, and the outcomes that NULL rows bring. ok is false if nothing
// is known.
func rangeOf(o operand, stats Stats) (r Range, nulls outcome, ok bool) {
	c, isColumn := o.(*column)
	if !isColumn || stats == nil {
		return Range{}, canAnything, false
	}
	if r, ok = stats(c.field.ID); !ok {
		return Range{}, canAnything, false
	}
	if r.Nulls != 0 {
		nulls = canUnknown
	}
	return r, nulls, true
}

func (r Range) allNull() bool { return r.Rows > 0 && r.Nulls == r.Rows }

func (c *comparison) outcomes(stats Stats) outcome {
	r, nulls, ok := rangeOf(c.left, stats)
	switch {
	case !ok || c.execWith.kind == kindList:
		return canAnything
	case r.allNull():
		return canUnknown
	}
	return nulls | compareRange(r, c.execOp, c.execWith)
}

// compareRange returns the outcomes of comparing values of a range with a constant.
func compareRange(r Range, op relation, c scalar) (out outcome) {
	low, high, ok := r.bounds(c.kind)
	if !ok {
		return canTrue | canFalse
	}
	if rangeHolds(low, high, op, c) {
		out = canTrue
	}
	if rangeHolds(low, high, opposite(op), c) {
		out |= canFalse
	}
	if c.kind == kindFloat { // NaN may be among the values
		out |= canFalse
		if op == relNE || op == relAlways {
			out |= canTrue
		}
	}
	return out
}

// bounds returns Min and Max as values that compare with constants of the kind.
func (r Range) bounds(k kind) (low, high scalar, ok bool) {
	low, okLow := boundValue(r.Min, k)
	high, okHigh := boundValue(r.Max, k)
	return low, high, okLow && okHigh
}

func boundValue(v any, k kind) (scalar, bool) {
	switch v := v.(type) {
	case int64:
		return intScalar(v), k.stored() == kindInt
	case float64:
		return floatScalar(v), k == kindFloat && !math.IsNaN(v)
	case string:
		return stringScalar(v), k == kindString
	case bool:
		return boolScalar(v), k == kindBool
	}
	return scalar{}, false
}

func opposite(op relation) relation {
	return [...]relation{relEQ: relNE, relNE: relEQ, relLT: relGE, relLE: relGT, relGT: relLE, relGE: relLT,
		relNever: relAlways, relAlways: relNever}[op]
}

// rangeHolds reports whether the operator may hold for a value between low and high.
func rangeHolds(low, high scalar, op relation, c scalar) bool {
	lowOrder, _ := compareScalars(low, c)
	highOrder, _ := compareScalars(high, c)
	switch op {
	case relEQ:
		return lowOrder <= 0 && highOrder >= 0
	case relNE:
		return lowOrder != 0 || highOrder != 0
	case relLT:
		return lowOrder < 0
	case relLE:
		return lowOrder <= 0
	case relGT:
		return highOrder > 0
	case relGE:
		return highOrder >= 0
	}
	return op == relAlways
}

func (c *membership) outcomes(stats Stats) outcome {
	r, nulls, ok := rangeOf(c.left, stats)
	switch {
	case !ok:
		return canAnything
	case r.allNull():
		return canUnknown
	}
	out := nulls | canFalse
	for _, item := range c.set.items {
		if k := c.left.kind(); item.kind == kindInt && k.stored() == kindFloat {
			item = floatScalar(float64(item.i)) // an integer that no float equals rounds to one that may match: allowed
		}
		if out |= compareRange(r, relEQ, item) & canTrue; out&canTrue != 0 {
			break
		}
	}
	return out
}

func (c *likeness) outcomes(stats Stats) outcome {
	r, nulls, ok := rangeOf(c.left, stats)
	switch {
	case !ok:
		return canAnything
	case r.allNull():
		return canUnknown
	}
	low, high, ok := r.bounds(kindString)
	prefix := c.match.prefix()
	if !ok || high.s >= prefix && (low.s <= prefix || strings.HasPrefix(low.s, prefix)) {
		return nulls | canTrue | canFalse
	}
	return nulls | canFalse
}

func (c *nullness) outcomes(stats Stats) outcome {
	if stats == nil {
		return canTrue | canFalse
	}
	if p, ok := c.of.(*path); ok && len(p.steps) > 0 {
		return canTrue | canFalse
	}
	r, ok := stats(fieldOf(c.of).ID)
	out := canTrue | canFalse // of is null
	if ok && r.Nulls == 0 {
		out &^= canTrue
	}
	if ok && r.allNull() {
		out &^= canFalse
	}
	if c.null {
		return out
	}
	return out.inverted()
}

func (c *existence) outcomes(Stats) outcome         { return canTrue | canFalse }
func (c *pairing) outcomes(Stats) outcome           { return canAnything }
func (c *containment) outcomes(stats Stats) outcome { return canAnything }
