package filter

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/milvus"
)

// benchRows is a typical batch.
const benchRows = 64 << 10

// benchTable is seeded and has no NULL in id; one row in ten of the others is NULL.
func benchTable() table {
	r := rand.New(rand.NewPCG(1, 2))
	t := make(table, benchRows)
	for i := range t {
		row := map[string]any{
			"id": r.Int64N(1 << 40), "age": r.Int64N(100), "d": r.Float64(), "f": float64(float32(r.Float64())),
			"name": fmt.Sprintf("user-%06d@example.com", r.IntN(1_000_000)), "flag": r.IntN(2) == 0,
			"meta": fmt.Sprintf(`{"brand":"b%d","specs":{"weight":%d,"size":[%d,%d]},"text":"%s","price":%d.5}`,
				r.IntN(50), r.IntN(1000), r.IntN(9), r.IntN(9), strings.Repeat("lorem ", 20), r.IntN(500)),
			"ints": []any{r.Int64N(10), r.Int64N(10), r.Int64N(10)},
		}
		if r.IntN(10) == 0 {
			row["age"], row["d"], row["name"] = nil, nil, nil
		}
		t[i] = row
	}
	return t
}

func BenchmarkEval(b *testing.B) {
	columns := benchTable().columns(b)
	for _, f := range testSchema.Fields {
		if f.ID >= milvus.FirstUserField {
			columns(f.ID)
		}
	}
	var many []string
	r := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		many = append(many, fmt.Sprint(r.Int64N(1<<40)))
	}
	for _, bench := range []struct{ name, expr string }{
		{"int", "id > 549755813888"},
		{"int32-nulls", "age >= 50"},
		{"float64", "d < 0.5"},
		{"range-and", "20 < age <= 50 and flag"},
		{"arithmetic", "id % 2 == 0"},
		{"in-dense", "age in [1, 5, 7, 30, 90]"},
		{"in-5000", "id in [" + strings.Join(many, ",") + "]"},
		{"string-eq", `name == "user-000001@example.com"`},
		{"like-prefix", `name like "user-0%"`},
		{"like-infix", `name like "%99@%"`},
		{"like-general", `name like "user-_9%@%"`},
		{"json-first-key", `meta["brand"] == "b7"`},
		{"json-last-key", `meta["price"] > 250`},
		{"json-nested", `meta["specs"]["size"][1] == 3`},
		{"json-after-int", `age == 50 and meta["price"] > 250`},
		{"array-contains", "array_contains(ints, 3)"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			f, err := ParseWith(bench.expr, testSchema, Options{MaxLength: 1 << 20})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := f.Eval(columns, benchRows); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds()/1e6, "Mrows/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func BenchmarkParse(b *testing.B) {
	list := "id in [" + strings.TrimSuffix(strings.Repeat("449876543210987654,", 3000), ",") + "]"
	for name, expr := range map[string]string{"short": `age > 1 and (name like "a%" or meta["x"] == 3)`, "list": list} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Parse(expr, testSchema); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(expr)))
		})
	}
}
