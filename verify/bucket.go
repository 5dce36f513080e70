package verify

import (
	"github.com/zeebo/xxh3"

	"github.com/snapexport/snapexport/milvus"
)

// bucketCount is how many parts the rows are divided into, by the hash of their primary key.
const bucketCount = 1 << 14

// buckets are the content hashes of the parts. Where two sides differ, the parts that differ hold the keys that differ.
type buckets [bucketCount]Hash

func (b *buckets) add(key xxh3.Uint128, row Hash) {
	at := &b[key.Lo%bucketCount]
	*at = at.Add(row)
}

func (b *buckets) merge(o *buckets) {
	for i := range b {
		b[i] = b[i].Add(o[i])
	}
}

// countKeys makes the hasher add each row to the bucket of its key.
func (h *Hasher) countKeys(key milvus.FieldID, into *buckets) {
	for i := range h.columns {
		if h.columns[i].id == int64(key) {
			h.key, h.buckets = i, into
		}
	}
}

// mostWitnesses is how many rows of a side are kept, by their hashes, to be compared one by one.
const mostWitnesses = 50_000

// suspects chooses buckets that differ, as many as are small enough together; complete says that these are all.
func suspects(want, found *buckets) (chosen *[bucketCount]bool, complete bool) {
	chosen, complete = &[bucketCount]bool{}, true
	rows := int64(0)
	for i := range want {
		if want[i] == found[i] {
			continue
		}
		if n := max(want[i].Rows, found[i].Rows); rows+n <= mostWitnesses {
			chosen[i] = true
			rows += n
		} else {
			complete = false
		}
	}
	return chosen, complete
}
