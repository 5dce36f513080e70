package filter

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/milvus"
)

// guideSchema is the collection of docs/guide/filter.md.
var guideSchema = &milvus.Schema{
	Fields: []milvus.Field{
		{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true},
		{ID: 101, Name: "age", Type: milvus.TypeInt32, Nullable: true},
		{ID: 102, Name: "rating", Type: milvus.TypeFloat, Nullable: true},
		{ID: 103, Name: "price", Type: milvus.TypeDouble, Nullable: true},
		{ID: 104, Name: "name", Type: milvus.TypeVarChar, Nullable: true},
		{ID: 105, Name: "active", Type: milvus.TypeBool, Nullable: true},
		{ID: 106, Name: "tags", Type: milvus.TypeArray, ElementType: milvus.TypeVarChar, Nullable: true},
		{ID: 107, Name: "scores", Type: milvus.TypeArray, ElementType: milvus.TypeInt64, Nullable: true},
		{ID: 108, Name: "meta", Type: milvus.TypeJSON, Nullable: true},
		{ID: 109, Name: "ts", Type: milvus.TypeTimestamptz, Nullable: true},
		{ID: 110, Name: "day", Type: milvus.TypeDate, Nullable: true},
		{ID: 111, Name: "opens", Type: milvus.TypeTime, Nullable: true},
		{ID: 114, Name: "$meta", Type: milvus.TypeJSON, Dynamic: true},
	},
	StructArrays: []milvus.StructArray{{ID: 112, Name: "parts", Members: []milvus.Field{
		{ID: 113, Name: "size", Type: milvus.TypeArray, ElementType: milvus.TypeInt32},
	}}},
	EnableDynamic: true,
}

var (
	guideBlock = regexp.MustCompile("(?s)```filter\n(.*?)```")
	otherBlock = regexp.MustCompile("(?s)```.*?```")
	guideCode  = regexp.MustCompile("`([^`]*(?:==|!=|<=|>=|[<>]|is null|exists|contains)[^`]*)`")
)

// TestGuide parses every expression of the guide: each line of its filter blocks, and what it has in the running text.
func TestGuide(t *testing.T) {
	raw, err := os.ReadFile("../docs/guide/filter.md")
	if err != nil {
		t.Fatal(err)
	}
	guide := string(raw)
	blocks, inline := 0, 0
	for _, block := range guideBlock.FindAllStringSubmatch(guide, -1) {
		for line := range strings.Lines(block[1]) {
			blocks++
			if _, err := Parse(line, guideSchema); err != nil {
				t.Errorf("%s: %v", strings.TrimSpace(line), err)
			}
		}
	}
	for _, code := range guideCode.FindAllStringSubmatch(otherBlock.ReplaceAllString(guide, ""), -1) {
		expr := code[1]
		if !strings.Contains(expr, " ") && !strings.Contains(expr, "(") || expr == "is null" {
			continue // an operator by itself
		}
		inline++
		if _, err := Parse(expr, guideSchema); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
	}
	if blocks < 60 || inline < 15 {
		t.Errorf("found %d lines in blocks and %d expressions in the text", blocks, inline)
	}
}
