package buffer

import "testing"

func TestSizes(t *testing.T) {
	for _, n := range []int{least, least + 1, 100_000, 1 << 17, 1<<17 + 1, 1<<20 - 1, 1 << 20, 11_847_808, most - 1, most} {
		b := Get(n)
		if len(b) != n || cap(b) < n || cap(b) > n+n/steps+1 {
			t.Errorf("Get(%d): %d bytes of %d", n, len(b), cap(b))
		}
		class, size := classOf(cap(b))
		if size != cap(b) || class < 0 || class > classes {
			t.Errorf("%d bytes are of class %d, whose size is %d", cap(b), class, size)
		}
		again, _ := classOf(n)
		if again != class {
			t.Errorf("%d is of class %d, its slice of class %d", n, again, class)
		}
		Put(b)
	}
}

func TestOtherSlicesAreLeftAlone(t *testing.T) {
	for _, b := range [][]byte{nil, make([]byte, 10), make([]byte, least+1), make([]byte, most+1)} {
		Put(b)
	}
	b := Get(1 << 16)
	Put(b[8:])
	if got := Get(1 << 16); cap(got) != 1<<16 {
		t.Errorf("a slice of %d bytes", cap(got))
	}
}

func TestUsedAgain(t *testing.T) {
	for range 100 { // the pool may drop anything at any time, but not all the time
		a := Get(1 << 20)
		Put(a)
		if b := Get(1<<20 - 5); &a[0] == &b[0] {
			return
		}
	}
	t.Error("nothing was used again")
}
