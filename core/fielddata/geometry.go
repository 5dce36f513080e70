package fielddata

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"
	"github.com/twpayne/go-geom/encoding/wkbcommon"

	"github.com/snapexport/snapexport/core/status"
)

// emptyPoint is how Milvus writes POINT EMPTY, for which WKB has no form of its own.
var emptyPoint = wkbcommon.WKBOptionEmptyPointHandling(wkbcommon.EmptyPointHandlingNaN)

// geometry decodes WKT or WKB; what is kept is little-endian WKB.
func (c *column) geometry() (arrow.Array, error) {
	var values [][]byte
	if texts, ok := c.scalars.GetData().(*schemapb.ScalarField_GeometryWktData); ok {
		values = make([][]byte, len(texts.GeometryWktData.GetData()))
		for i, s := range texts.GeometryWktData.GetData() {
			if s == "" && len(values) == c.rows.n && !c.rows.valid(i) {
				continue
			}
			var err error
			if values[i], err = ParseGeometry(s); err != nil {
				return nil, status.Invalid("field %s, row number: %d: %v", c.field.Name, i, err)
			}
		}
	} else {
		sent := c.scalars.GetGeometryData().GetData()
		values = make([][]byte, len(sent))
		for i, v := range sent {
			if len(v) == 0 && len(values) == c.rows.n && !c.rows.valid(i) {
				continue
			}
			var err error
			if values[i], err = littleEndian(v); err != nil {
				return nil, status.Invalid("field %s, row number: %d: the value is no WKB: %v", c.field.Name, i, err)
			}
		}
	}
	all, err := spread(c, values)
	if err != nil {
		return nil, err
	}
	return text(c, all)
}
