package filter

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

const two53 = 1 << 53

// people are the rows of TestEval; what is not given is NULL.
var people = table{
	0: {"id": int64(0), "flag": true, "age": int64(10), "big": int64(two53 + 1), "f": 3.14, "d": float64(two53), "name": "Alice",
		"meta": `{"a":1,"b":{"c":[10,20,30]},"s":"x","t":true,"n":null,"arr":[1,"two",3.0,[4,5],false],"e":{},"u":"\u00e9\n"}`,
		"ts":   int64(1_735_689_600_000_000), "day": int64(1), "clock": int64(1_000_000),
		"ints": []any{int64(1), int64(2), int64(3)}, "tags": []any{"red", "blue"}, "floats": []any{1.5, nil}, "bools": []any{true, false},
		"$meta": `{"color":"red","0":"zero","price":9.5}`},
	1: {"id": int64(1), "flag": false, "age": int64(20), "big": int64(math.MinInt64), "f": 1.5, "d": 0.5, "name": "100%_done",
		"meta": `{"a":1.0,"b":{"c":[]},"s":"y","t":"true","arr":[],"e":{"x":[]}}`,
		"ts":   int64(1_735_689_599_999_999), "day": int64(-1), "clock": int64(0),
		"ints": []any{}, "tags": []any{}, "floats": []any{nil}, "bools": []any{},
		"$meta": `{"color":"blue","price":10}`},
	2: {"id": int64(2)},
	3: {"id": int64(3), "flag": true, "age": int64(-7), "big": int64(7), "f": math.NaN(), "d": math.Inf(1), "name": "",
		"meta": `{"a":"1","b":7,"s":5,"arr":"no","e":{"x":1}}`, "ts": int64(0), "day": int64(0), "clock": int64(microsPerDay),
		"ints": []any{int64(5)}, "tags": []any{"red"}, "floats": []any{2.5}, "bools": []any{false}, "$meta": `{}`},
	4: {"id": int64(4), "flag": false, "age": int64(20), "big": int64(0), "f": math.Copysign(0, -1), "d": -1.5, "name": "été",
		"meta": `[1,2,{"k":"v"}]`, "ints": []any{int64(3), int64(3), int64(1)}, "tags": []any{"ROT"},
		"$meta": `{"color":null}`},
}

func TestEval(t *testing.T) {
	all := []int{0, 1, 2, 3, 4}
	tests := []struct {
		expr string
		want []int
	}{
		{"", all}, {"true", all}, {"FALSE", nil}, {"1 < 2", all}, {"not True", nil},

		// comparisons
		{"id == 3", []int{3}}, {"id != 3", []int{0, 1, 2, 4}}, {"3 < id", []int{4}}, {"id >= 3", []int{3, 4}},
		{"age == 20", []int{1, 4}}, {"age != 20", []int{0, 3}}, {"age <= -7", []int{3}}, {"-8 < age < 20", []int{0, 3}},
		{"20 >= age > -7", []int{0, 1, 4}}, {"age > -7 && age < 20 || id == 3", []int{0, 3}},
		{"flag", []int{0, 3}}, {"flag == false", []int{1, 4}}, {"not flag", []int{1, 4}}, {"!flag and age == 20", []int{1, 4}},
		{"NOT age == 20", []int{0, 3}}, {"name > 'A' and name < 'B'", []int{0}}, {`name == ""`, []int{3}}, {"name >= 'a'", []int{4}},
		{"age == big", nil}, {"id < age", []int{0, 1, 4}}, {"d > big", []int{1, 3}}, {"name == name", []int{0, 1, 3, 4}},

		// exactness
		{"big == 9007199254740993", []int{0}}, {"big == 9007199254740992.0", nil}, {"big > 9007199254740992.0", []int{0}},
		{"big >= 9007199254740992.5", []int{0}}, {"big < 7.5 and big > 0.5", []int{3}}, {"big != 0.5", []int{0, 1, 3, 4}},
		{"big >= -9.3e18", []int{0, 1, 3, 4}}, {"big < -9.3e18", nil}, {"big < 9.3e18", []int{0, 1, 3, 4}},
		{"big == -9223372036854775808", []int{1}}, {"big in [0x7, 1.5, 9007199254740993.0]", []int{3}},
		{"d == 9007199254740992", []int{0}}, {"d == 9007199254740993", nil}, {"d < 9007199254740993", []int{0, 1, 4}},
		{"d >= 9007199254740993", []int{3}}, {"big > d", []int{0, 4}},
		{"f == 3.14", []int{0}}, {"f in [3.14, 7]", []int{0}}, {"f == 0", []int{4}}, {"f != 1.5", []int{0, 3, 4}},
		{"f <= 16777217 and f > 1", []int{0, 1}}, {"f < f", nil}, {"not (f > 1)", []int{3, 4}}, {"f == 1e300", nil},

		// sets
		{"age in [10, -7]", []int{0, 3}}, {"age not in [10, -7]", []int{1, 4}}, {"not age in [10]", []int{1, 3, 4}},
		{"age in []", nil}, {"age not in []", []int{0, 1, 3, 4}}, {"name in ['Alice', \"\"]", []int{0, 3}},
		{"flag in [true]", []int{0, 3}}, {"flag not in [true, false]", nil}, {"id in [1, 2, 1000000000, 5000000000000,]", []int{1, 2}},
		{"day in ['1970-01-02']", []int{0}},

		// like
		{`name like "A%"`, []int{0}}, {`name like "%e"`, []int{0, 1}}, {`name LIKE "%li%"`, []int{0}}, {`name like "Alice"`, []int{0}},
		{`name like "A%c_"`, []int{0}}, {`name like "_t_"`, []int{4}}, {`name like "100\%\_%"`, []int{1}}, {`name like "100\\%%"`, []int{1}},
		{`name like r"100\%%"`, []int{1}}, {`name like "%"`, []int{0, 1, 3, 4}}, {`name like ""`, []int{3}}, {`name like "%\_d%"`, []int{1}},
		{`not (name like "A%")`, []int{1, 3, 4}}, {`meta["s"] like "x%"`, []int{0}}, {`tags[0] like "r_d"`, []int{0, 3}},

		// NULL
		{"age is null", []int{2}}, {"age is not null", []int{0, 1, 3, 4}}, {"AGE IS NULL", all}, {"not (age is null)", []int{0, 1, 3, 4}},
		{"age == 20 or age is null", []int{1, 2, 4}}, {"not (age == 20 and flag)", []int{0, 1, 3, 4}}, {"age == 1 or true", all},
		{"meta is null", []int{2}}, {`meta["a"] is null`, []int{2, 4}}, {`meta["n"] is not null`, nil}, {"ints is null", []int{2}},
		{"vec is null", all},

		// arithmetic
		{"age + 1 > 20", []int{1, 4}}, {"age - 1 == 9", []int{0}}, {"age * 2 == 40", []int{1, 4}}, {"age / 3 == -2", []int{3}},
		{"age % 3 == -1", []int{3}}, {"id % 2 == 0", []int{0, 2, 4}}, {"d * 2 == 1.0", []int{1}}, {"age + 0.5 == 10.5", []int{0}},
		{"age / 4.0 == 2.5", []int{0}}, {"age ** 2 == 49", []int{3}}, {"2 ** 3 == 8 and id == 2", []int{2}}, {"id < 2 ** 2", []int{0, 1, 2, 3}},
		{"big - 1 > 0", []int{0, 1, 3}}, {"age % id == 0", []int{1, 4}}, {"1 / d == 2", []int{1}}, {"-age == 7", []int{3}}, {"age + id * 2 == 14", nil},
		{"(age + id) * 2 == 48", []int{4}}, {"10 - age - 3 == -3", []int{0}}, {"ints[0] + 1 > 3", []int{3, 4}}, {`meta["a"] + 1 == 2`, []int{0, 1}},
		{`meta["a"] % 2 == 1`, []int{0, 1}}, {`meta["s"] * 2 == 10`, []int{3}}, {`not (meta["a"] + 1 == 5)`, []int{0, 1}},

		// arrays
		{"ints[0] == 1", []int{0}}, {"ints[2] in [1, 3]", []int{0, 4}}, {"ints[9] != 1", nil}, {"not (ints[1] == 2)", []int{4}},
		{"array_contains(ints, 3)", []int{0, 4}}, {"ARRAY_CONTAINS_ALL(ints, [1, 2])", []int{0}}, {"array_contains_all(ints, [])", []int{0, 1, 3, 4}},
		{"array_contains_any(ints, [5, 2.0])", []int{0, 3}}, {"array_contains_any(ints, [])", nil}, {"not array_contains(ints, 3)", []int{1, 3}},
		{"json_contains(tags, 'red')", []int{0, 3}}, {"array_length(ints) == 3", []int{0, 4}}, {"array_length(ints) == 0", []int{1}},
		{"ints == [1, 2, 3]", []int{0}}, {"ints != [1, 2, 3]", []int{1, 3, 4}}, {"tags == []", []int{1}}, {"1 <= ints[1] < 3", []int{0}},
		{"array_contains(floats, 1.5)", []int{0}}, {"floats[0] > 1", []int{0, 3}}, {"floats == [1.5]", nil}, {"bools[0]", []int{0}},
		{"bools == [true, false]", []int{0}}, {"array_contains(bools, false)", []int{0, 3}}, {"array_contains_all(ints, [3, 1, 3])", []int{0, 4}},

		// JSON
		{`meta["a"] == 1`, []int{0, 1}}, {`meta['a'] != 1`, nil}, {`meta["a"] != 2`, []int{0, 1}}, {`meta["a"] == "1"`, []int{3}},
		{`not (meta["a"] == 1)`, nil}, {`meta["b"]["c"][1] == 20`, []int{0}}, {`meta["b"]["c"][5] == 20`, nil}, {`meta["t"] == true`, []int{0}},
		{`meta["a"] in [1, "1"]`, []int{0, 1, 3}}, {`meta["a"] not in ["x"]`, []int{3}}, {`meta["a"] < 1.5`, []int{0, 1}},
		{`meta["u"] == "é\n"`, []int{0}}, {`meta[2]["k"] == "v"`, []int{4}}, {`meta["arr"][3] == [4, 5.0]`, []int{0}}, {`meta["arr"] == []`, []int{1}},
		{`exists meta["a"]`, []int{0, 1, 3}}, {`exists meta["n"]`, nil}, {`not exists meta["n"]`, all}, {`exists meta["e"]`, []int{3}}, {`exists meta["arr"]`, []int{0, 3}},
		{`EXISTS meta["b"]["c"] and id < 9`, []int{0}}, {`json_contains(meta["arr"], 3)`, []int{0}}, {`JSON_CONTAINS(meta["arr"], [4, 5])`, []int{0}},
		{`json_contains_all(meta["arr"], [1, "two", false])`, []int{0}}, {`json_contains_any(meta["b"]["c"], [7, 30])`, []int{0}},
		{`not json_contains(meta["arr"], 1)`, []int{1}}, {`array_length(meta["b"]["c"]) == 3`, []int{0}}, {`array_length(meta["arr"]) >= 0`, []int{0, 1}},
		{`json_contains(meta, 2)`, []int{4}}, {`meta["b"] == meta["s"]`, nil}, {`meta["a"] <= id`, []int{1}},
		{`color == "red"`, []int{0}}, {`$meta["color"] != "red"`, []int{1}}, {`price > 9`, []int{0, 1}}, {`price == 10.0`, []int{1}},
		{`$meta[0] == "zero"`, []int{0}}, {`$meta["0"] == "zero"`, []int{0}}, {`color is null`, []int{2, 3, 4}}, {`color in ["red", "blue"]`, []int{0, 1}},

		// time
		{`ts >= ISO '2025-01-01T00:00:00Z'`, []int{0}}, {`ts < ISO "2025-01-01T08:00:00+08:00"`, []int{1, 3}}, {`iso '1970-01-01' == ts`, []int{3}},
		{`ts + INTERVAL 'P1D' >= ISO '2025-01-02T00:00:00Z'`, []int{0}}, {`ts - interval 'PT0.000001S' == ISO '2024-12-31T23:59:59.999999Z'`, []int{0}},
		{`ts + INTERVAL 'P1M' > ISO '2025-01-31T23:00:00Z'`, []int{0, 1}}, {`ts in [ISO '1970-01-01T00:00:00Z']`, []int{3}},
		{`day > "1970-01-01"`, []int{0}}, {`"1969-12-31" <= day < '1970-01-02'`, []int{1, 3}}, {`clock == "00:00:01"`, []int{0}}, {`clock == "24:00:00"`, []int{3}},
	}
	for _, tt := range tests {
		f := mustParse(t, tt.expr)
		if got := evaluate(t, f, people); !slices.Equal(got, tt.want) {
			t.Errorf("%s\n  as %s\n  selects %v, want %v", tt.expr, f, got, tt.want)
		}
	}
}

func TestTemplates(t *testing.T) {
	values := map[string]any{"a": int32(20), "names": []string{"Alice", "x"}, "mixed": []any{1, "1", 2.5}, "s": "A%", "f": float32(0.5), "b": true}
	for expr, want := range map[string][]int{
		"age == {a}": {1, 4}, "name in {names}": {0}, `meta["a"] in {mixed}`: {0, 1, 3}, "name like {s}": {0}, "d == {f}": {1}, "flag == {b}": {0, 3},
	} {
		f, err := ParseWith(expr, testSchema, Options{Values: values})
		if err != nil {
			t.Fatal(err)
		}
		if got := evaluate(t, f, people); !slices.Equal(got, want) {
			t.Errorf("%s selects %v, want %v", expr, got, want)
		}
	}
	if _, err := Parse("age == {missing}", testSchema); !errors.Is(err, ErrInvalid) {
		t.Errorf("a variable without a value: %v", err)
	}
}

// TestStructArray reads members of struct arrays, which are array fields of their own.
func TestStructArray(t *testing.T) {
	for expr, canonical := range map[string]string{
		"array_contains(parts[size], 3)": "array_contains(parts[size], 3)",
		"parts[0][size] > 3":             "parts[size][0] > 3",
		"parts[size][1] == 2":            "parts[size][1] == 2",
		"array_length(parts[emb]) == 2":  "array_length(parts[emb]) == 2",
	} {
		f := mustParse(t, expr)
		if f.String() != canonical {
			t.Errorf("%s is %s, want %s", expr, f, canonical)
		}
	}
	f := mustParse(t, "parts[0][size] == 2")
	if !slices.Equal(f.Fields(), []milvus.FieldID{118}) {
		t.Errorf("fields %v", f.Fields())
	}
}

func TestLazyColumns(t *testing.T) {
	asked := map[milvus.FieldID]int{}
	columns := people.columns(t)
	f := mustParse(t, `meta["a"] == 1 and id == 77`)
	if got, want := f.Fields(), []milvus.FieldID{100, 107}; !slices.Equal(got, want) {
		t.Fatalf("fields %v, want %v", got, want)
	}
	mask, err := f.Eval(func(id milvus.FieldID) (arrow.Array, error) {
		asked[id]++
		return columns(id)
	}, len(people))
	if err != nil || !mask.None() {
		t.Fatalf("%v, %v", mask, err)
	}
	if asked[100] != 1 || asked[107] != 0 {
		t.Errorf("asked for %v: the expensive column does not matter once no row is left", asked)
	}
}

func TestEvalErrors(t *testing.T) {
	boom := errors.New("boom")
	columns := people.columns(t)
	give := func(from milvus.FieldID) Columns {
		return func(milvus.FieldID) (arrow.Array, error) { return columns(from) }
	}
	tests := []struct {
		name, expr string
		columns    Columns
		rows       int
		want       error
	}{
		{"column fails", "age == 1", func(milvus.FieldID) (arrow.Array, error) { return nil, boom }, 5, boom},
		{"no column", "age == 1", func(milvus.FieldID) (arrow.Array, error) { return nil, nil }, 5, fault.ErrCorrupt},
		{"wrong length", "age == 1", columns, 4, fault.ErrCorrupt},
		{"string for number", "age == 1", give(106), 5, fault.ErrCorrupt},
		{"number for string", "name == 'x'", give(102), 5, fault.ErrCorrupt},
		{"number for JSON", "meta['x'] == 1", give(102), 5, fault.ErrCorrupt},
		{"number for list", "ints[0] == 1", give(102), 5, fault.ErrCorrupt},
		{"strings for ints", "ints[0] == 1", give(112), 5, fault.ErrCorrupt},
		{"strings for ints, contains", "array_contains(ints, 1)", give(112), 5, fault.ErrCorrupt},
		{"floats for ints, in", "age in [1]", give(105), 5, fault.ErrCorrupt},
		{"floats for ints, arithmetic", "age + 1 == 2", give(105), 5, fault.ErrCorrupt},
		{"no JSON", "meta['x'] == 1", give(106), 5, fault.ErrCorrupt},
	}
	for _, tt := range tests {
		if _, err := mustParse(t, tt.expr).Eval(tt.columns, tt.rows); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestNoRows(t *testing.T) {
	for _, expr := range []string{"", "age == 1", "not (age in [1])", "meta['x'] == 1", "ints[0] == 1", "age + 1 == 2", "flag", "not flag"} {
		if got := evaluate(t, mustParse(t, expr), table{}); len(got) != 0 {
			t.Errorf("%s selects %v of nothing", expr, got)
		}
	}
}
