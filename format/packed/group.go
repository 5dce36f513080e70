package packed

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/milvus"
)

// Group is a column group: the fields that lie together in the same files, in file column order.
type Group struct {
	ID     milvus.FieldID // a counter below 100, else that of the group's only field
	Fields []milvus.Field
}

// wideMean is the mean size from which a field gets files of its own, bytes.
const wideMean = 1024

// Policy says how a writer splits columns into groups (docs/format/storage-v2-v3.md 1.2). The zero value is that of current
// releases without samples of rows.
type Policy struct {
	// Early leaves the system fields and the keys in one group with all other narrow fields, as 2.6.0 and 2.6.1 did.
	Early bool
	// MeanSize are the mean sizes of values, bytes, where rows were sampled; ignored if Early.
	MeanSize map[milvus.FieldID]int
}

// Split distributes fields (in the schema's order, system fields first) over groups, which come by id.
func (p Policy) Split(fields []milvus.Field) []Group {
	var system, rest Group
	var out []Group
	for _, f := range fields {
		switch {
		case !p.Early && isSystem(f):
			system.Fields = append(system.Fields, f)
		case !p.Early && p.MeanSize[f.ID] >= wideMean, f.Type.IsVector(), f.Type == milvus.TypeText:
			out = append(out, Group{ID: f.ID, Fields: []milvus.Field{f}})
		default:
			rest.Fields = append(rest.Fields, f)
		}
	}
	next := milvus.FieldID(0)
	if !p.Early {
		out = append(out, system)
		next++
	}
	rest.ID = next
	out = slices.DeleteFunc(append(out, rest), func(g Group) bool { return len(g.Fields) == 0 })
	slices.SortFunc(out, func(a, b Group) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func isSystem(f milvus.Field) bool {
	return f.ID < milvus.FirstUserField || f.PrimaryKey || f.PartitionKey || f.ClusteringKey && !f.Type.IsVector()
}

// fieldList spells the fields of all groups as the footers of V2 do: "0,1,100;101,103;102".
func fieldList(groups []Group) string {
	lists := make([]string, len(groups))
	for i, g := range groups {
		ids := make([]string, len(g.Fields))
		for j, f := range g.Fields {
			ids[j] = strconv.FormatInt(int64(f.ID), 10)
		}
		lists[i] = strings.Join(ids, ",")
	}
	return strings.Join(lists, ";")
}
