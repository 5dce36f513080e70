package deltalog

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

func TestCells(t *testing.T) {
	for _, c := range []struct {
		cell string
		pk   any
		ts   uint64
	}{
		{`{"pk":1,"ts":2,"pkType":5}`, int64(1), 2},
		{`{"pk":-9223372036854775808,"ts":18446744073709551615,"pkType":5}`, int64(math.MinInt64), math.MaxUint64},
		{`{"pk":9007199254740993,"ts":470646393191268355,"pkType":5}`, int64(9007199254740993), 470646393191268355},
		{`{"pk":-0,"ts":0,"pkType":5}`, int64(0), 0},
		{`{"pk":"","ts":2,"pkType":21}`, "", 2},
		{`{"pk":"a,b","ts":2,"pkType":21}`, "a,b", 2},
		{`{"pk":"e\u0301 \u003cx\u003e \"q\" \\ \n \ud83d\ude00","ts":2,"pkType":21}`, "e\u0301 <x> \"q\" \\ \n \U0001F600", 2},
		{"{\"pk\":\"e\u0301 \U0001F600\",\"ts\":2,\"pkType\":21}", "e\u0301 \U0001F600", 2},
		{`{"pkType":5,"ts":470646393191268355,"pk":-7}`, int64(-7), 470646393191268355},
		{` { "ts" : 3 , "pkType" : 21 , "pk" : "x" } `, "x", 3},
		{`{"pk":"5","ts":3,"pkType":21,"more":true}`, "5", 3},
		{`7,8`, int64(7), 8},
		{`-9007199254740993,18446744073709551615`, int64(-9007199254740993), math.MaxUint64},
	} {
		b := &builder{}
		if err := b.addCell([]byte(c.cell)); err != nil {
			t.Errorf("%s: %v", c.cell, err)
			continue
		}
		d := b.deletes()
		var pk any
		if d.PKType == milvus.TypeInt64 {
			pk = d.Int64[0]
		} else {
			pk = d.Strings.Value(0)
		}
		if pk != c.pk || d.TS[0] != c.ts || d.Len() != 1 {
			t.Errorf("%s: got %v at %d", c.cell, pk, d.TS[0])
		}
	}
}

func TestBadCells(t *testing.T) {
	for _, cell := range []string{
		``, `x`, `1`, `1,2,3`, `1,-2`, `1.5,2`, `a,2`, `1,`, `null`, `[]`, `"x"`, `[1,2]`,
		`{}`, `{`, `{"pk":1`, `{"pk":1,"ts":2}`, `{"pk":1,"pkType":5}`, `{"ts":2,"pkType":5}`,
		`{"pk":1,"ts":2,"pkType":5}x`, `{"pk":1,"ts":2,"pkType":5}{}`,
		`{"pk":1,"ts":2,"pkType":21}`, `{"pk":"1","ts":2,"pkType":5}`, `{"pk":"1","ts":2,"pkType":"21"}`,
		`{"pk":1,"ts":2,"pkType":4}`, `{"pk":1,"ts":2,"pkType":5.0}`,
		`{"pk":1.0,"ts":2,"pkType":5}`, `{"pk":1e3,"ts":2,"pkType":5}`, `{"pk":01,"ts":2,"pkType":5}`, `{"pk":9223372036854775808,"ts":2,"pkType":5}`,
		`{"pk":1,"ts":-2,"pkType":5}`, `{"pk":1,"ts":2.5,"pkType":5}`, `{"pk":1,"ts":18446744073709551616,"pkType":5}`, `{"pk":1,"ts":"2","pkType":5}`,
		`{"pk":null,"ts":2,"pkType":5}`, `{"pk":{},"ts":2,"pkType":5}`, `{"pk":1,"pk":2,"ts":2,"pkType":5}`,
		`{"pk":1,"ts":00,"pkType":5}`, `{"pk":--1,"ts":2,"pkType":5}`, `{"pk":,"ts":2,"pkType":5}`, `{"pk":-,"ts":2,"pkType":5}`,
		"{\"pk\":\"\xff\",\"ts\":2,\"pkType\":21}", "{\"pk\":\"a\nb\",\"ts\":2,\"pkType\":21}", `{"pk":"a,"ts":2,"pkType":21}`,
	} {
		b := &builder{}
		for range 3 {
			if err := b.addInt64(1, 1); err != nil {
				t.Fatal(err)
			}
		}
		err := b.addCell([]byte(cell))
		if !errors.Is(err, fault.ErrCorrupt) || !strings.Contains(err.Error(), "row 3") {
			t.Errorf("%q: got %v, want a corrupt row 3", cell, err)
		}
	}
	b := &builder{}
	b.addInt64(1, 1)
	if err := b.addCell([]byte(`{"pk":"x","ts":2,"pkType":21}`)); !errors.Is(err, fault.ErrCorrupt) {
		t.Errorf("keys of two types: %v", err)
	}
}

// TestScanAgreesWithJSON checks that the quick way takes nothing that the slow way reads differently.
func TestScanAgreesWithJSON(t *testing.T) {
	for _, cell := range []string{
		`{"pk":12,"ts":34,"pkType":5}`, `{"pk":"k","ts":34,"pkType":21}`, `{"pk":"","ts":0,"pkType":21}`, `{"pk":-1,"ts":18446744073709551615,"pkType":5}`,
	} {
		if _, _, _, ok := scanCell([]byte(cell)); !ok {
			t.Errorf("%s: not taken by the quick way", cell)
		}
		slow, quick := &builder{}, &builder{}
		if err := slow.addObject([]byte(cell)); err != nil {
			t.Fatal(err)
		}
		if err := quick.addCell([]byte(cell)); err != nil {
			t.Fatal(err)
		}
		if string(slow.text) != string(quick.text) || slow.ts[0] != quick.ts[0] || slow.pkType != quick.pkType || len(slow.ints) > 0 && slow.ints[0] != quick.ints[0] {
			t.Errorf("%s: %+v, want %+v", cell, quick, slow)
		}
	}
}
