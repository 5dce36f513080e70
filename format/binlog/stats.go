package binlog

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

const opStats = "decode statistics"

// maxFilterHashes bounds the work per key of a filter that was read.
const maxFilterHashes = 1024

// Stats is what a statistics file says of the primary keys of one flush (docs/format/binlog-v1.md 11).
type Stats struct {
	Field    milvus.FieldID
	PKType   milvus.DataType // Int64 or VarChar
	Min, Max Key             // int64 or string by PKType
	Filter   *Filter
}

// statsJSON has the keys in the order in which Milvus writes them.
type statsJSON struct {
	FieldID int64           `json:"fieldID"`
	Max     int64           `json:"max"`
	Min     int64           `json:"min"`
	BFType  FilterKind      `json:"bfType,omitempty"`
	BF      json.RawMessage `json:"bf"`
	PKType  int64           `json:"pkType"`
	MaxPK   json.RawMessage `json:"maxPk,omitempty"`
	MinPK   json.RawMessage `json:"minPk,omitempty"`
}

type basicJSON struct {
	M uint64 `json:"m"`
	K int    `json:"k"`
	B string `json:"b"`
}

type blockedJSON struct {
	K int      `json:"k"`
	B []string `json:"b"`
}

// CompoundLogID is the log id of the file that replaces a segment's other statistics when it is sealed: a JSON array.
const CompoundLogID milvus.LogID = 1

// ReadStats decodes a statistics file: one object, or the array of a compound file.
func ReadStats(b []byte) ([]Stats, error) {
	if len(b) > MaxStats {
		return nil, fault.Limit(opStats, "%d bytes, limit %d", len(b), MaxStats)
	}
	if !utf8.Valid(b) {
		return nil, fault.Corrupt(opStats, "not UTF-8 text")
	}
	if err := checkJSON(b, MaxExtrasDepth); err != nil {
		return nil, err
	}
	text := bytes.TrimLeft(b, " \t\r\n")
	compound := len(text) > 0 && text[0] == '['
	dec := json.NewDecoder(bytes.NewReader(text))
	if compound {
		dec.Token() // the bracket
	}
	var out []Stats
	for dec.More() {
		if len(out) == MaxStatsEntries {
			return nil, fault.Limit(opStats, "more than %d objects", MaxStatsEntries)
		}
		var j *statsJSON
		if err := dec.Decode(&j); err != nil {
			return nil, fault.Corrupt(opStats, "object %d: %w", len(out), err).At(dec.InputOffset())
		}
		if j == nil {
			return nil, fault.Corrupt(opStats, "object %d is null", len(out)).At(dec.InputOffset())
		}
		s, err := j.decode()
		if err != nil {
			return nil, at(err, dec.InputOffset())
		}
		if out = append(out, s); !compound {
			break
		}
	}
	if compound {
		if t, err := dec.Token(); err != nil || t != json.Delim(']') {
			return nil, fault.Corrupt(opStats, "the array does not end").At(dec.InputOffset())
		}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) || len(out) == 0 && !compound {
		return nil, fault.Corrupt(opStats, "want one JSON object or one array of them").At(dec.InputOffset())
	}
	return out, nil
}

func (j *statsJSON) decode() (Stats, error) {
	s := Stats{Field: milvus.FieldID(j.FieldID), PKType: milvus.DataType(j.PKType)}
	if j.PKType == 0 {
		s.PKType = milvus.TypeInt64 // the oldest releases had no other
	}
	var err error
	switch {
	case s.PKType != milvus.TypeInt64 && s.PKType != milvus.TypeVarChar:
		return s, fault.Corrupt(opStats, "primary key of type %v", s.PKType)
	case s.PKType == milvus.TypeInt64 && (len(j.MinPK) == 0 || len(j.MaxPK) == 0):
		s.Min, s.Max = j.Min, j.Max
	default:
		if s.Min, err = decodeKey(s.PKType, j.MinPK); err == nil {
			s.Max, err = decodeKey(s.PKType, j.MaxPK)
		}
		if err != nil {
			return s, err
		}
	}
	s.Filter, err = decodeFilter(j.BFType, j.BF)
	return s, err
}

func decodeKey(t milvus.DataType, raw json.RawMessage) (Key, error) {
	if t == milvus.TypeInt64 {
		v, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			return nil, fault.Corrupt(opStats, "Int64 key %.40q", raw)
		}
		return v, nil
	}
	var v *string
	if err := json.Unmarshal(raw, &v); err != nil || v == nil {
		return nil, fault.Corrupt(opStats, "VarChar key %.40q", raw)
	}
	return *v, nil
}

func decodeFilter(kind FilterKind, raw json.RawMessage) (*Filter, error) {
	f := &Filter{Kind: kind}
	switch kind {
	case FilterUnsupported, FilterAlwaysTrue:
		return f, nil
	case FilterUndeclared, FilterBasic:
		return f, f.decodeBasic(raw)
	case FilterBlocked:
		return f, f.decodeBlocked(raw)
	}
	return nil, fault.Unsupported(opStats, "bloom filter of type %d", int(kind))
}

func (f *Filter) decodeBasic(raw json.RawMessage) error {
	var j basicJSON
	if err := json.Unmarshal(raw, &j); err != nil {
		return fault.Corrupt(opStats, "bloom filter: %w", err)
	}
	b, err := base64.URLEncoding.DecodeString(j.B)
	if err != nil {
		return fault.Corrupt(opStats, "bits of the bloom filter: %w", err)
	}
	if len(b) < 8 || len(b)%8 != 0 {
		return fault.Corrupt(opStats, "bloom filter of %d bytes", len(b))
	}
	f.bits, f.k = binary.BigEndian.Uint64(b), j.K
	if b = b[8:]; f.bits != j.M || f.bits == 0 || f.bits > uint64(len(b))*8 || uint64(len(b)/8) != (f.bits+63)/64 {
		return fault.Corrupt(opStats, "bloom filter declares %d bits, has %d in %d bytes", j.M, f.bits, len(b))
	}
	if f.k < 1 || f.k > maxFilterHashes {
		return fault.Corrupt(opStats, "bloom filter with %d hashes", f.k)
	}
	f.words = make([]uint64, len(b)/8)
	for i := range f.words {
		f.words[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return nil
}

func (f *Filter) decodeBlocked(raw json.RawMessage) error {
	var j blockedJSON
	if err := json.Unmarshal(raw, &j); err != nil {
		return fault.Corrupt(opStats, "bloom filter: %w", err)
	}
	if j.K < 2 || j.K > maxFilterHashes || len(j.B) == 0 {
		return fault.Corrupt(opStats, "blocked bloom filter with %d hashes and %d blocks", j.K, len(j.B))
	}
	f.k, f.block = j.K, make([][16]uint32, len(j.B))
	for i, text := range j.B {
		b, err := base64.URLEncoding.DecodeString(text)
		if err != nil || len(b) != 64 {
			return fault.Corrupt(opStats, "block %d of the bloom filter has %d bytes, want 64", i, len(b))
		}
		for w := range f.block[i] {
			f.block[i][w] = le.Uint32(b[4*w:])
		}
	}
	return nil
}

func (f *Filter) encode() (json.RawMessage, error) {
	switch f.Kind {
	case FilterUndeclared, FilterBasic:
		b := binary.BigEndian.AppendUint64(nil, f.bits)
		for _, w := range f.words {
			b = binary.BigEndian.AppendUint64(b, w)
		}
		return json.Marshal(basicJSON{M: f.bits, K: f.k, B: base64.URLEncoding.EncodeToString(b)})
	case FilterBlocked:
		j := blockedJSON{K: f.k, B: make([]string, len(f.block))}
		for i := range f.block {
			var b []byte
			for _, w := range f.block[i] {
				b = le.AppendUint32(b, w)
			}
			j.B[i] = base64.URLEncoding.EncodeToString(b)
		}
		return json.Marshal(j)
	}
	return json.RawMessage("{}"), nil
}

func (s Stats) encode() (json.RawMessage, error) {
	if keyType(s.Min) != s.PKType || keyType(s.Max) != s.PKType || s.Filter == nil {
		return nil, fault.Corrupt(opStats, "statistics of a %v key need a minimum, a maximum and a filter", s.PKType)
	}
	j := statsJSON{FieldID: int64(s.Field), PKType: int64(s.PKType), BFType: s.Filter.Kind}
	var err error
	if j.BF, err = s.Filter.encode(); err != nil {
		return nil, err
	}
	if j.MinPK, err = json.Marshal(s.Min); err != nil {
		return nil, err
	}
	if j.MaxPK, err = json.Marshal(s.Max); err != nil {
		return nil, err
	}
	return json.Marshal(j)
}

// EncodeStats returns the file of one flush.
func EncodeStats(s Stats) ([]byte, error) { return s.encode() }

// EncodeCompoundStats returns the array file that Milvus writes, as [CompoundLogID], when a segment is sealed.
func EncodeCompoundStats(all []Stats) ([]byte, error) {
	parts := make([]json.RawMessage, len(all))
	for i, s := range all {
		var err error
		if parts[i], err = s.encode(); err != nil {
			return nil, err
		}
	}
	return json.Marshal(parts)
}
