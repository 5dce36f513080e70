package pages

import (
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go/format"
)

// Physical is how values of a leaf are stored.
type Physical int32

// The physical types, numbered as in Parquet.
const (
	Boolean           = Physical(format.Boolean)
	Int32             = Physical(format.Int32)
	Int64             = Physical(format.Int64)
	Int96             = Physical(format.Int96) // not read
	Float             = Physical(format.Float)
	Double            = Physical(format.Double)
	ByteArray         = Physical(format.ByteArray)
	FixedLenByteArray = Physical(format.FixedLenByteArray)
)

// String returns Parquet's name of the type.
func (p Physical) String() string { return format.Type(p).String() }

// LogicalKind is what the file says its values mean. Milvus's own readers ignore it, and so may callers.
type LogicalKind int

// The logical types that are told apart; anything else is LogicalNone.
const (
	LogicalNone LogicalKind = iota
	LogicalString
	LogicalJSON
	LogicalInt
	LogicalDate
	LogicalTime
	LogicalTimestamp
)

// Logical is the annotation of a leaf. Bits and Signed belong to LogicalInt.
type Logical struct {
	Kind   LogicalKind
	Bits   int
	Signed bool
}

// Column is one leaf.
type Column struct {
	Path            []string // from below the root to the leaf
	Name            string   // Path[0]; V2 uses field names, V3 decimal field ids, packed delta logs empty names
	FieldID         int32    // of the top-level field, -1 if none
	Physical        Physical
	TypeLength      int // bytes of a FixedLenByteArray value, else 0
	Optional        bool
	List            bool // a three-level LIST; Physical, TypeLength and Logical are then those of its elements
	ElementOptional bool // of a List
	MaxDef, MaxRep  int
	Logical         Logical

	odd string // why the column can't be read, "" if it can
}

// width returns the bytes of a fixed-width value in Arrow, 0 for Boolean and ByteArray.
func (c *Column) width() int {
	switch c.Physical {
	case Int32, Float:
		return 4
	case Int64, Double:
		return 8
	case FixedLenByteArray:
		return c.TypeLength
	}
	return 0
}

// in names the column and a row group, for errors.
func (c *Column) in(group int) string {
	return fmt.Sprintf("column %q, row group %d", c.Name, group)
}

const (
	required = int32(format.Required)
	optional = int32(format.Optional)
	repeated = int32(format.Repeated)
)

// schemaWalk turns the depth-first list of schema elements into leaves.
type schemaWalk struct {
	elements []schemaElement
	next     int
	leaves   []Column
}

func columnsOf(elements []schemaElement) ([]Column, error) {
	if len(elements) == 0 {
		return nil, fmt.Errorf("the schema is empty")
	}
	w := schemaWalk{elements: elements, next: 1}
	if err := w.children(elements[0].Children.V, nil); err != nil {
		return nil, err
	}
	if w.next != len(elements) {
		return nil, fmt.Errorf("%d schema elements belong to no group", len(elements)-w.next)
	}
	return w.leaves, nil
}

func (w *schemaWalk) children(n int32, path []*schemaElement) error {
	if n < 0 || int(n) > len(w.elements)-w.next {
		return fmt.Errorf("a group of %d fields, %d schema elements are left", n, len(w.elements)-w.next)
	}
	if len(path) > maxSchemaDepth {
		return fmt.Errorf("the schema is nested more than %d deep", maxSchemaDepth)
	}
	for range n {
		if w.next >= len(w.elements) {
			return fmt.Errorf("the schema ends inside a group")
		}
		e := &w.elements[w.next]
		w.next++
		if r := e.Repetition; r.Valid && (r.V < required || r.V > repeated) {
			return fmt.Errorf("field %q has repetition %d", e.Name, r.V)
		}
		here := append(slices.Clip(path), e)
		if !e.Type.Valid {
			if err := w.children(e.Children.V, here); err != nil {
				return err
			}
			continue
		}
		if e.Children.V != 0 {
			return fmt.Errorf("field %q is both a group and a leaf", e.Name)
		}
		c, err := leaf(here)
		if err != nil {
			return err
		}
		w.leaves = append(w.leaves, c)
	}
	return nil
}

func leaf(path []*schemaElement) (Column, error) {
	top, e := path[0], path[len(path)-1]
	c := Column{Name: top.Name, FieldID: -1, Physical: Physical(e.Type.V), Logical: logicalOf(e), Optional: top.Repetition.V == optional}
	if top.FieldID.Valid {
		c.FieldID = top.FieldID.V
	}
	for _, p := range path {
		c.Path = append(c.Path, p.Name)
		switch p.Repetition.V {
		case optional:
			c.MaxDef++
		case repeated:
			c.MaxDef++
			c.MaxRep++
		}
	}
	if c.Physical < Boolean || c.Physical > FixedLenByteArray {
		return c, fmt.Errorf("field %q has physical type %d", top.Name, c.Physical)
	}
	if c.Physical == FixedLenByteArray {
		c.TypeLength = int(e.TypeLength.V)
		if c.TypeLength <= 0 || c.TypeLength > maxTypeLength {
			return c, fmt.Errorf("field %q has values of %d bytes", top.Name, c.TypeLength)
		}
	}
	c.List = isList(path)
	c.ElementOptional = c.List && e.Repetition.V == optional
	switch {
	case c.Physical == Int96:
		c.odd = "INT96"
	case len(path) == 1 && c.MaxRep == 0:
	case !c.List:
		c.odd = "nested fields other than one-level lists"
	case c.Physical == Boolean || c.Physical == ByteArray:
		c.odd = "lists of " + c.Physical.String()
	}
	return c, nil
}

// isList reports whether the path is that of <list> (LIST) { repeated group { element } }.
func isList(path []*schemaElement) bool {
	if len(path) != 3 {
		return false
	}
	top, mid, e := path[0], path[1], path[2]
	annotated := top.Logical.List.Valid || top.Converted.Valid && top.Converted.V == 3
	return annotated && top.Repetition.V != repeated && mid.Repetition.V == repeated && mid.Children.V == 1 &&
		top.Children.V == 1 && e.Repetition.V != repeated
}

func logicalOf(e *schemaElement) Logical {
	l := &e.Logical
	switch {
	case l.String.Valid:
		return Logical{Kind: LogicalString}
	case l.JSON.Valid:
		return Logical{Kind: LogicalJSON}
	case l.Integer.Valid:
		return Logical{Kind: LogicalInt, Bits: int(l.Integer.V.Bits), Signed: l.Integer.V.Signed}
	case l.Date.Valid:
		return Logical{Kind: LogicalDate}
	case l.Time.Valid:
		return Logical{Kind: LogicalTime}
	case l.Timestamp.Valid:
		return Logical{Kind: LogicalTimestamp}
	}
	if !e.Converted.Valid {
		return Logical{}
	}
	switch c := e.Converted.V; c {
	case 0:
		return Logical{Kind: LogicalString}
	case 6:
		return Logical{Kind: LogicalDate}
	case 7, 8:
		return Logical{Kind: LogicalTime}
	case 9, 10:
		return Logical{Kind: LogicalTimestamp}
	case 11, 12, 13, 14:
		return Logical{Kind: LogicalInt, Bits: 8 << (c - 11)}
	case 15, 16, 17, 18:
		return Logical{Kind: LogicalInt, Bits: 8 << (c - 15), Signed: true}
	case 19:
		return Logical{Kind: LogicalJSON}
	}
	return Logical{}
}
