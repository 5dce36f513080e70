package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// pending is a change that is being published.
type pending struct {
	metastore.Change
	flush bool  // it ends what was sealed
	logs  int64 // of a flush: logs below hold nothing that is not in files then
}

// publishTries is how often a change is tried until its outcome is known.
const publishTries = 3

// publish commits a change. That of a flush ends what was sealed in the same instant: queries see either the buffer or the
// files. After a failure whose outcome is unknown the change is kept; settle finds out before anything else is published.
func (e *Engine) publish(ctx context.Context, s *share, p *pending) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped != nil {
		return s.stopped
	}
	if err := e.commit(ctx, s, p); err != nil {
		return err
	}
	if err := e.fault("commit:after"); err != nil {
		return err
	}
	e.made(s, p)
	return nil
}

// commit tries until the outcome is known. A change that was not made is given up where what it builds on is gone, and after some
// tries. s.mu is held.
func (e *Engine) commit(ctx context.Context, s *share, p *pending) (err error) {
	ctx = context.WithoutCancel(ctx)
	s.pending = p
	known := false
	for range publishTries {
		if err = e.store.Commit(ctx, p.Change); err == nil {
			s.pending = nil
			return nil
		}
		known = e.store.Refresh(ctx) == nil
		if known && e.done(p) {
			s.pending = nil
			return nil
		}
		if known && errors.Is(err, fault.ErrConflict) {
			break
		}
	}
	if known {
		s.giveUp(p)
		if errors.Is(err, fault.ErrConflict) {
			return err
		}
		return status.New(status.ServiceUnavailable, "a change of collection %d was not made: %w", p.Collection, err)
	}
	return status.New(status.ServiceUnavailable, "whether a change of collection %d was made is not known: %w", p.Collection, err)
}

// made ends a change that was made. s.mu is held.
func (e *Engine) made(s *share, p *pending) {
	s.pending = nil
	if p.flush {
		s.flushing = newBuffer()
		if err := s.log.drop(p.logs); err != nil { // replay knows that it is in files
			e.config.Log.Warn("an old log stays", "collection", int64(p.Collection), "error", err)
		}
	}
	for _, id := range p.Drop {
		e.cache.forget(id)
	}
}

// giveUp ends a change that was not made: what a flush sealed is growing again. s.mu is held.
func (s *share) giveUp(p *pending) {
	s.pending = nil
	if p.flush {
		s.growing.join(s.flushing)
		s.flushing = newBuffer()
	}
}

// done reports whether the store shows the change.
func (e *Engine) done(p *pending) bool {
	for _, seg := range p.Add {
		if _, ok := e.store.Segment(seg.ID); !ok {
			return false
		}
	}
	for _, id := range p.Drop {
		if seg, ok := e.store.Segment(id); ok && seg.State == flushedState {
			return false
		}
	}
	for id, files := range p.Indexes {
		seg, ok := e.store.Segment(id)
		if !ok || !slices.ContainsFunc(seg.Indexes, func(x milvus.IndexFiles) bool { return x.Build == files[0].Build }) {
			return false
		}
	}
	return len(p.Add)+len(p.Drop)+len(p.Indexes) > 0
}

// shownBy reports whether the segments that a flush adds are among those that a query is going to read.
func (p *pending) shownBy(segments []*metastore.Segment) bool {
	return p != nil && p.flush && len(p.Add) > 0 &&
		slices.ContainsFunc(segments, func(s *metastore.Segment) bool { return s.ID == p.Add[0].ID })
}

// settle finds out what became of a change whose outcome was not known. One that was not made is not tried again: its files may
// be gone, as no metadata named them. s.maintenance is held.
func (e *Engine) settle(ctx context.Context, s *share) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pending
	if p == nil {
		return nil
	}
	if err := e.store.Refresh(ctx); err != nil {
		return status.New(status.ServiceUnavailable, "whether a change of collection %d was made is not known: %w", p.Collection, err)
	}
	if e.done(p) {
		e.made(s, p)
	} else {
		s.giveUp(p)
	}
	return nil
}
