package filter

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/snapexport/snapexport/milvus"
)

// reference evaluates a bound tree for one row, in the most obvious way: Go values, encoding/json, exact rationals, regexp. It
// uses the constants as written, not as adapted for execution. A nil result is UNKNOWN, or no value.
type reference struct{ row map[string]any }

func (r reference) condition(c condition) *bool {
	switch c := c.(type) {
	case *always:
		return &c.value
	case *not:
		return negation(r.condition(c.term))
	case *logic:
		return r.logic(c)
	case *comparison:
		return compareAny(c.op, r.operand(c.left), rounded(c.left.kind(), plain(c.right)))
	case *pairing:
		l := r.operand(c.left)
		if _, isList := l.([]any); isList {
			return nil // two operands compare as scalars only
		}
		return compareAny(c.op, l, r.operand(c.right))
	case *membership:
		return r.member(c)
	case *likeness:
		if s, ok := r.operand(c.left).(string); ok {
			return yes(likeRegexp(c.pattern).MatchString(s))
		}
		return nil
	case *nullness:
		v := r.operand(c.of)
		if p, ok := c.of.(*path); ok && len(p.steps) == 0 {
			v = r.row[p.field.Name] // the column itself: JSON null is a value
		}
		return yes((v == nil) == c.null)
	case *existence:
		return yes(!absent(r.operand(c.of)))
	case *containment:
		return r.contains(c)
	}
	panic(fmt.Sprintf("%T", c))
}

func yes(b bool) *bool { return &b }

func negation(b *bool) *bool {
	if b == nil {
		return nil
	}
	return yes(!*b)
}

func (r reference) logic(c *logic) *bool {
	result := yes(!c.or)
	for _, t := range c.terms {
		v := r.condition(t)
		switch {
		case v != nil && *v == c.or:
			return v
		case v == nil:
			result = nil
		}
	}
	return result
}

func (r reference) member(c *membership) *bool {
	v := r.operand(c.left)
	if v == nil {
		return nil
	}
	met := len(c.list) == 0
	for _, item := range c.list {
		equal := compareAny(relEQ, v, rounded(c.left.kind(), plain(item)))
		if equal != nil && *equal {
			return equal
		}
		met = met || equal != nil
	}
	if !met {
		return nil
	}
	return yes(false)
}

func (r reference) contains(c *containment) *bool {
	list, ok := r.operand(c.of).([]any)
	if !ok {
		return nil
	}
	k := kindJSON
	if col, ok := c.of.(*column); ok {
		k = kindOf(col.field.ElementType)
	}
	found := 0
	for _, item := range c.list {
		if slices.ContainsFunc(list, func(v any) bool {
			equal := compareAny(relEQ, v, rounded(k, plain(item)))
			return equal != nil && *equal
		}) {
			found++
		}
	}
	if c.mode == containsAll {
		return yes(found == len(c.list))
	}
	return yes(found > 0)
}

func (r reference) operand(o operand) any {
	switch o := o.(type) {
	case *constant:
		return plain(o.value)
	case *column:
		return r.row[o.field.Name]
	case *element:
		list, _ := r.row[o.array.field.Name].([]any)
		if o.index < len(list) {
			return list[o.index]
		}
	case *path:
		return r.path(o)
	case *length:
		if list, ok := r.operand(o.of).([]any); ok {
			return int64(len(list))
		}
	case *arithmetic:
		return arithmeticAny(o.op, r.operand(o.left), r.operand(o.right))
	case *shifted:
		if m, ok := r.operand(o.moment).(int64); ok {
			at := time.UnixMicro(m).UTC().AddDate(0, o.sign*o.span.months, o.sign*o.span.days)
			return at.UnixMicro() + int64(o.sign)*o.span.micros
		}
	}
	return nil
}

func (r reference) path(p *path) any {
	text, ok := r.row[p.field.Name].(string)
	if !ok {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	for _, s := range p.steps {
		switch c := v.(type) {
		case map[string]any:
			v = c[s.key]
		case []any:
			i, err := strconv.Atoi(s.key)
			if err != nil || i >= len(c) || strconv.Itoa(i) != s.key {
				return nil
			}
			v = c[i]
		default:
			return nil
		}
	}
	return numbered(v)
}

// numbered turns json.Number into int64 or float64.
func numbered(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return i
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = numbered(v[i])
		}
	}
	return v
}

func absent(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !absent(e) })
	case map[string]any:
		for _, e := range v {
			if !absent(e) {
				return false
			}
		}
		return true
	}
	return false
}

func plain(s scalar) any {
	switch s.kind {
	case kindBool:
		return s.b
	case kindFloat:
		return s.f
	case kindString:
		return s.s
	case kindList:
		list := []any{}
		for _, item := range s.list {
			list = append(list, plain(item))
		}
		return list
	}
	return s.i
}

// rounded rounds float literals to the type of a Float operand.
func rounded(k kind, v any) any {
	if f, ok := v.(float64); ok && k == kindFloat32 {
		return float64(float32(f))
	}
	return v
}

func compareAny(op relation, a, b any) *bool {
	if la, ok := a.([]any); ok {
		lb, ok := b.([]any)
		if !ok {
			return nil
		}
		same := slices.EqualFunc(la, lb, func(x, y any) bool {
			equal := compareAny(relEQ, x, y)
			return equal != nil && *equal
		})
		return yes(same == (op == relEQ))
	}
	switch x := a.(type) {
	case bool:
		if y, ok := b.(bool); ok {
			return yes((x == y) == (op == relEQ))
		}
		return nil
	case string:
		if y, ok := b.(string); ok {
			return orderHolds(op, strings.Compare(x, y))
		}
		return nil
	}
	x, okX := toFloat(a)
	y, okY := toFloat(b)
	if !okX || !okY {
		return nil
	}
	if math.IsNaN(x) || math.IsNaN(y) {
		return yes(op == relNE)
	}
	if math.IsInf(x, 0) || math.IsInf(y, 0) {
		return orderHolds(op, big.NewFloat(x).Cmp(big.NewFloat(y)))
	}
	return orderHolds(op, rational(a).Cmp(rational(b)))
}

func orderHolds(op relation, order int) *bool {
	switch op {
	case relEQ:
		return yes(order == 0)
	case relNE:
		return yes(order != 0)
	case relLT:
		return yes(order < 0)
	case relLE:
		return yes(order <= 0)
	case relGT:
		return yes(order > 0)
	}
	return yes(order >= 0)
}

func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func rational(v any) *big.Rat {
	if i, ok := v.(int64); ok {
		return new(big.Rat).SetInt64(i)
	}
	return new(big.Rat).SetFloat64(v.(float64))
}

func arithmeticAny(op byte, a, b any) any {
	if op == '%' {
		a, b = whole(a), whole(b)
	}
	i, intA := a.(int64)
	j, intB := b.(int64)
	if intA && intB && op != '^' {
		switch {
		case op == '+':
			return i + j
		case op == '-':
			return i - j
		case op == '*':
			return i * j
		case j == 0:
			return nil
		case op == '/':
			return i / j
		}
		return i % j
	}
	x, okX := toFloat(a)
	y, okY := toFloat(b)
	switch {
	case !okX || !okY || op == '%' || op == '/' && y == 0:
		return nil
	case op == '+':
		return x + y
	case op == '-':
		return x - y
	case op == '*':
		return x * y
	case op == '/':
		return x / y
	}
	return math.Pow(x, y)
}

// whole makes an integer of a float without a fraction.
func whole(v any) any {
	if f, ok := v.(float64); ok && f == math.Trunc(f) && math.Abs(f) < 1<<62 {
		return int64(f)
	}
	return v
}

var likeCache = map[string]*regexp.Regexp{}

func likeRegexp(pattern string) *regexp.Regexp {
	if re := likeCache[pattern]; re != nil {
		return re
	}
	var b strings.Builder
	b.WriteString("(?s)^")
	escaped := false
	for _, c := range pattern {
		switch {
		case escaped:
			b.WriteString(regexp.QuoteMeta(string(c)))
			escaped = false
		case c == '\\':
			escaped = true
		case c == '%':
			b.WriteString(".*")
		case c == '_':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	b.WriteString("$")
	likeCache[pattern] = regexp.MustCompile(b.String())
	return likeCache[pattern]
}

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
