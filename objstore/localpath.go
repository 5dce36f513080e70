package objstore

import (
	"path/filepath"
	"strings"
)

// LocalPath returns the absolute path of a local store's file, for programs beside this one. It is false for other stores, for
// keys that the store would refuse, and where a symbolic link leads out of the store's directory.
func LocalPath(s Store, key string) (string, bool) {
	l, ok := bare(s).(*local)
	if !ok || checkLocalKey(key) != nil {
		return "", false
	}
	dir, err := filepath.EvalSymlinks(l.dir)
	if err != nil {
		return "", false
	}
	file, err := filepath.EvalSymlinks(filepath.Join(l.dir, filepath.FromSlash(key)))
	if err != nil || !strings.HasPrefix(file, strings.TrimSuffix(dir, string(filepath.Separator))+string(filepath.Separator)) {
		return "", false
	}
	return file, true
}
