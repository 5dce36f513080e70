package deltalog

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestDigits compares numbers of all lengths, and what follows them, with fmt.
func TestDigits(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		v := rng.Uint64() >> rng.UintN(64)
		text := fmt.Sprint(v)
		want, length := v, len(text)
		if length > 19 {
			want, length = 0, 0
		}
		for _, after := range []string{"", ",", string(rune(rng.UintN(48))), `,"ts":12345678`, ":/:/:/:/", "\xff\xff\xff\xff\xff\xff\xff\xff"} {
			if got, n := digits([]byte(text + after)); got != want || n != length {
				t.Fatalf("%q: %d of %d bytes", text+after, got, n)
			}
		}
	}
	for _, none := range []string{"", "-1", "01", "00000000", "x", "/", ":", strings.Repeat("9", 20), strings.Repeat("1", 64)} {
		if v, n := digits([]byte(none)); v != 0 || n != 0 {
			t.Errorf("%q: %d of %d bytes", none, v, n)
		}
	}
	for c := range 256 {
		for at := range 8 {
			b := []byte("12345678")
			b[at] = byte(c)
			_, n := digits(b)
			isDigit := '0' <= c && c <= '9'
			if whole := n == 8; whole != (isDigit && b[0] != '0') {
				t.Fatalf("%q: %d digits", b, n)
			}
		}
	}
}

// TestPlainText puts every byte at every place of a text.
func TestPlainText(t *testing.T) {
	t.Parallel()
	for length := range 20 {
		for at := range length {
			for c := range 256 {
				b := []byte(strings.Repeat("k", length))
				b[at] = byte(c)
				want := length
				switch {
				case c == '"':
					want = at
				case c == '\\' || c < ' ' || !utf8.Valid(b):
					want = -1
				}
				if got := plainText([]byte(string(b) + `","ts":1`)); got != want {
					t.Fatalf("%q: %d, want %d", b, got, want)
				}
			}
		}
	}
	for _, text := range []string{"", "\u00e9", "12345678\u65e5\u672c\u8a9e", "1234567\u65e5"} {
		if got := plainText([]byte(text + `"`)); got != len(text) {
			t.Errorf("%q: %d", text, got)
		}
	}
	if got := plainText([]byte("no end of it")); got != -1 {
		t.Error(got)
	}
}
