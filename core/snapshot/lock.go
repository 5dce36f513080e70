package snapshot

import "sync"

// locks are a lock for every key. The zero value is ready.
type locks struct {
	mu   sync.Mutex
	held map[string]*keyLock
}

type keyLock struct {
	sync.RWMutex
	users int // that hold it or wait
}

func (l *locks) get(key string) *keyLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[string]*keyLock{}
	}
	k := l.held[key]
	if k == nil {
		k = &keyLock{}
		l.held[key] = k
	}
	k.users++
	return k
}

func (l *locks) put(key string, k *keyLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.users--; k.users == 0 {
		delete(l.held, key)
	}
}

// lock waits until no one else has the key.
func (l *locks) lock(key string) (unlock func()) {
	k := l.get(key)
	k.Lock()
	return func() { k.Unlock(); l.put(key, k) }
}

// rlock waits until no one has the key by lock.
func (l *locks) rlock(key string) (unlock func()) {
	k := l.get(key)
	k.RLock()
	return func() { k.RUnlock(); l.put(key, k) }
}
