package filter

import (
	"fmt"
	"testing"
)

// TestAmong: only what every matching row must be is named.
func TestAmong(t *testing.T) {
	for expr, want := range map[string]string{
		"": "", "id > 1": "", "id != 1": "", "not (id == 1)": "", "id not in [1]": "", "id + 1 == 2": "", "age == 1": "", "id == 1 or age == 1": "", "id == 1 or id > 5": "",
		"id == 1": "[1] []", "1 == id": "[1] []", "id == 1.0": "[1] []", "id == 1.5": "[] []", "id in [3, 1, 3, 2.0, 2.5]": "[1 2 3] []", "id in []": "[] []", "false": "[] []",
		"id == 1 and age > 3": "[1] []", "age > 3 and id in [1, 2] and id == 2": "[2] []", "id == 2 or id in [1, 2]": "[1 2] []", "(id == 1 or id == 2) and flag": "[1 2] []",
		"id == 1 and id == 2": "[1] []", "(id == 1 and age > 1) or (id == 5 and age < 1)": "[1 5] []",
	} {
		v, ok := mustParse(t, expr).Among(100)
		got := ""
		if ok {
			got = fmt.Sprint(v.Ints, " ", v.Texts)
		}
		if got != want || ok && v.Len() != len(v.Ints) {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
	for expr, want := range map[string]string{"name == 'x'": "[x]", "name in ['b', 'a', 'b']": "[a b]", "name like 'x'": "", "name > 'x'": ""} {
		if v, ok := mustParse(t, expr).Among(106); ok != (want != "") || ok && fmt.Sprint(v.Texts) != want {
			t.Errorf("%s: %v %v, want %s", expr, v, ok, want)
		}
	}
}
