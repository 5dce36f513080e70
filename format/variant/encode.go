package variant

import (
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/decimal"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	pqvariant "github.com/apache/arrow-go/v18/parquet/variant"
)

// Encode returns the two parts of the variant. Values with the same names of members have the same metadata.
func (v Value) Encode() (metadata, value []byte, err error) {
	var b pqvariant.Builder
	keys := v.names(nil)
	slices.Sort(keys)
	for _, key := range keys {
		b.AddKey(key)
	}
	if err := v.append(&b); err != nil {
		return nil, nil, err
	}
	out, err := b.Build()
	if err != nil {
		return nil, nil, err
	}
	return out.Metadata().Bytes(), out.Bytes(), nil
}

// names appends the names of all members, at every level.
func (v Value) names(out []string) []string {
	out = append(out, v.keys...)
	for _, e := range v.elems {
		out = e.names(out)
	}
	return out
}

func (v Value) append(b *pqvariant.Builder) error {
	switch v.kind {
	case kindFalse, kindTrue:
		return b.AppendBool(v.kind == kindTrue)
	case kindNumber:
		return v.number.append(b)
	case kindString:
		return b.AppendString(v.text)
	case kindArray:
		start, offsets := b.Offset(), make([]int, len(v.elems))
		for i, e := range v.elems {
			offsets[i] = b.NextElement(start)
			if err := e.append(b); err != nil {
				return err
			}
		}
		return b.FinishArray(start, offsets)
	case kindObject:
		start, fields := b.Offset(), make([]pqvariant.FieldEntry, len(v.elems))
		for i, e := range v.elems {
			fields[i] = b.NextField(start, v.keys[i])
			if err := e.append(b); err != nil {
				return err
			}
		}
		return b.FinishObject(start, fields)
	}
	return b.AppendNull()
}

func (n number) append(b *pqvariant.Builder) error {
	switch n.form {
	case integer:
		return b.AppendInt(n.i)
	case fixedPoint:
		return b.AppendDecimal16(n.scale, n.d)
	}
	return b.AppendFloat64(n.f)
}

// Decode reads a variant. Types that JSON does not have are values of their own, equal only to themselves.
func Decode(metadata, value []byte) (out Value, err error) {
	defer func() { // arrow-go trusts a few lengths
		if p := recover(); p != nil {
			out, err = Value{}, fmt.Errorf("not a variant: %v", p)
		}
	}()
	names, err := readNames(metadata)
	if err != nil {
		return Value{}, err
	}
	v, err := pqvariant.NewWithMetadata(names, value)
	if err != nil {
		return Value{}, err
	}
	return from(v, 0)
}

// readNames reads metadata. arrow-go does that too, but its position in the offsets is one byte, which wraps around with some
// hundred names: those it is given name by name.
func readNames(metadata []byte) (pqvariant.Metadata, error) {
	if len(metadata) == 0 || metadata[0]&0xf != 1 {
		return pqvariant.NewMetadata(metadata) // which says what is wrong
	}
	width := int(metadata[0]>>6) + 1
	n := offsetAt(metadata, 1, width)
	text := 1 + (n+2)*width
	if text <= math.MaxUint8 || text > len(metadata) {
		return pqvariant.NewMetadata(metadata)
	}
	var b pqvariant.Builder
	from := 0
	for i := range n {
		to := offsetAt(metadata, 1+(i+2)*width, width)
		if to < from || text+to > len(metadata) {
			return pqvariant.Metadata{}, fmt.Errorf("not a variant: name %d ends at %d", i, to)
		}
		if id := b.AddKey(string(metadata[text+from : text+to])); int(id) != i {
			return pqvariant.Metadata{}, fmt.Errorf("not a variant: names %d and %d are the same", id, i)
		}
		from = to
	}
	v, err := b.Build()
	return v.Metadata(), err
}

// offsetAt reads a little-endian number of 1 to 4 bytes.
func offsetAt(b []byte, at, width int) (n int) {
	for i := range width {
		n |= int(b[at+i]) << (8 * i)
	}
	return n
}

func from(v pqvariant.Value, depth int) (out Value, err error) {
	if depth > MaxDepth {
		return out, ErrDeep
	}
	switch x := v.Value().(type) {
	case nil:
		return Value{}, nil
	case bool:
		if x {
			return Value{kind: kindTrue}, nil
		}
		return Value{kind: kindFalse}, nil
	case int8:
		return fromInt(int64(x)), nil
	case int16:
		return fromInt(int64(x)), nil
	case int32:
		return fromInt(int64(x)), nil
	case int64:
		return fromInt(x), nil
	case string:
		return Value{kind: kindString, text: x}, nil
	case pqvariant.ArrayValue:
		out.kind = kindArray
		for e := range x.Values() {
			elem, err := from(e, depth+1)
			if err != nil {
				return out, err
			}
			out.elems = append(out.elems, elem)
		}
		return out, nil
	case pqvariant.ObjectValue:
		return fromObject(x, depth)
	}
	if n, ok := fromFraction(v.Value()); ok {
		return Value{kind: kindNumber, number: n}, nil
	}
	return Value{kind: kindOther, text: fmt.Sprintf("%v %x", v.Type(), v.Bytes())}, nil
}

func fromInt(i int64) Value { return Value{kind: kindNumber, number: number{form: integer, i: i}} }

func fromObject(x pqvariant.ObjectValue, depth int) (out Value, err error) {
	out.kind = kindObject
	for key, e := range x.Values() {
		elem, err := from(e, depth+1)
		if err != nil {
			return out, err
		}
		out.keys, out.elems = append(out.keys, key), append(out.elems, elem)
	}
	out.order()
	return out, nil
}

// fromFraction takes decimals, and floats that are numbers.
func fromFraction(v any) (number, bool) {
	switch x := v.(type) {
	case float32:
		return number{form: double, f: float64(x)}, !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0)
	case float64:
		return number{form: double, f: x}, !math.IsNaN(x) && !math.IsInf(x, 0)
	case pqvariant.DecimalValue[decimal.Decimal32]:
		return fromDecimal(big.NewInt(int64(x.Value.(decimal.Decimal32))), x.Scale), true
	case pqvariant.DecimalValue[decimal.Decimal64]:
		return fromDecimal(big.NewInt(int64(x.Value.(decimal.Decimal64))), x.Scale), true
	case pqvariant.DecimalValue[decimal.Decimal128]:
		return fromDecimal(x.Value.(decimal.Decimal128).BigInt(), x.Scale), true
	}
	return number{}, false
}

func fromDecimal(unscaled *big.Int, scale uint8) number {
	return number{form: fixedPoint, d: decimal128.FromBigInt(unscaled), scale: scale}
}
