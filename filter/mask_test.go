package filter

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestMask(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{0, 1, 63, 64, 65, 127, 128, 200, 1000} {
		for _, share := range []float64{0, 0.01, 0.5, 0.99, 1} {
			a, b := make([]bool, n), make([]bool, n)
			for i := range n {
				a[i], b[i] = r.Float64() < share, r.IntN(2) == 0
			}
			ma, mb := NewMask(n, func(i int) bool { return a[i] }), NewMask(n, func(i int) bool { return b[i] })
			checkMask(t, ma, func(i int) bool { return a[i] })
			checkMask(t, ma.And(mb), func(i int) bool { return a[i] && b[i] })
			checkMask(t, ma.Or(mb), func(i int) bool { return a[i] || b[i] })
			checkMask(t, ma.Not(), func(i int) bool { return !a[i] })
		}
		if all := NewMask(n, nil); !all.All() || all.Not().Count() != 0 || !all.Not().None() {
			t.Errorf("all of %d rows: %d", n, all.Count())
		}
	}
}

// checkMask compares a mask with what it should select, in each of its forms.
func checkMask(t *testing.T, m *Mask, want func(int) bool) {
	t.Helper()
	var rows, fromRuns []int
	for i := range m.Len() {
		if want(i) {
			rows = append(rows, i)
		}
		if m.Bit(i) != want(i) {
			t.Fatalf("bit %d of %d is %v", i, m.Len(), m.Bit(i))
		}
	}
	last := -1
	for start, end := range m.Runs() {
		if start <= last || end <= start || end < m.Len() && m.Bit(end) {
			t.Fatalf("run [%d, %d) after %d", start, end, last)
		}
		last = end
		for i := start; i < end; i++ {
			fromRuns = append(fromRuns, i)
		}
	}
	if got := slices.Collect(m.Rows()); !slices.Equal(got, rows) || !slices.Equal(fromRuns, rows) || m.Count() != len(rows) {
		t.Fatalf("rows %v, runs %v, count %d, want %v", got, fromRuns, m.Count(), rows)
	}
	for range m.Runs() {
		break // stopping early is fine
	}
}

// TestKleene is the truth table of three-valued logic, through the parser.
func TestKleene(t *testing.T) {
	// flag is TRUE, FALSE, UNKNOWN; bools[0] likewise.
	var rows table
	values := []any{true, false, nil}
	for _, a := range values {
		for _, b := range values {
			row := map[string]any{"flag": a}
			if b != nil {
				row["bools"] = []any{b}
			}
			rows = append(rows, row)
		}
	}
	for expr, want := range map[string][]int{
		"flag and bools[0]":              {0},
		"not (flag and bools[0])":        {1, 3, 4, 5, 7},
		"flag or bools[0]":               {0, 1, 2, 3, 6},
		"not (flag or bools[0])":         {4},
		"not (not flag or not bools[0])": {0},
		"not flag":                       {3, 4, 5},
		"flag != bools[0]":               {1, 3},
	} {
		if got := evaluate(t, mustParse(t, expr), rows); !slices.Equal(got, want) {
			t.Errorf("%s selects %v, want %v", expr, got, want)
		}
	}
}
