package testkit

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// Case is one line of the acceptance cases: an input, and the rows or the error class that must come out of it.
type Case struct {
	Name       string   `json:"name"`
	Kind       string   `json:"kind"`
	What       string   `json:"what"`
	BucketDir  string   `json:"bucket_dir"` // relative to Acceptance(t)
	Bucket     string   `json:"bucket"`
	Snapshot   string   `json:"snapshot"` // key of the metadata JSON
	Truth      string   `json:"truth"`    // relative to Acceptance(t); "" if Refuse is set
	Rows       int64    `json:"rows"`
	Warnings   []string `json:"warnings"`
	Refuse     string   `json:"refuse"` // class name, "ErrCorrupt"
	AlsoAccept []string `json:"also_accept"`
	Because    string   `json:"because"`
	MemoryMiB  int64    `json:"memory_mib"`
	Seconds    float64  `json:"seconds"`
}

// Accepts reports whether an error of the class is what the case wants.
func (c Case) Accepts(class string) bool {
	if class == c.Refuse {
		return class != ""
	}
	for _, a := range c.AlsoAccept {
		if class == a {
			return true
		}
	}
	return false
}

// Acceptance returns the folder of the unpacked acceptance cases. Their archive (testdata/acceptance.tar.zst) is unpacked
// into the system's temporary folder under a name that carries its hash, so that every test binary finds the same one.
// Tests must not write into it.
func Acceptance(t testing.TB) string {
	t.Helper()
	return unpacked(t, "acceptance")
}

// StorageSamples returns the folder of the unpacked samples of storage V2 and V3, of which README.md in it tells:
// segments.json, bucket, truth, refuse. As with Acceptance, tests must not write into it.
func StorageSamples(t testing.TB) string {
	t.Helper()
	return unpacked(t, "storage-v2-v3")
}

func unpacked(t testing.TB, name string) string {
	t.Helper()
	dir, err := unpackArchive(name, Data(t, name+".tar.zst"))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func unpackArchive(name, archive string) (string, error) {
	packed, err := os.ReadFile(archive)
	if err != nil {
		return "", err
	}
	hash := sha256.Sum256(packed)
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("snapexport-%s-%x", name, hash[:8]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	tmp, err := os.MkdirTemp("", "snapexport-unpack-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp) // a no-op after the rename
	if err := unpack(packed, tmp); err != nil {
		return "", fmt.Errorf("unpack %s: %w", archive, err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		if _, statErr := os.Stat(dir); statErr != nil { // else another test binary was faster
			return "", err
		}
	}
	return dir, nil
}

// Cases returns the acceptance cases of a kind ("snapshot", "trap", "damaged"), or all if kind is "".
func Cases(t testing.TB, kind string) []Case {
	t.Helper()
	var all []Case
	dec := json.NewDecoder(bytes.NewReader(ReadFile(t, Data(t, "acceptance", "cases.json"))))
	if err := dec.Decode(&all); err != nil {
		t.Fatal(err)
	}
	if kind == "" {
		return all
	}
	var out []Case
	for _, c := range all {
		if c.Kind == kind {
			out = append(out, c)
		}
	}
	return out
}

func unpack(packed []byte, dir string) error {
	z, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer z.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = unpackOne(root, h, r)
		}
		if err != nil {
			return err
		}
	}
}

func unpackOne(root *os.Root, h *tar.Header, r io.Reader) error {
	name := filepath.Clean(h.Name)
	if h.Typeflag == tar.TypeDir {
		return root.MkdirAll(name, 0o755)
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
