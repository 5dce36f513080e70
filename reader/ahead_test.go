package reader

import (
	"slices"
	"testing"

	"github.com/snapexport/snapexport/milvus"
)

// Chunks that overlap, as no writer makes them, are in no block, and a block is lent to those alone for whom it was read: its
// memory is used again when the last of them has left.
func TestBlocksAreLentToTheirUsers(t *testing.T) {
	blocks := blocksOf([]extent{{2, 100, 200}, {1, 0, 100}, {3, 150, 400}, {1, 200, 300}, {2, 1 << 20, 1<<20 + 10}}, 1000)
	if len(blocks) != 2 || blocks[0].start != 0 || blocks[0].end != 300 || !slices.Equal(blocks[0].users, []milvus.FieldID{1, 2}) || !slices.Equal(blocks[1].users, []milvus.FieldID{2}) {
		t.Fatalf("%d blocks: %+v", len(blocks), blocks[0])
	}
	for _, b := range blocks {
		b.body, b.done = make([]byte, b.end-b.start), make(chan struct{})
		close(b.done)
	}
	a := &ahead{blocks: blocks, reuse: true}
	lenders := map[milvus.FieldID]*lender{}
	for _, f := range []milvus.FieldID{1, 2, 3} {
		lenders[f] = &lender{ahead: a, field: f}
	}
	lends := func(f milvus.FieldID, off int64) bool {
		b, _, err := lenders[f].Lend(off, 10)
		if err != nil {
			t.Fatal(err)
		}
		return b != nil
	}
	if !lends(1, 0) || !lends(2, 100) || lends(3, 160) || !lends(1, 200) || lends(1, 295) || lends(1, 1<<20) {
		t.Error("lent to others than the users")
	}
	lenders[3].end()
	if !lends(2, 1<<20) || blocks[0].body == nil || lends(2, 100) {
		t.Error("a block is left twice, or before its last user left")
	}
	if lenders[1].end(); blocks[0].body != nil {
		t.Error("the block is still held")
	}
}
