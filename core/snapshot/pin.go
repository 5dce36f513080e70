package snapshot

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// MaxPin is the longest time to live of a pin.
const MaxPin = 30 * 24 * time.Hour

func checkTTL(ttl time.Duration) error {
	switch {
	case ttl < 0:
		return status.Invalid("ttl_seconds must be non-negative")
	case ttl > MaxPin:
		return status.Invalid("ttl_seconds exceeds maximum of %d (30 days)", int64(MaxPin/time.Second))
	}
	return nil
}

// Pin keeps a snapshot from being dropped and returns the pin's id. A time to live of 0 is for ever.
func (s *Service) Pin(ctx context.Context, c milvus.CollectionID, name string, ttl time.Duration) (int64, error) {
	name, err := CheckName(name)
	if err != nil {
		return 0, err
	}
	if err := checkTTL(ttl); err != nil {
		return 0, err
	}
	defer s.enter(c, name)()
	info, err := s.Find(c, name)
	if err != nil {
		return 0, err
	}
	id := s.newPin()
	return id, s.putPins(ctx, info, func(next *pb.SnapshotInfo) {
		next.PinIds = append(next.PinIds, id)
		s.setExpiry(next, id, ttl)
	})
}

// newPin returns a number above 0 that is no pin yet.
func (s *Service) newPin() int64 {
	for {
		if id := int64(s.config.Random() >> 1); id > 0 && s.pinOwner(id) == nil {
			return id
		}
	}
}

func (s *Service) setExpiry(info *pb.SnapshotInfo, id int64, ttl time.Duration) {
	if info.PinExpireAtMs == nil {
		info.PinExpireAtMs = map[int64]int64{}
	}
	info.PinExpireAtMs[id] = 0
	if ttl > 0 {
		info.PinExpireAtMs[id] = s.config.Now().Add(ttl).UnixMilli()
	}
}

// Renew gives a pin a new time to live from now. A pin that is gone or has expired is status.SnapshotMissing: the snapshot
// may be gone, too.
func (s *Service) Renew(ctx context.Context, id int64, ttl time.Duration) error {
	if err := checkTTL(ttl); err != nil {
		return err
	}
	found, err := s.changePin(ctx, id, func(next *pb.SnapshotInfo) { s.setExpiry(next, id, ttl) })
	if err == nil && !found {
		return status.New(status.SnapshotMissing, "pin %d is gone", id)
	}
	return err
}

// Unpin takes a pin back. One that is not there is fine.
func (s *Service) Unpin(ctx context.Context, id int64) error {
	_, err := s.changePin(ctx, id, func(next *pb.SnapshotInfo) {
		next.PinIds = slices.DeleteFunc(next.PinIds, func(p int64) bool { return p == id })
		delete(next.PinExpireAtMs, id)
	})
	return err
}

// changePin changes the row that has the pin, under its lock.
func (s *Service) changePin(ctx context.Context, id int64, change func(*pb.SnapshotInfo)) (found bool, err error) {
	owner := s.pinOwner(id)
	if owner == nil {
		return false, nil
	}
	defer s.enter(milvus.CollectionID(owner.CollectionId), owner.Name)()
	now := s.current(owner)
	if now == nil || !slices.Contains(now.PinIds, id) {
		return false, nil
	}
	if !s.activePin(now, id) { // expired: as good as gone
		return false, s.putPins(ctx, now, func(*pb.SnapshotInfo) {})
	}
	return true, s.putPins(ctx, now, change)
}

func (s *Service) pinOwner(id int64) *pb.SnapshotInfo {
	for _, info := range s.store.AllSnapshots() {
		if slices.Contains(info.PinIds, id) {
			return info
		}
	}
	return nil
}

// putPins stores a changed copy of a row, without pins that have expired.
func (s *Service) putPins(ctx context.Context, info *pb.SnapshotInfo, change func(*pb.SnapshotInfo)) error {
	next := proto.CloneOf(info)
	next.PinIds = slices.DeleteFunc(next.PinIds, func(id int64) bool {
		if s.activePin(info, id) {
			return false
		}
		delete(next.PinExpireAtMs, id)
		return true
	})
	change(next)
	return s.store.PutSnapshot(ctx, next)
}

func (s *Service) pinned(info *pb.SnapshotInfo) bool {
	return slices.ContainsFunc(info.PinIds, func(id int64) bool { return s.activePin(info, id) })
}

func (s *Service) activePin(info *pb.SnapshotInfo, id int64) bool {
	expiry := info.PinExpireAtMs[id]
	return expiry == 0 || expiry > s.config.Now().UnixMilli()
}
