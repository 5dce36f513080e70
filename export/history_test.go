package export_test

import (
	"fmt"
	"hash/fnv"

	"github.com/snapexport/snapexport/milvus"
)

const (
	partitions = 2
	channels   = 2
	startMilli = 1_700_000_000_000
)

// The last two are not in files of V2 and V3.
var scalarTypes = []milvus.DataType{
	milvus.TypeBool, milvus.TypeInt8, milvus.TypeInt16, milvus.TypeInt32, milvus.TypeInt64, milvus.TypeFloat, milvus.TypeDouble,
	milvus.TypeVarChar, milvus.TypeText, milvus.TypeJSON, milvus.TypeGeometry, milvus.TypeTimestamptz, milvus.TypeDate, milvus.TypeTime,
}

var vectorTypes = []milvus.DataType{
	milvus.TypeFloatVector, milvus.TypeFloat16Vector, milvus.TypeBFloat16Vector, milvus.TypeInt8Vector, milvus.TypeBinaryVector, milvus.TypeSparseVector,
}

var elementTypes = []milvus.DataType{
	milvus.TypeBool, milvus.TypeInt8, milvus.TypeInt16, milvus.TypeInt32, milvus.TypeInt64, milvus.TypeFloat, milvus.TypeDouble,
	milvus.TypeVarChar, milvus.TypeTimestamptz, milvus.TypeDate, milvus.TypeTime,
}

// newHistory invents a collection: a schema, and what happened to it.
func newHistory(r random) *history {
	h := &history{added: map[milvus.FieldID]uint64{}, groups: []group{{}, {}, {}}, times: r.IntN(6) == 0, scale: 1}
	if r.IntN(3) == 0 {
		h.scale = 8
	}
	h.inventSchema(r)
	clock := uint64(startMilli) << 18
	tick := func() uint64 {
		if r.IntN(3) == 0 {
			clock++
		} else {
			clock += uint64(1+r.IntN(2000)) << 18
		}
		return clock
	}
	var times []uint64
	late := h.later()
	for step := range 12 + r.IntN(20) {
		if len(late) > 0 && step > 4 && r.IntN(3) == 0 {
			h.arrive(late[0], tick())
			late = late[1:]
		}
		times = append(times, h.happen(r, tick()))
	}
	for _, id := range late {
		h.arrive(id, tick())
	}
	if r.IntN(3) > 0 {
		h.groups[1].commit = times[len(times)/2+r.IntN(len(times)/2)]
		h.groups[2].applyStart = times[r.IntN(len(times))]
	}
	h.settle(r, times)
	return h
}

// later returns the fields and struct arrays that come after the beginning: inventSchema marks them with time 0.
func (h *history) later() (out []milvus.FieldID) {
	for _, f := range h.schema.UserFields() {
		if _, ok := h.added[f.ID]; ok {
			out = append(out, f.ID)
		}
	}
	for _, a := range h.schema.StructArrays {
		if _, ok := h.added[a.ID]; ok {
			out = append(out, a.ID)
		}
	}
	return out
}

// arrive says when a field came, or a struct array with all its members.
func (h *history) arrive(id milvus.FieldID, ts uint64) {
	h.added[id] = ts
	for _, a := range h.schema.StructArrays {
		for _, m := range a.Members {
			if a.ID == id {
				h.added[m.ID] = ts
			}
		}
	}
}

// settle decides about the cut and what expires, and gives rows that are older than a field their value of it.
func (h *history) settle(r random, times []uint64) {
	h.cut = times[len(times)*2/3+r.IntN(len(times)/3)]
	if r.IntN(4) == 0 {
		h.cut += 5000 << 18
	}
	if r.coin() {
		// the age of some row exactly, so that it expires and the next does not
		if age := int64(h.cut>>18) - int64(h.rows[0].ts>>18); age > 0 {
			h.ttl = age / 1000
		}
	}
	for i := range h.rows {
		for _, f := range h.all() {
			if at, ok := h.added[f.ID]; ok && h.rows[i].ts < at {
				h.rows[i].cells[f.ID] = defaultOf(f)
			}
		}
		if h.expiry != 0 && r.IntN(3) == 0 {
			now := int64(h.cut>>18) * 1000
			h.rows[i].cells[h.expiry] = []any{now, now + 1, now - 1, int64(0), int64(-1)}[r.IntN(5)]
		}
	}
}

// defaultOf spells a default as a cell.
func defaultOf(f milvus.Field) any {
	switch v := f.Default.(type) {
	case int32:
		return int64(v)
	case []byte:
		if f.Type != milvus.TypeGeometry {
			return string(v)
		}
	}
	return f.Default
}

// happen adds an insert, a delete or an upsert.
func (h *history) happen(r random, ts uint64) uint64 {
	what := r.IntN(5)
	partition := r.IntN(partitions)
	for range 1 + r.IntN(6*h.scale) {
		key := h.key(r)
		if what >= 3 {
			d := deletion{key, ts, partition}
			if r.IntN(3) == 0 {
				d.partition = -1
			}
			h.deletes = append(h.deletes, d)
		}
		if what <= 3 {
			h.rows = append(h.rows, h.row(r, key, ts, partition))
		}
	}
	return ts
}

// key returns one of few keys, so that they meet again.
func (h *history) key(r random) any {
	n := r.Int64N(24 * int64(h.scale))
	pk, _ := h.schema.PrimaryKey()
	if pk.Type == milvus.TypeInt64 {
		return []int64{n, -n, n << 55}[n%3]
	}
	return []string{fmt.Sprint("key ", n), fmt.Sprint("<", n, "\",>"), fmt.Sprint(n)}[n%3]
}

func (h *history) row(r random, key any, ts uint64, partition int) row {
	out := row{key: key, ts: ts, partition: partition, cells: map[milvus.FieldID]any{}}
	if r.IntN(5) == 0 {
		out.group = 1 + r.IntN(2)
	}
	for _, f := range h.schema.UserFields() {
		if out.cells[f.ID] = r.value(f); f.PrimaryKey {
			out.cells[f.ID] = key
		}
	}
	for _, a := range h.schema.StructArrays {
		n, null := r.IntN(4), a.Nullable && r.IntN(3) == 0
		for _, m := range a.Members {
			if out.cells[m.ID] = nil; !null {
				out.cells[m.ID] = r.list(n, milvus.Field{Type: m.ElementType, Dim: m.Dim, Nullable: m.ElementNullable})
			}
		}
	}
	out.cells[h.dropped.ID] = int64(7)
	return out
}

// channelOf says which shard a key belongs to.
func channelOf(key any) int {
	f := fnv.New32a()
	fmt.Fprint(f, key)
	return int(f.Sum32()>>3) % channels
}

// inventSchema gives the collection a key, each kind of field now and then, and fields that come later.
func (h *history) inventSchema(r random) {
	s := &h.schema
	s.Name = "property"
	next := milvus.FieldID(100)
	add := func(f milvus.Field, late bool) {
		f.ID = next
		next++
		if f.Name == "" {
			f.Name = fmt.Sprintf("f%d", f.ID)
		}
		if late {
			h.added[f.ID] = 0
		}
		s.Fields = append(s.Fields, f)
	}
	pk := milvus.Field{Name: "id", Type: milvus.TypeInt64, PrimaryKey: true}
	if r.coin() {
		pk.Type, pk.MaxLength = milvus.TypeVarChar, 64
	}
	add(pk, false)
	for range 2 + r.IntN(5) {
		add(r.field(h, false), false)
	}
	h.dropped = milvus.Field{ID: next, Name: "dropped", Type: milvus.TypeInt32}
	next++
	if r.coin() {
		h.inventStruct(r, &next)
	}
	if r.coin() {
		add(milvus.Field{Name: "$meta", Type: milvus.TypeJSON, Dynamic: true, Nullable: true, Default: []byte("{}")}, r.coin())
		s.EnableDynamic = true
	}
	for range r.IntN(4) {
		add(r.field(h, true), true)
	}
	if r.IntN(3) == 0 {
		h.expiry = next
		add(milvus.Field{Name: "expires", Type: milvus.TypeTimestamptz, Nullable: true}, false)
	}
}

func (h *history) inventStruct(r random, next *milvus.FieldID) {
	late := r.coin()
	a := milvus.StructArray{ID: *next, Name: "things", Nullable: late || r.coin()}
	*next++
	for range 1 + r.IntN(3) {
		m := milvus.Field{ID: *next, Name: fmt.Sprintf("m%d", *next), Type: milvus.TypeArray, ElementType: elementTypes[r.IntN(len(elementTypes))], Nullable: a.Nullable}
		if r.IntN(3) == 0 {
			m.Type, m.ElementType, m.Dim = milvus.TypeArrayOfVector, vectorTypes[r.IntN(5)], 8
		}
		a.Members = append(a.Members, m)
		*next++
	}
	if late {
		h.added[a.ID] = 0
	}
	h.schema.StructArrays = append(h.schema.StructArrays, a)
}

// field invents a field. One that comes late is nullable or has a default, or both; most are scalars, which may have one.
func (r random) field(h *history, late bool) milvus.Field {
	f := milvus.Field{Nullable: r.coin(), MaxLength: 1000, MaxCapacity: 10}
	kinds := 3
	if late {
		kinds = 5
	}
	switch r.IntN(kinds) {
	case 0:
		f.Type, f.Dim = vectorTypes[r.IntN(len(vectorTypes))], 8*(1+r.IntN(3))
		f.Nullable = f.Nullable || late
		return f
	case 1:
		f.Type, f.ElementType, f.ElementNullable = milvus.TypeArray, elementTypes[r.IntN(len(elementTypes))], r.IntN(3) == 0
		f.Nullable = f.Nullable || late
		return f
	}
	scalars := scalarTypes
	if !h.times {
		scalars = scalars[:len(scalars)-2]
	}
	f.Type = scalars[r.IntN(len(scalars))]
	if late && r.IntN(4) > 0 {
		f.Default = r.defaultValue(f.Type)
	}
	f.Nullable = f.Nullable || late && f.Default == nil
	return f
}

// defaultValue makes a default as milvus.Field spells it.
func (r random) defaultValue(t milvus.DataType) any {
	switch v := r.scalar(t).(type) {
	case int64:
		switch t {
		case milvus.TypeInt8, milvus.TypeInt16, milvus.TypeInt32, milvus.TypeDate:
			return int32(v)
		}
		return v
	case string:
		if t == milvus.TypeJSON {
			return []byte(v)
		}
		return v
	case float32:
		return float32(1.5) // JSON has no NaN
	case float64:
		return -0.25
	default:
		return v
	}
}
