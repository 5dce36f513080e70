package reader

import (
	"strconv"

	"github.com/snapexport/snapexport/deltamerge"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// Properties of a collection that make rows expire (docs/format/binlog-v1.md 9.3).
const (
	propertyTTLSeconds = "collection.ttl.seconds"
	propertyTTLField   = "ttl_field"
)

// planRule settles the cut and the TTL.
func (s *Scan) planRule() error {
	s.rule.AsOf = s.snap.CreateTS
	if s.opts.AsOf != nil {
		s.rule.AsOf = *s.opts.AsOf
	}
	mode := s.opts.TTL
	if mode == "" {
		mode = TTLAsOfSnapshot
		if s.rule.AsOf == 0 {
			mode = TTLOff
		}
	}
	switch mode {
	case TTLOff:
		return nil
	case TTLAsOfSnapshot:
		if s.rule.AsOf == 0 {
			return fault.Missing("plan", "rows can't expire as of the snapshot: there is no cut").WithHint("use --ttl off or --ttl now")
		}
		s.rule.TTL.NowMilli = s.rule.AsOf.UnixMilli()
	case TTLNow:
		s.rule.TTL.NowMilli = s.opts.Now.UnixMilli()
	default:
		return fault.Unsupported("plan", "ttl mode %q", mode).WithHint("there are off, as-of-snapshot and now")
	}
	err := s.planTTL()
	if s.rule.TTL.MaxAgeMilli == 0 && s.rule.TTL.Field == 0 {
		s.rule.TTL = deltamerge.TTL{} // nothing expires, whatever the time
	}
	return err
}

// planTTL reads the collection's TTL from its properties.
func (s *Scan) planTTL() error {
	c := &s.snap.Collection
	if v, ok := c.Property(propertyTTLSeconds); ok {
		seconds, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return fault.Corrupt("plan", "property %s is %q, not a number", propertyTTLSeconds, v).WithHint("--ttl off ignores it")
		}
		// -1 and 0 mean that rows do not expire
		s.rule.TTL.MaxAgeMilli = max(0, min(seconds, 1<<50)) * 1000
	}
	name, ok := c.Property(propertyTTLField)
	if !ok || name == "" {
		return nil
	}
	for _, f := range c.Schema.Fields {
		if f.Name == name && f.Type == milvus.TypeTimestamptz {
			s.rule.TTL.Field = f.ID
			s.expiry = &f
			return nil
		}
	}
	return fault.Corrupt("plan", "property %s names %q, which is not a Timestamptz field", propertyTTLField, name).WithHint("--ttl off ignores it")
}

// expires reports whether a column decides about expiry.
func expires(r deltamerge.Rule) bool { return r.TTL.Field != 0 }
