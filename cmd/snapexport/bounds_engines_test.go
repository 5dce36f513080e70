package main

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

// What Spark tells of the files of a table, bounds and counts of every scalar, is that of the truth's values: exact, but for
// texts and bytes, which are cut to 16.
func TestBoundsInSpark(t *testing.T) {
	t.Parallel()
	engines := testkit.Engines(t)
	a := exportTyped(t, milvus.StorageV1, func(c typedColumn) bool {
		return c.flat() && c.Dim == 0 && !c.bits && c.Type != milvus.TypeTimestamptz || c.Name == "timestamptz"
	})
	metrics := map[string]metric{}
	got := engines.Query(t, testkit.Spark, testkit.Table{URI: a.uri + "#files"}, "SELECT readable_metrics FROM t")
	if len(got.Rows) != 1 {
		t.Fatalf("%d files", len(got.Rows))
	}
	text, err := json.Marshal(got.Rows[0][0])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &metrics); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, c := range a.columns {
		m, ok := metrics[strings.Replace(c.Name, "$", "_", 1)]
		if !ok {
			t.Errorf("no metrics of %s", c.Name)
			continue
		}
		m.check(t, c, a.values(t, c.Name))
		compared++
	}
	if compared < 20 {
		t.Errorf("only %d columns", compared)
	}
}

// metric is what readable_metrics has of a column.
type metric struct {
	Values int64           `json:"value_count"`
	Nulls  int64           `json:"null_value_count"`
	NaNs   *int64          `json:"nan_value_count"`
	Lower  json.RawMessage `json:"lower_bound"`
	Upper  json.RawMessage `json:"upper_bound"`
}

// values are the truth's of a column.
func (a typedTable) values(t *testing.T, name string) []json.RawMessage {
	data, err := os.ReadFile(a.truth(t, false))
	if err != nil {
		t.Fatal(err)
	}
	var out []json.RawMessage
	for line := range strings.Lines(string(data)) {
		row := map[string]json.RawMessage{}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		out = append(out, row[name])
	}
	return out
}

func (m metric) check(t *testing.T, c typedColumn, values []json.RawMessage) {
	t.Helper()
	nulls, nans := int64(0), int64(0)
	var least, most json.RawMessage
	for _, v := range values {
		switch {
		case v == nil || string(v) == "null":
			nulls++
		case string(v) == `"NaN"`:
			nans++
		default:
			if least == nil || boundOrder(t, c, v, least) < 0 {
				least = v
			}
			if most == nil || boundOrder(t, c, v, most) > 0 {
				most = v
			}
		}
	}
	if m.Values != int64(len(values)) || m.Nulls != nulls || m.NaNs != nil && *m.NaNs != nans {
		t.Errorf("%s: %d values, %d NULL, %v NaN; not %d, %d, %d", c.Name, m.Values, m.Nulls, m.NaNs, len(values), nulls, nans)
	}
	if least == nil {
		t.Fatalf("%s has no values", c.Name)
	}
	switch cut := textual(c); {
	case !cut && (boundOrder(t, c, m.Lower, least) != 0 || boundOrder(t, c, m.Upper, most) != 0):
		t.Errorf("%s: bounds %s and %s, not %s and %s", c.Name, m.Lower, m.Upper, least, most)
	case cut && !strings.HasPrefix(boundText(t, c, least), boundText(t, c, m.Lower)):
		t.Errorf("%s: lower bound %s of %.60s", c.Name, m.Lower, least)
	case cut && string(m.Upper) != "null" && boundOrder(t, c, m.Upper, most) < 0:
		t.Errorf("%s: upper bound %s of %.60s", c.Name, m.Upper, most)
	}
}

func textual(c typedColumn) bool {
	return slices.Contains([]milvus.DataType{milvus.TypeVarChar, milvus.TypeString, milvus.TypeText, milvus.TypeJSON, milvus.TypeGeometry}, c.Type)
}

// boundText is a text value without JSON's quotes, or the bytes.
func boundText(t *testing.T, c typedColumn, v json.RawMessage) string {
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		t.Fatalf("%s: %s: %v", c.Name, v, err)
	}
	if c.Type == milvus.TypeGeometry {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	return s
}

// boundOrder compares as the column is ordered: dates are ISO text, texts and bytes are ordered by their bytes.
func boundOrder(t *testing.T, c typedColumn, a, b json.RawMessage) int {
	switch c.Type {
	case milvus.TypeFloat, milvus.TypeDouble:
		x, y := boundFloat(t, a), boundFloat(t, b)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	case milvus.TypeBool:
		return strings.Compare(string(a), string(b)) // false, true
	}
	x, err := strconv.ParseInt(string(a), 10, 64)
	if err != nil {
		return strings.Compare(boundText(t, c, a), boundText(t, c, b))
	}
	y, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		t.Fatalf("%s: %s: %v", c.Name, b, err)
	}
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func boundFloat(t *testing.T, v json.RawMessage) float64 {
	f, err := strconv.ParseFloat(strings.Trim(string(v), `"`), 64)
	if err != nil || math.IsNaN(f) {
		t.Fatalf("%s is no bound: %v", v, err)
	}
	return f
}
