package fielddata

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"

	"github.com/snapexport/snapexport/core/status"
)

// The ISO 8601 forms of a point in time, with an offset and without.
var (
	zonedForms = []string{"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04Z07:00"}
	localForms = []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02"}
)

// ParseMoment returns microseconds since 1970; text without an offset is in the zone.
func ParseMoment(text string, zone *time.Location) (int64, error) {
	for _, form := range zonedForms {
		if t, err := time.Parse(form, text); err == nil {
			return t.UnixMicro(), nil
		}
	}
	for _, form := range localForms {
		if t, err := time.ParseInLocation(form, text, zone); err == nil {
			return t.UnixMicro(), nil
		}
	}
	return 0, status.Invalid("got invalid timestamptz string: '%s'", text)
}

// FormatMoment returns ISO 8601 text in the zone.
func FormatMoment(micros int64, zone *time.Location) string {
	return time.UnixMicro(micros).In(zone).Format(time.RFC3339Nano)
}

// moments decodes Timestamptz: ISO 8601 text, or microseconds.
func (c *column) moments() (arrow.Array, error) {
	if texts, ok := c.scalars.GetData().(*schemapb.ScalarField_StringData); ok {
		micros := make([]int64, len(texts.StringData.GetData()))
		for i, s := range texts.StringData.GetData() {
			if s == "" && len(micros) == c.rows.n && !c.rows.valid(i) {
				continue
			}
			var err error
			if micros[i], err = ParseMoment(s, c.opts.zone()); err != nil {
				return nil, status.Invalid("field %s, row number: %d: %v", c.field.Name, i, err)
			}
		}
		return fixed(c, micros, arrow.Int64Traits.CastToBytes)
	}
	micros := c.scalars.GetTimestamptzData().GetData()
	if older := c.scalars.GetLongData(); older != nil {
		micros = older.GetData()
	}
	return fixed(c, micros, arrow.Int64Traits.CastToBytes)
}
