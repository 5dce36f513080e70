package filter

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

func TestCanonicalForm(t *testing.T) {
	tests := []struct{ expr, want string }{
		{"", "true"},
		{"age>1&&age<5", "age > 1 and age < 5"},
		{"1 < age <= 5", "age > 1 and age <= 5"},
		{"5 >= age > 1", "age <= 5 and age > 1"},
		{"((age == 1))", "age == 1"},
		{"age == 1 AND (age == 2 and age == 3)", "age == 1 and age == 2 and age == 3"},
		{"(age == 1 or age == 2) and flag", "(age == 1 or age == 2) and flag == true"},
		{"age == 1 or age == 2 and flag", "age == 1 or age == 2 and flag == true"},
		{"!!(age == 1)", "age == 1"},
		{"not age == 1", "not age == 1"},
		{"not (age == 1 or flag)", "not (age == 1 or flag == true)"},
		{"not age is null", "age is not null"},
		{"age   IS\tNOT\n NULL", "age is not null"},
		{"age not in [1,2,]", "not age in [1, 2]"},
		{"age == 0x1F", "age == 31"}, {"age == 017", "age == 15"}, {"age == 0b101", "age == 5"}, {"d == 1e3", "d == 1000.0"},
		{"d == .5", "d == 0.5"}, {"d == 0x1p-2", "d == 0.25"}, {"d == 1e300", "d == 1e+300"}, {"d == 5.", "d == 5.0"},
		{"big == -9223372036854775808", "big == -9223372036854775808"},
		{"age + (1 + 2) * 3 > 2 ** 3 ** 2", "age + 9 > 64.0"},
		{"age - (id - 1) > 0", "age - (id - 1) > 0"}, {"age - id - 1 > 0", "age - id - 1 > 0"}, {"(age + 1) * 2 > 0", "(age + 1) * 2 > 0"},
		{"-2 ** 2 == d", "d == -4.0"}, {"age ** -1 > 0", "age ** (-1) > 0"}, {"age - -3 > 0", "age - -3 > 0"},
		{`name == 'it\'s "x"'`, `name == "it's \"x\""`}, {`name == "\x41\101\u00e9\n"`, `name == "AAé\n"`}, {`name == r"\d"`, `name == "\\d"`},
		{`name like "5\%"`, `name like "5\\%"`},
		{`meta['a']["b"][0]` + " == 1", `meta["a"]["b"][0] == 1`},
		{"color == 'red'", `$meta["color"] == "red"`}, {`$meta["color"]['x'] == 1`, `$meta["color"]["x"] == 1`}, {`color["x"] == 1`, `$meta["color"]["x"] == 1`},
		{"JSON_CONTAINS(ints, 1)", "array_contains(ints, 1)"}, {"array_contains(meta, 1)", "json_contains(meta, 1)"},
		{"json_contains_any(color, [1, 'x', [true]])", `json_contains_any($meta["color"], [1, "x", [true]])`},
		{"array_length(ints) + 1 == 2", "array_length(ints) + 1 == 2"},
		{"exists meta['a'] and not exists meta['b']", `exists meta["a"] and not exists meta["b"]`},
		{"ts > iso '2025-01-01T08:00:00+08:00'", `ts > ISO "2025-01-01T00:00:00Z"`}, {"ts > iso '2025-01-01 00:00:00.5'", `ts > ISO "2025-01-01T00:00:00.5Z"`},
		{"ISO '2025-03-01' - INTERVAL 'P1D' < ts", `ts > ISO "2025-02-28T00:00:00Z"`}, {"INTERVAL '-P1DT2H' + ts == ts", `ts + INTERVAL "-P1DT2H" == ts`},
		{"day == '2024-02-29'", `day == "2024-02-29"`}, {"clock < '01:02:03.5'", `clock < "01:02:03.5"`},
		{"true and age == 1", "age == 1"}, {"false and age == 1", "false"}, {"false or not true", "false"}, {"[1, 2] == [1, 2.0]", "true"},
		{"iso == 1 and interval == 2 and is == 3", `$meta["iso"] == 1 and $meta["interval"] == 2 and $meta["is"] == 3`},
		{"größe > 1", `$meta["größe"] > 1`},
	}
	for _, tt := range tests {
		f := mustParse(t, tt.expr)
		if f.String() != tt.want {
			t.Errorf("%s\n is   %s\n want %s", tt.expr, f, tt.want)
		}
		checkRoundTrip(t, f, testSchema)
	}
}

// checkRoundTrip parses the canonical form and expects the same tree and the same form.
func checkRoundTrip(t *testing.T, f *Filter, schema *milvus.Schema) {
	t.Helper()
	again, err := ParseWith(f.String(), schema, Options{MaxLength: 1 << 20})
	if errors.Is(err, fault.ErrLimit) {
		return // the canonical form may nest one level deeper
	}
	if err != nil {
		t.Fatalf("%s: %v", f, err)
	}
	if again.String() != f.String() || !reflect.DeepEqual(again.root, f.root) {
		t.Fatalf("%s\nparses to\n%s", f, again)
	}
}

func TestParseErrors(t *testing.T) {
	deep := strings.Repeat("(", MaxDepth+1) + "age == 1" + strings.Repeat(")", MaxDepth+1)
	tests := []struct {
		expr  string
		class error
		at    int64
		text  string // in the message
		hint  string
	}{
		{"age = 1", ErrInvalid, 4, "unexpected '='", "=="},
		{"age == ", ErrInvalid, 7, "too early", ""},
		{"age == 1 )", ErrInvalid, 9, "unexpected )", ""},
		{"(age == 1", ErrInvalid, 9, "too early", ""},
		{"age <> 1", ErrInvalid, 4, "<>", "!="},
		{"age == 1 And flag", ErrInvalid, 9, "unexpected And", "and"},
		{"age 5", ErrInvalid, 4, "unexpected 5", ""},
		{"name == 'abc", ErrInvalid, 8, "no end", "close it"},
		{"agee == 1", ErrInvalid, 0, "no field agee", "did you mean age?"},
		{"$meta['x'] == 1", ErrInvalid, 0, "no field $meta", ""},
		{"zzzzzz == 1", ErrInvalid, 0, "no field zzzzzz", "the fields are id, flag"},
		{"age == 'x'", ErrInvalid, 4, "does not compare", ""},
		{"name == 1", ErrInvalid, 5, "does not compare", ""},
		{"name > age", ErrInvalid, 5, "do not compare", ""},
		{"flag > true", ErrInvalid, 5, "no order", "=="},
		{"age", ErrInvalid, 0, "not a condition", ""},
		{"meta['x']", ErrInvalid, 0, "not a condition", "== true"},
		{"age and flag", ErrInvalid, 0, "not a condition", ""},
		{"age in 5", ErrInvalid, 7, "list", "in [1"},
		{"age in [id]", ErrInvalid, 8, "constants only", ""},
		{"age in ['x']", ErrInvalid, 7, "does not compare", ""},
		{"5 in [5]", ErrInvalid, 0, "needs a field", ""},
		{"age == [1]", ErrInvalid, 4, "not an array", "in?"},
		{"ints == 1", ErrInvalid, 5, "is an array", "ints[0]"},
		{"ints['a'] == 1", ErrInvalid, 4, "elements", "ints[0]"},
		{"age[0] == 1", ErrInvalid, 3, "no elements", ""},
		{"meta[x] == 1", ErrInvalid, 4, "strings", `["x"]`},
		{"age like 'x'", ErrInvalid, 0, "string field", ""},
		{"name like age", ErrInvalid, 10, "string", ""},
		{"name like 'x\\\\'", ErrInvalid, 10, "backslash", ""},
		{"name not like 'x'", ErrInvalid, 9, "unexpected like", "not (name like"},
		{"age + name == 1", ErrInvalid, 4, "numbers", ""},
		{"d % 2 == 1", ErrInvalid, 2, "integers", ""},
		{"age / 0 == 1", ErrInvalid, 4, "division by zero", ""},
		{"age == 9223372036854775807 + 1", ErrInvalid, 27, "not a number", ""},
		{"age == 9223372036854775808", ErrInvalid, 7, "64-bit", ""},
		{"age == 1e999", ErrInvalid, 7, "64-bit", ""},
		{"age == 12abc", ErrInvalid, 7, "64-bit", ""},
		{"1 < age > 2", ErrInvalid, 8, "does not continue", "range"},
		{"1 < age < 2 < 3", ErrInvalid, 12, "more than two", "and"},
		{"(age == 1) == true", ErrInvalid, 1, "can't be compared", ""},
		{"exists age", ErrInvalid, 7, "JSON", "meta"},
		{"age + 1 is null", ErrInvalid, 0, "is null needs", ""},
		{"array_contains(age, 1)", ErrInvalid, 0, "array field", ""},
		{"array_contains(ints)", ErrInvalid, 0, "takes 2", ""},
		{"array_contains(ints, 'x')", ErrInvalid, 21, "does not compare", ""},
		{"array_contains_any(ints, 1)", ErrInvalid, 25, "list", ""},
		{"array_contain(ints, 1)", ErrInvalid, 0, "no function", "did you mean array_contains?"},
		{"Array_Contains(ints, 1)", ErrInvalid, 0, "no function", "array_contains"},
		{"ts > '2025-01-01'", ErrInvalid, 3, "does not compare", "ISO"},
		{"ts > ISO 'yesterday'", ErrInvalid, 5, "ISO 8601", ""},
		{"ts + INTERVAL '1 day' > ts", ErrInvalid, 5, "duration", ""},
		{"ts + 1 > ts", ErrInvalid, 3, "INTERVAL", ""},
		{"day > '13:00:00'", ErrInvalid, 4, "not a date", ""},
		{"clock > '2024-01-01'", ErrInvalid, 6, "time of day", ""},
		{"day > clock", ErrInvalid, 4, "do not compare", ""},
		{`name == "\xZZ"`, ErrInvalid, 9, "escape", ""},
		{"parts == 1", ErrInvalid, 0, "struct array", "parts[size]"},
		{"parts[weight][0] == 1", ErrInvalid, 5, "no member", ""},

		{"text_match(name, 'x')", fault.ErrUnsupported, 0, "full-text", ""},
		{"age == 1 and PHRASE_MATCH(name, 'x', 1)", fault.ErrUnsupported, 13, "full-text", ""},
		{"random_sample(0.1)", fault.ErrUnsupported, 0, "sampling", ""},
		{"element_filter(parts, $[size] > 1)", fault.ErrUnsupported, 0, "struct arrays", ""},
		{"st_within(place, 'POINT (0 0)')", fault.ErrUnsupported, 0, "geometry", ""},
		{"name =~ 'a.*'", fault.ErrUnsupported, 5, "regular", ""},
		{"age & 1 == 1", fault.ErrUnsupported, 4, "bitwise", ""},
		{"age << 1 == 2", fault.ErrUnsupported, 4, "shift", ""},
		{"vec == 1", fault.ErrUnsupported, 4, "FloatVector", ""},
		{"place == 'x'", fault.ErrUnsupported, 6, "Geometry", ""},
		{"parts[emb][0] == 1", fault.ErrUnsupported, 14, "can't be filtered", ""},
		{deep, fault.ErrLimit, MaxDepth, "nested", ""},
		{"age" + strings.Repeat("+id", MaxDepth+1) + " > 1", fault.ErrLimit, 3 + 3*MaxDepth, "operators", ""},
		{strings.Repeat("exists ", MaxDepth+1) + "a", fault.ErrLimit, 7 * MaxDepth, "nested", ""},
		{strings.Repeat(" ", MaxLength+1), fault.ErrLimit, MaxLength, "bytes", ""},
	}
	for _, tt := range tests {
		_, err := Parse(tt.expr, fixedSchema)
		var e *fault.Error
		if !errors.As(err, &e) || !errors.Is(err, tt.class) {
			t.Errorf("%.60s: %v, want class %v", tt.expr, err, tt.class)
			continue
		}
		if e.Offset != tt.at || !strings.Contains(e.Detail, tt.text) || !strings.Contains(e.Hint, tt.hint) {
			t.Errorf("%.60s: at %d: %s (hint: %s); want at %d: %s (%s)", tt.expr, e.Offset, e.Detail, e.Hint, tt.at, tt.text, tt.hint)
		}
	}
}

func TestTimeZone(t *testing.T) {
	schema := *testSchema
	schema.Properties = []milvus.KeyValue{{Key: "timezone", Value: "Asia/Shanghai"}}
	if _, err := Parse("ts > ISO '2025-01-01T00:00:00'", &schema); !errors.Is(err, ErrInvalid) {
		t.Errorf("a time without offset in a collection with a time zone: %v", err)
	}
	if _, err := Parse("ts > ISO '2025-01-01T00:00:00+08:00'", &schema); err != nil {
		t.Error(err)
	}
}

// TestLimits parses what is just within the limits, in bounded time and stack.
func TestLimits(t *testing.T) {
	for _, expr := range []string{
		strings.Repeat("(", MaxDepth) + "age == 1" + strings.Repeat(")", MaxDepth),
		strings.Repeat("not (", MaxDepth) + "age == 1" + strings.Repeat(")", MaxDepth),
		strings.Repeat("!", MaxLength-10) + "(age==1)",
		strings.Repeat("-", MaxLength-10) + "1<2",
		"age in [" + strings.Repeat("7,", MaxLength/2-10) + "7]",
		"age == 1" + strings.Repeat(" or flag", MaxLength/8-2),
		"age > 1" + strings.Repeat("+1", MaxLength/2-10),
		`name like "` + strings.Repeat("%_", MaxLength/2-10) + `"`,
		"meta" + strings.Repeat("[1]", MaxLength/3-10) + "==1",
	} {
		if _, err := Parse(expr, fixedSchema); err != nil {
			t.Errorf("%.30s...: %v", expr, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, expr := range []string{
		"1 < age <= 5", "age not in [1, -2, 0x3]", `name like "a\%_%"`, `meta["a"]['b'][0] == [1, "x", [true]]`, "not (flag and age is null) or x == 1",
		"ts + INTERVAL 'P1Y2M3DT4H' > ISO '2025-01-01T00:00:00Z'", "array_contains_all(ints, [1])", "exists $meta['k']", "age % 2 ** 3 - -1 == 0.5e-3",
		"parts[0][size] == 1", "{x} == age", "json_contains(meta, r'\\d')", "day == '2024-01-01' && clock < '24:00:00'", "((((age))))", "age == '", "\xff",
	} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		parsed, err := ParseWith(expr, testSchema, Options{Values: map[string]any{"x": 1}})
		if err != nil {
			var e *fault.Error
			if !errors.As(err, &e) {
				t.Fatalf("%q: %T %v", expr, err, err)
			}
			return
		}
		checkRoundTrip(t, parsed, testSchema)
		if _, err := parsed.Eval(people.columns(t), len(people)); err != nil {
			t.Fatalf("%s: %v", parsed, err)
		}
		parsed.CanMatch(nil)
	})
}
