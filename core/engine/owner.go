package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/snapexport/snapexport/fault"
)

// ownerFile, below Config.Dir, names the metadata whose collections the logs are of: with other metadata all of them would look
// as if their collections were gone.
const ownerFile = "wal-owner"

// own makes sure that the logs are the metadata's.
func (e *Engine) own() error {
	path := filepath.Join(e.config.Dir, ownerFile)
	owner, err := os.ReadFile(path)
	switch {
	case err == nil && string(owner) == e.store.ID():
		return nil
	case err == nil && len(owner) > 0:
		return fault.Conflict(opLog, "it belongs to other metadata: %s, not %s", owner, e.store.ID()).On(path).
			WithHint("rows that were not flushed are in it; use it with its own metadata, or another directory")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w", opLog, err)
	}
	if err := os.MkdirAll(e.config.Dir, 0o755); err != nil {
		return fmt.Errorf("%s: %w", opLog, err)
	}
	if err := e.writeOwner(path); err != nil {
		return fmt.Errorf("%s: %w", opLog, err)
	}
	return nil
}

func (e *Engine) writeOwner(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.WriteString(e.store.ID())
	if err == nil && !e.config.NoFsync {
		err = f.Sync()
	}
	return firstError(err, f.Close())
}
