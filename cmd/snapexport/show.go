package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/page"
)

// newTable returns a table without borders; no header if there are no names. The columns of names that begin with ">" are
// aligned to the right: numbers.
func newTable(header ...string) table.Writer {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatDefault
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t.SetStyle(style)
	if len(header) > 0 {
		row := make(table.Row, len(header))
		var columns []table.ColumnConfig
		for i, h := range header {
			name, right := strings.CutPrefix(h, ">")
			row[i] = name
			if right {
				columns = append(columns, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
			}
		}
		t.AppendHeader(row)
		t.SetColumnConfigs(columns)
	}
	t.SuppressTrailingSpaces()
	return t
}

// warn prints warnings to standard error, where the result is not in the way of them.
func (a *app) warn(warnings []describe.Warning) {
	for _, w := range warnings {
		if a.json {
			line, _ := json.Marshal(map[string]describe.Warning{"warning": w}) // strings and numbers always encode
			fmt.Fprintln(a.errs, string(line))
			continue
		}
		fmt.Fprintf(a.errs, "warning: %s: %s\n", w.Kind, w.Message)
	}
}

// plural writes a number with what it counts: "1 file", "1,200 files".
func plural(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + one + "s"
}

func count(n int64) string    { return page.Count(n) }
func size(bytes int64) string { return page.Size(bytes) }
