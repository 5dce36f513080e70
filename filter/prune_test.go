package filter

import (
	"math"
	"testing"

	"github.com/snapexport/snapexport/milvus"
)

// TestCanMatch is what pruning is good for; that it never loses a row is in TestAgainstReference.
func TestCanMatch(t *testing.T) {
	stats := func(id milvus.FieldID) (Range, bool) {
		r, ok := map[milvus.FieldID]Range{
			100: {Min: int64(1000), Max: int64(2000), Rows: 10},                     // id
			101: {Min: true, Max: true, Rows: 10},                                   // flag
			102: {Min: int64(5), Max: int64(5), Nulls: 3, Rows: 10},                 // age
			103: {Nulls: 10, Rows: 10},                                              // big: all NULL
			104: {Min: float64(float32(0.1)), Max: float64(float32(0.1)), Rows: 10}, // f
			105: {Min: 0.5, Max: 1.5, Nulls: -1, Rows: 10},                          // d
			106: {Min: "m", Max: "n", Rows: 10},                                     // name; the longest text may be n + more
			108: {Min: int64(0), Max: int64(1_735_689_600_000_000), Rows: 10},       // ts
			109: {Min: math.NaN(), Max: math.NaN(), Rows: 10},                       // day: nonsense
		}[id]
		return r, ok
	}
	tests := []struct {
		expr string
		want bool
	}{
		{"", true}, {"false", false}, {"id == 1500", true}, {"id == 999", false}, {"id > 2000", false}, {"id >= 2000", true}, {"id < 1000.5", true},
		{"id < 999.5", false}, {"1 < id < 1000", false}, {"id in [1, 2, 3000]", false}, {"id in [1, 1001]", true}, {"id in []", false},
		{"id not in [1]", true}, {"id == 1 or id == 2", false}, {"id == 1 or age == 5", true}, {"id == 1500 and age == 6", false},
		{"not (id >= 1000)", false}, {"not (id > 1000)", true}, {"not (id > 5 and id < 5000)", false},
		{"flag", true}, {"not flag", false}, {"flag == false", false}, {"flag != true", false},
		{"age != 5", false}, {"not (age == 5)", false}, {"age is null", true}, {"id is null", false}, {"id is not null", true}, {"not (id is not null)", false},
		{"big == 1", false}, {"not (big == 1)", false}, {"big is not null", false}, {"big is null", true}, {"big in [1]", false},
		{"f == 0.1", true}, {"f < 0.1", false}, {"f != 0.1", true}, {"not (f == 0.1)", true}, {"d > 1.5", false}, {"d > 1", true}, {"d == 2", false},
		{"not (d <= 1.5)", true}, // NaN
		{"name == 'x'", false}, {"name like 'x%'", false}, {"name like 'mo%'", true}, {"name like '%x'", true}, {"name like 'l%m'", false}, {"name in ['a', 'z']", false},
		{"ts > ISO '2025-01-01T00:00:00Z'", false}, {"ts >= ISO '2025-01-01T00:00:00Z'", true}, {"ts + INTERVAL 'P1D' > ISO '2030-01-01'", true},
		{"day > '2024-01-01'", true}, {"id + 1 == 0", true}, {"meta['a'] == 1", true}, {"clock > '00:00:01'", true}, {"meta['a'] == 1 and id == 1", false},
	}
	for _, tt := range tests {
		if got := mustParse(t, tt.expr).CanMatch(stats); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.expr, got, tt.want)
		}
	}
	if !mustParse(t, "id == 1 and name is null").CanMatch(nil) {
		t.Error("without statistics anything can match")
	}
}
