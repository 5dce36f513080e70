package form

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/variant"
)

// binaries collects values of one binary array.
type binaries struct {
	offsets []int32
	data    []byte
}

func (b *binaries) append(v []byte) {
	b.data = append(b.data, v...)
	b.offsets = append(b.offsets, int32(len(b.data)))
}

func (b *binaries) array() arrow.ArrayData {
	buffers := []*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(b.offsets)), memory.NewBufferBytes(b.data)}
	return array.NewData(arrow.BinaryTypes.Binary, len(b.offsets)-1, buffers, nil, 0, 0)
}

// toVariants parses each text. Which texts have a variant was checked when they were read (cell.Options.CheckVariant), where a
// policy for bad rows applies; here one that has none is ErrCorrupt.
func toVariants(texts *array.String) (arrow.Array, error) {
	metadata, values := binaries{offsets: make([]int32, 1, texts.Len()+1)}, binaries{offsets: make([]int32, 1, texts.Len()+1)}
	for i := range texts.Len() {
		var m, v []byte // nothing behind NULL
		if texts.IsValid(i) {
			doc, err := variant.Parse([]byte(texts.Value(i)))
			if err == nil {
				m, v, err = doc.Encode()
			}
			if err != nil {
				return nil, fault.Corrupt("write variant", "row %d of a batch: %w", i, err)
			}
		}
		if len(metadata.data)+len(m) > math.MaxInt32 || len(values.data)+len(v) > math.MaxInt32 {
			return nil, fault.Limit("write variant", "one batch has more than %d bytes of JSON in one column", math.MaxInt32)
		}
		metadata.append(m)
		values.append(v)
	}
	t := extensions.NewDefaultVariantType()
	return array.NewExtensionArrayWithStorage(t, withMembers(texts, t.StorageType(), []arrow.ArrayData{metadata.array(), values.array()})), nil
}
