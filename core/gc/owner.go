package gc

import (
	"context"
	"errors"
	"path"
	"strings"

	"github.com/snapexport/snapexport/fault"
)

const maxOwner = 1 << 10 // bytes

// ownerKey is the object that says whose the files below the root are.
func (g *Collector) ownerKey() string { return path.Join(g.config.Root, "snapexport", "owner") }

// owned tells whether the root is this metadata's. A root without an owner becomes this one's, if there is nothing unknown below it.
func (w *sweep) owned(ctx context.Context) (bool, error) {
	body, _, err := w.files.ReadAll(ctx, w.ownerKey(), maxOwner)
	if err == nil {
		mine := string(body) == w.store.ID()
		if !mine {
			w.config.Log.Warn("the files below the root belong to other metadata: unknown ones stay", "root", w.config.Root, "owner", string(body))
		}
		return mine, nil
	}
	if !errors.Is(err, fault.ErrMissing) {
		return false, err
	}
	foreign, err := w.foreign(ctx)
	if err != nil {
		return false, err
	}
	if foreign != "" {
		w.config.Log.Warn("below the root there are files that the metadata does not know: they stay", "key", foreign)
		return false, nil
	}
	if w.dry {
		return true, nil
	}
	err = w.files.Create(ctx, w.ownerKey(), []byte(w.store.ID()))
	return err == nil, err // who else created it is seen next time
}

// foreign returns the key of a file that is not the metadata's, "" if there is none.
func (w *sweep) foreign(ctx context.Context) (string, error) {
	known := w.known()
	for _, folder := range folders {
		prefix := path.Join(w.config.Root, folder) + "/"
		for o, err := range w.files.List(ctx, prefix) {
			if errors.Is(err, fault.ErrMissing) {
				break // a directory that is not there yet
			}
			if err != nil {
				return "", err
			}
			if p, ok := parse(folder, strings.TrimPrefix(o.Key, prefix)); ok && !known.has(&p) {
				return o.Key, nil
			}
		}
	}
	return "", nil
}
