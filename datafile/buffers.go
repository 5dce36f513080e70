package datafile

// Buffers are page buffers for use again, by files that are written one after the other. The zero value is ready; it comes to
// hold about a row group of vectors, and a page of each other column. It is not safe for concurrent use.
type Buffers struct {
	size   int
	free   [][]byte       // of size bytes, for vectors
	bodies map[int][]byte // of any size, by the field that they were last of
	packed []byte         // of the codec
}

// use makes the blocks ones of a size.
func (b *Buffers) use(size int) {
	if b.size != size {
		b.size, b.free = size, nil
	}
}

// get returns an empty block.
func (b *Buffers) get() []byte {
	n := len(b.free)
	if n == 0 {
		return make([]byte, 0, b.size)
	}
	out := b.free[n-1]
	b.free = b.free[:n-1]
	return out
}

// put takes a block back. Those of other sizes are left to the garbage collector.
func (b *Buffers) put(p []byte) {
	if cap(p) == b.size {
		b.free = append(b.free, p[:0])
	}
}

// take returns the empty buffer that was kept of a field, or none.
func (b *Buffers) take(id int) []byte {
	p := b.bodies[id]
	delete(b.bodies, id)
	return p
}

// keep keeps a field's buffer.
func (b *Buffers) keep(id int, p []byte) {
	if b.bodies == nil {
		b.bodies = map[int][]byte{}
	}
	b.bodies[id] = p[:0]
}
