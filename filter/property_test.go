package filter

import (
	"flag"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/milvus"
)

// maker makes random rows and expressions from small sets of awkward values, so that they meet.
type maker struct{ *rand.Rand }

func pick[T any](m maker, from []T) T { return from[m.IntN(len(from))] }

var (
	someInts    = []int64{0, 1, 2, 3, -1, -7, 20, 100, two53, two53 + 1, -two53 - 1, math.MaxInt64, math.MinInt64, 1 << 24, 1<<24 + 1}
	smallInts   = []int64{0, 1, 2, 3, -1, -7, 20, math.MaxInt32, math.MinInt32}
	someFloats  = []float64{0, math.Copysign(0, -1), 1, 1.5, 0.1, 3.14, -2.5, two53, 1e300, -1e300, math.NaN(), math.Inf(1), math.Inf(-1), 1 << 63, 1 << 24}
	someTexts   = []string{"", "a", "ab", "abc", "b", "a%", "é", "aéc", "x_y", "日本語", "A", "a\nb"}
	somePattern = []string{"", "%", "a%", "%c", "%b%", "a_c", "_", "__%", "a%c", `a\%`, `%\_%`, "%é%", "日__", "_%c", "a%b%c"}
	someMicros  = []int64{0, 1, -1, 1_735_689_600_000_000, 1_735_689_599_999_999, 951_782_400_000_000}
	someJSON    = []string{
		`{"a":1,"b":[1,2,3],"c":{"d":"x"}}`, `{"a":1.0,"b":[],"c":null}`, `{"a":"1","b":["a",1,true,[1,2]]}`, `{"a":true,"c":{"d":[]}}`, `{}`, `[]`, `5`,
		`"a"`, `null`, `[1,[2,3],{"a":"abc"}]`, `{"a":9007199254740993,"b":[9007199254740992.0]}`, `{"a":-2.5e0,"b":{"0":"zero","a":{}}}`,
		"{ \"a\" : \"\\u00e9\\n\" ,\t\"b\" : [ 1.5 , null , { } ] }", `{"\u0061":3,"c":{"d":{"e":[{}, null, {"f":[]}]}}}`, `{"a":18446744073709551616,"b":[0.1,"a\"b"]}`, `{"a":1e400}`,
	}
)

func (m maker) value(f milvus.Field) any {
	if f.ID != 100 && m.IntN(6) == 0 {
		return nil
	}
	switch f.Type {
	case milvus.TypeBool:
		return m.IntN(2) == 0
	case milvus.TypeInt32:
		return pick(m, smallInts)
	case milvus.TypeInt64:
		return pick(m, someInts)
	case milvus.TypeFloat:
		return float64(float32(pick(m, someFloats)))
	case milvus.TypeDouble:
		return pick(m, someFloats)
	case milvus.TypeVarChar:
		return pick(m, someTexts)
	case milvus.TypeJSON:
		return pick(m, someJSON)
	case milvus.TypeTimestamptz:
		return pick(m, someMicros)
	case milvus.TypeDate:
		return int64(m.IntN(5) - 2)
	case milvus.TypeTime:
		return int64(m.IntN(3)) * 1_000_000
	case milvus.TypeArray:
		list := []any{}
		for range m.IntN(4) {
			v := m.value(milvus.Field{ID: 100, Type: f.ElementType})
			if f.ElementNullable && m.IntN(4) == 0 {
				v = nil
			}
			list = append(list, v)
		}
		return list
	}
	return nil
}

func (m maker) table() table {
	n := m.IntN(8) // few rows have narrow ranges, many cross words
	if m.IntN(3) == 0 {
		n = m.IntN(150)
	}
	t := make(table, n)
	for i := range t {
		t[i] = map[string]any{}
		for _, f := range testSchema.Fields {
			t[i][f.Name] = m.value(f)
		}
	}
	return t
}

func (m maker) condition(depth int) string {
	if depth > 0 && m.IntN(3) > 0 {
		switch m.IntN(4) {
		case 0:
			return "not (" + m.condition(depth-1) + ")"
		case 1:
			return "(" + m.condition(depth-1) + " or " + m.condition(depth-1) + ")"
		}
		return "(" + m.condition(depth-1) + " and " + m.condition(depth-1) + ")"
	}
	op, order := pick(m, []string{"==", "!=", "<", "<=", ">", ">="}), pick(m, []string{"<", "<="})
	path := m.path()
	switch m.IntN(22) {
	case 0, 1:
		return m.number() + " " + op + " " + m.numeral()
	case 2:
		return m.numeral() + " " + op + " " + m.number()
	case 3:
		return m.numeral() + order + m.number() + order + m.numeral()
	case 4:
		return m.number() + op + m.number()
	case 5:
		return m.number() + pick(m, []string{" in ", " not in "}) + m.list(m.numeral)
	case 6:
		return "name " + op + m.text()
	case 7:
		return pick(m, []string{"name", "tags[0]", "tags[1]", path}) + " in " + m.list(m.text)
	case 8:
		return pick(m, []string{"name", "tags[0]", path}) + " like " + quote(pick(m, somePattern))
	case 9:
		return pick(m, []string{"flag", "bools[0]", "flag == false", "flag != true", path + "== true", "bools[1] in [false]"})
	case 10:
		return pick(m, []string{"age", "name", "meta", path, "ints", "flag", "f"}) + pick(m, []string{" is null", " is not null"})
	case 11:
		return "exists " + m.longPath()
	case 12, 13:
		return path + op + pick(m, []func() string{m.numeral, m.text})()
	case 14:
		return path + pick(m, []string{" in ", " not in "}) + m.list(func() string {
			return pick(m, []func() string{m.numeral, m.text, func() string { return pick(m, []string{"true", "[1, 2]", "[]"}) }})()
		})
	case 15:
		return path + pick(m, []string{"==", "!="}) + m.list(m.numeral)
	case 16:
		return pick(m, []string{"ints", "floats"}) + pick(m, []string{"==", "!="}) + m.list(m.numeral)
	case 17:
		return pick(m, []string{"array_contains_all(", "array_contains_any("}) + pick(m, []string{"ints", "floats", path}) + "," + m.list(m.numeral) + ")"
	case 18:
		return pick(m, []string{"json_contains(", "array_contains("}) + pick(m, []string{"tags", path}) + "," + m.text() + ")"
	case 19:
		return pick(m, []string{"ts", "ts + INTERVAL 'P1M1DT1S'", "ts - INTERVAL 'PT0.000001S'"}) + op + "ISO " + quote(formatTime(pick(m, someMicros)))
	case 20:
		return pick(m, []string{"day" + op + quote(formatDate(int64(m.IntN(5)-2))), "clock" + op + quote(formatClock(int64(m.IntN(3))*1_000_000))})
	}
	return path + op + pick(m, []string{m.path(), "name", m.number()})
}

func (m maker) path() string {
	return pick(m, []string{"meta", m.longPath(), m.longPath(), m.longPath()})
}

func (m maker) longPath() string {
	return pick(m, []string{"meta", "$meta"}) + pick(m, []string{`["a"]`, `["b"]`, `["c"]["d"]`, `["b"][0]`, `[1]`, `["c"]["d"]["e"]`, `["b"][3]`, `["x"]`, `[2]["a"]`, `["b"]["a"]`})
}

func (m maker) number() string {
	base := pick(m, []string{"id", "age", "age", "big", "big", "f", "f", "d", "d", "ints[0]", "ints[1]", "floats[0]", "array_length(ints)", "array_length(" + m.path() + ")"})
	switch m.IntN(8) {
	case 0:
		return base + pick(m, []string{" + ", " - ", " * ", " / "}) + strconv.Itoa(m.IntN(5)+1)
	case 1:
		return "(" + m.number() + pick(m, []string{" + ", " - ", " * ", " / "}) + m.number() + ")"
	case 2:
		return pick(m, []string{"big", "age", "id", m.longPath()}) + " % " + pick(m, []string{"2", "age", "-3"})
	case 3:
		return m.longPath() + pick(m, []string{" + 1", " * 2.5", " - age", " ** 2"})
	}
	return base
}

func (m maker) numeral() string {
	if m.IntN(2) == 0 {
		return strconv.FormatInt(pick(m, someInts), 10)
	}
	f := pick(m, someFloats)
	if f-f != 0 {
		f = 2.5
	}
	return floatScalar(f).text()
}

func (m maker) text() string { return quote(pick(m, someTexts)) }

func (m maker) list(item func() string) string {
	items := make([]string, m.IntN(5))
	for i := range items {
		items[i] = item()
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// stats are the true minima and maxima of a table, some of them unknown, some of the bounds wider than needed.
func (m maker) stats(t table) Stats {
	ranges := map[milvus.FieldID]Range{}
	for _, f := range testSchema.Fields {
		if m.IntN(5) == 0 || f.Type == milvus.TypeArray || f.Type == milvus.TypeFloatVector {
			continue
		}
		r := Range{Rows: int64(len(t))}
		for _, row := range t {
			v := row[f.Name]
			if v == nil {
				r.Nulls++
			} else if x, ok := v.(float64); !ok || !math.IsNaN(x) {
				r.Min, r.Max = lesser(r.Min, v), greater(r.Max, v)
			}
		}
		if m.IntN(6) == 0 {
			r.Nulls = -1
		}
		if s, ok := r.Min.(string); ok && m.IntN(2) == 0 {
			r.Min = s[:len(s)/2]
		}
		if f.Type == milvus.TypeJSON || m.IntN(6) == 0 {
			r.Min = nil
		}
		ranges[f.ID] = r
	}
	return func(id milvus.FieldID) (Range, bool) {
		r, ok := ranges[id]
		return r, ok
	}
}

func lesser(a, b any) any {
	if a == nil || before(b, a) {
		return b
	}
	return a
}

func greater(a, b any) any {
	if a == nil || before(a, b) {
		return b
	}
	return a
}

func before(a, b any) bool {
	if x, ok := a.(bool); ok {
		return !x && b.(bool)
	}
	less := compareAny(relLT, a, b)
	return less != nil && *less
}

var (
	rounds = flag.Int("rounds", 600, "random expressions")
	seed   = flag.Uint64("seed", 20250101, "of the random expressions")
)

// TestAgainstReference compares batches with the row-at-a-time reference, checks that what pruning rules out never matches, and
// that canonical forms parse to themselves.
func TestAgainstReference(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(*seed, 7))}
	var rows, selected, pruned, invalid int
	for round := range *rounds {
		tab := m.table()
		expr := m.condition(3)
		f, err := Parse(expr, testSchema)
		if err != nil {
			invalid++ // constants that divide by zero, ordered lists, number against string
			continue
		}
		got := evaluate(t, f, tab)
		want := []int{}
		for i, row := range tab {
			if v := (reference{row}).condition(f.root); v != nil && *v {
				want = append(want, i)
			}
		}
		if !slices.Equal(got, want) {
			for i, row := range tab {
				if slices.Contains(got, i) != slices.Contains(want, i) {
					t.Fatalf("round %d: %s\n as %s\n row %d: selected is %v\n%v", round, expr, f, i, slices.Contains(got, i), row)
				}
			}
		}
		if !f.CanMatch(m.stats(tab)) {
			pruned++
			if len(got) > 0 {
				t.Fatalf("round %d: %s is ruled out, but selects %v", round, f, got)
			}
		}
		checkRoundTrip(t, f, testSchema)
		rows, selected = rows+len(tab), selected+len(got)
	}
	t.Logf("%d rows, %d selected, %d batches pruned, %d of %d expressions invalid", rows, selected, pruned, invalid, *rounds)
	if invalid > *rounds/3 || selected < rows/20 || pruned < *rounds/100 {
		t.Error("the random expressions do not test much")
	}
}
