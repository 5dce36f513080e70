package binlog

import (
	"bytes"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// TestGenuineStats decodes every genuine statistics file and encodes it again: the bytes must be the same.
func TestGenuineStats(t *testing.T) {
	n := genuine(t, "stats_log", func(name string, b []byte) {
		all, err := ReadStats(b)
		if err != nil || len(all) == 0 {
			t.Fatalf("%s: %d objects, %v", name, len(all), err)
		}
		var again []byte
		if filepath.Base(name) == itoa(int64(CompoundLogID)) {
			again, err = EncodeCompoundStats(all)
		} else {
			again, err = EncodeStats(all[0])
		}
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s: encoded again differs (%v)\n%s\n%s", name, err, again, b)
		}
	})
	if n != 122 {
		t.Errorf("%d files, want 122", n)
	}
}

// TestBasicFilterIsMilvus's bits: a genuine filter of the keys 0 to 29, made again from the keys.
func TestBasicFilterIsMilvus(t *testing.T) {
	all, err := ReadStats([]byte(`{"fieldID":100,"max":0,"min":0,"bf":{"m":188,"k":5,"b":"AAAAAAAAALwb3vKvD8HSdS8i296b9IvCBcbdXPuI0UU="},"pkType":5,"maxPk":29,"minPk":0}`))
	if err != nil {
		t.Fatal(err)
	}
	genuine := all[0].Filter
	ours := &Filter{Kind: FilterBasic, bits: genuine.bits, k: genuine.k, words: make([]uint64, len(genuine.words))}
	for key := range int64(30) {
		ours.AddInt64(key)
	}
	if !reflect.DeepEqual(ours.words, genuine.words) {
		t.Errorf("words %x, genuine %x", ours.words, genuine.words)
	}
	if all[0].Min != int64(0) || all[0].Max != int64(29) || all[0].Field != 100 || all[0].PKType != milvus.TypeInt64 {
		t.Errorf("decoded %+v", all[0])
	}
}

// TestBlockedFilter compares with a filter that greatroar/blobloom v0.8.0 (whose algorithm Milvus's fork keeps) made from
// the xxh3 hashes of the keys 0 to 9, with 512 bits and k = 36.
func TestBlockedFilter(t *testing.T) {
	f := NewFilter(FilterBlocked, 10)
	for key := range int64(10) {
		f.AddInt64(key)
	}
	text, err := f.encode()
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"k":36,"b":["` + blockedGolden + `"]}`; string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

const blockedGolden = "4Nh6irRHBIaif17APddJzk6csuDC2sC2aacZKA4GmELC2qTC2Jr-BO_cAofiIkREDc2WsleVr5Xks7yOUsT1qg=="

func TestFilters(t *testing.T) {
	for _, kind := range []FilterKind{FilterBasic, FilterBlocked} {
		const n = 20000
		f := NewFilter(kind, n)
		for key := range int64(n) {
			f.AddInt64(key)
		}
		f.AddString("a key that is longer than the room that hashing has for short ones, by a few bytes")
		s := Stats{Field: 100, PKType: milvus.TypeVarChar, Min: "<a>", Max: "\U0001F600", Filter: f}
		b, err := EncodeStats(s)
		if err != nil {
			t.Fatal(err)
		}
		all, err := ReadStats(b)
		if err != nil || len(all) != 1 || !reflect.DeepEqual(all[0], s) {
			t.Fatalf("kind %d: not the same after a round trip (%v)", kind, err)
		}
		f = all[0].Filter
		wrong := 0
		for key := range int64(n) {
			if !f.HasInt64(key) {
				t.Fatalf("kind %d: key %d is not found", kind, key)
			}
			if f.HasInt64(key + 1<<40) {
				wrong++
			}
		}
		if !f.HasString("a key that is longer than the room that hashing has for short ones, by a few bytes") {
			t.Errorf("kind %d: text key is not found", kind)
		}
		if rate := float64(wrong) / n; rate > 3*FalsePositives {
			t.Errorf("kind %d: %.4f false positives", kind, rate)
		}
	}
	if !(&Filter{Kind: FilterAlwaysTrue}).HasInt64(1) {
		t.Error("the always-true filter said no")
	}
}

func TestReadStats(t *testing.T) {
	const bf = `"bf":{"m":64,"k":1,"b":"AAAAAAAAAEAAAAAAAAAAAA=="}`
	object := func(s string) string { return `{"fieldID":100,` + bf + `,` + s + `}` }
	for _, c := range []struct {
		name, text string
		class      error
		min, max   Key
	}{
		{"legacy", object(`"max":7,"min":-7`), nil, int64(-7), int64(7)},
		{"exact", object(`"pkType":5,"maxPk":9223372036854775807,"minPk":-9007199254740993`), nil, int64(-9007199254740993), int64(9223372036854775807)},
		{"text", object(`"pkType":21,"maxPk":"\u003cz","minPk":""`), nil, "", "<z"},
		{"array", `[` + object(`"max":7,"min":1`) + `]`, nil, int64(1), int64(7)},
		{"always true", `{"bfType":2,"bf":{},"max":7,"min":1}`, nil, int64(1), int64(7)},
		{"empty", ``, fault.ErrCorrupt, nil, nil},
		{"null", `null`, fault.ErrCorrupt, nil, nil},
		{"cut", object(`"max":7`)[:40], fault.ErrCorrupt, nil, nil},
		{"cut array", `[` + object(`"max":7,"min":1`), fault.ErrCorrupt, nil, nil},
		{"trailing", object(`"max":7`) + `{}`, fault.ErrCorrupt, nil, nil},
		{"float", object(`"pkType":5,"maxPk":1e3,"minPk":1`), fault.ErrCorrupt, nil, nil},
		{"other type", object(`"pkType":21,"maxPk":1,"minPk":1`), fault.ErrCorrupt, nil, nil},
		{"no text keys", object(`"pkType":21`), fault.ErrCorrupt, nil, nil},
		{"pk type", object(`"pkType":10`), fault.ErrCorrupt, nil, nil},
		{"filter type", `{"bfType":9,"bf":{}}`, fault.ErrUnsupported, nil, nil},
		{"filter bits", `{"bf":{"m":65,"k":1,"b":"AAAAAAAAAEAAAAAAAAAAAA=="}}`, fault.ErrCorrupt, nil, nil},
		{"filter hashes", `{"bf":{"m":64,"k":100000,"b":"AAAAAAAAAEAAAAAAAAAAAA=="}}`, fault.ErrCorrupt, nil, nil},
		{"filter blocks", `{"bfType":4,"bf":{"k":5,"b":["AAAA"]}}`, fault.ErrCorrupt, nil, nil},
		{"depth", strings.Repeat("[", 1000), fault.ErrLimit, nil, nil},
		{"utf-8", "{\"pkType\":21,\"minPk\":\"\xff\"}", fault.ErrCorrupt, nil, nil},
	} {
		all, err := ReadStats([]byte(c.text))
		switch {
		case !errors.Is(err, c.class):
			t.Errorf("%s: %v, want %v", c.name, err, c.class)
		case err == nil && (len(all) != 1 || all[0].Min != c.min || all[0].Max != c.max):
			t.Errorf("%s: got %+v", c.name, all)
		}
	}
	if all, err := ReadStats([]byte(`[]`)); err != nil || len(all) != 0 {
		t.Errorf("empty array: %v, %v", all, err)
	}
	if _, err := EncodeStats(Stats{PKType: milvus.TypeInt64, Min: "x", Max: int64(1), Filter: NewFilter(FilterBasic, 1)}); err == nil {
		t.Error("statistics with a minimum of another type were written")
	}
}
