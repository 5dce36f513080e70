package form

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/milvus"
)

type nodeKind uint8

const (
	dense nodeKind = iota
	holed
	pairs
	documents
	lists
	structs
)

// node converts the values of a column, or of what is nested in one.
type node struct {
	kind    nodeKind
	to      arrow.DataType
	field   milvus.Field // of vectors
	elem    *node        // of lists
	members []*node      // of structs; nil for those that stay
}

// values returns the node of a field's values of a canonical type, nil if they stay as they are.
func (p planner) values(f milvus.Field, t arrow.DataType) *node {
	switch t := t.(type) {
	case *arrow.FixedSizeListType:
		if p.opts.Vectors == VectorsBinary {
			return &node{kind: dense, field: vectorOf(f), to: cell.StoredType(vectorOf(f))}
		}
	case *arrow.MapType:
		if p.opts.Sparse == SparseStruct {
			return &node{kind: pairs, to: pairsType}
		}
	case *arrow.StringType:
		if p.opts.JSON == JSONVariant && f.Type == milvus.TypeJSON {
			return &node{kind: documents, to: extensions.NewDefaultVariantType()}
		}
	case *arrow.ListType:
		if n := p.values(vectorOf(f), t.Elem()); n != nil && f.Type == milvus.TypeArrayOfVector {
			elem := t.ElemField()
			elem.Type = n.to
			return &node{kind: lists, to: arrow.ListOfField(elem), elem: n}
		}
	}
	return nil
}

// withHoles returns the node of vectors that may be NULL, as lists of a fixed size. In Arrow a NULL one has elements all the
// same, which are NULL, too: pyarrow can't cast the column if they are declared not to be.
func withHoles(t *arrow.FixedSizeListType) *node {
	elem := t.ElemField()
	elem.Nullable = true
	return &node{kind: holed, to: arrow.FixedSizeListOfField(t.Len(), elem)}
}

func (n *node) convert(a arrow.Array) (arrow.Array, error) {
	switch n.kind {
	case dense:
		return cell.Stored(n.field, a)
	case holed:
		d := a.Data()
		return array.MakeFromData(array.NewData(n.to, d.Len(), d.Buffers(), d.Children(), d.NullN(), d.Offset())), nil
	case pairs:
		return toPairs(a.(*array.Map)), nil
	case documents:
		return toVariants(a.(*array.String))
	case lists:
		elements, err := n.elem.convert(a.(*array.List).ListValues())
		if err != nil {
			return nil, err
		}
		return withElements(a, n.to, elements), nil
	}
	return n.structs(a.(*array.Struct))
}

func (n *node) structs(a *array.Struct) (arrow.Array, error) {
	members := make([]arrow.ArrayData, len(n.members))
	for i, m := range n.members {
		field := a.Field(i)
		if m != nil {
			var err error
			if field, err = m.convert(field); err != nil {
				return nil, err
			}
		}
		members[i] = field.Data()
	}
	return withMembers(a, n.to, members), nil
}

// withElements returns the list with other elements, in the same places.
func withElements(list arrow.Array, t arrow.DataType, elements arrow.Array) arrow.Array {
	d := list.Data()
	return array.MakeFromData(array.NewData(t, d.Len(), d.Buffers(), []arrow.ArrayData{elements.Data()}, d.NullN(), d.Offset()))
}

// withMembers returns a struct with the NULLs of a and the members given.
func withMembers(a arrow.Array, t arrow.DataType, members []arrow.ArrayData) arrow.Array {
	return array.MakeFromData(array.NewData(t, a.Len(), []*memory.Buffer{validity(a)}, members, a.NullN(), 0))
}

// validity returns the array's validity bits from bit 0, nil if nothing is NULL.
func validity(a arrow.Array) *memory.Buffer {
	if a.NullN() == 0 {
		return nil
	}
	bits := make([]byte, bitutil.BytesForBits(int64(a.Len())))
	bitutil.CopyBitmap(a.NullBitmapBytes(), a.Data().Offset(), a.Len(), bits, 0)
	return memory.NewBufferBytes(bits)
}
