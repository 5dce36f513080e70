package binlog

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

// genuine calls f with every file that a real Milvus 2.3.5 wrote below one of the folders of its storage.
func genuine(t testing.TB, folder string, f func(name string, b []byte)) (files int) {
	t.Helper()
	root := testkit.Data(t, "milvus-2.3.5", "files")
	err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil {
			name, _ := filepath.Rel(root, path)
			files++
			f(name, b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestGenuineEnvelopes rebuilds every genuine binlog from its decoded header fields: the bytes must be the same.
func TestGenuineEnvelopes(t *testing.T) {
	for folder, want := range map[string]int{"insert_log": 406, "delta_log": 52, "index_files": 3} {
		n := genuine(t, folder, func(name string, b []byte) {
			f, err := Open(b)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			again, err := Assemble(f.Descriptor, f.Events)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !bytes.Equal(again, b) {
				t.Errorf("%s: rebuilt file differs", name)
			}
			checkIDs(t, name, f)
		})
		if n != want {
			t.Errorf("%s: %d files, want %d", folder, n, want)
		}
	}
}

// checkIDs compares what a file says of itself with where it lies (docs/format/binlog-v1.md 7).
func checkIDs(t *testing.T, name string, f *File) {
	t.Helper()
	d := f.Descriptor
	part := strings.Split(name, string(filepath.Separator))
	ids := []int64{int64(d.Collection), int64(d.Partition), int64(d.Segment), int64(d.Field)}
	types := map[string]EventType{"insert_log": EventInsert, "delta_log": EventDelete, "index_files": EventIndexFile}
	if got, want := f.Events[0].Type, types[part[0]]; got != want {
		t.Errorf("%s: %v event, want %v", name, got, want)
	}
	switch part[0] {
	case "insert_log":
		for i, id := range ids {
			if part[1+i] != itoa(id) {
				t.Errorf("%s: descriptor says ids %v", name, ids)
			}
		}
	case "delta_log":
		if part[3] != itoa(ids[2]) || d.Field != NoField || d.DataType != milvus.TypeString {
			t.Errorf("%s: descriptor says ids %v, type %v", name, ids, d.DataType)
		}
	}
	if _, ok := d.Extras.OriginalSize(); !ok {
		t.Errorf("%s: no original_size", name)
	}
}

// TestForeignEnvelopes does the same with binlogs of another project's backup, among them a Stream deltalog.
func TestForeignEnvelopes(t *testing.T) {
	root := filepath.Join(testkit.Shared(t), "data", "spark-milvus-demo")
	n, stream := 0, 0
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b := testkit.ReadFile(t, path)
		if !Sniff(b) {
			return nil
		}
		n++
		f, err := Open(b)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		if f.Events[0].NextPosition == -1 {
			stream++
		}
		if again, err := Assemble(f.Descriptor, f.Events); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s: rebuilt file differs (%v)", path, err)
		}
		return nil
	})
	if n < 20 || stream == 0 {
		t.Errorf("%d binlogs, %d of them from the Stream writer", n, stream)
	}
}

func sample(t testing.TB, extras Extras, events ...Event) []byte {
	t.Helper()
	b, err := Assemble(Descriptor{
		Timestamp: 7, NextPosition: 9, Collection: 1, Partition: 2, Segment: 3, Field: 100, Start: 5, End: 6,
		DataType: milvus.TypeInt64, Extras: extras,
	}, events)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func oneEvent() Event {
	return Event{Type: EventInsert, Timestamp: 7, NextPosition: -1, Start: 1, End: 1, Payload: []byte("PAR1")}
}

// TestBytes pins the layout to bytes that were composed by hand from docs/format/binlog-v1.md 1.
func TestBytes(t *testing.T) {
	got := sample(t, Extras{"original_size": "24000", "a<b": true}, oneEvent())
	want := strings.Join([]string{
		"bcfaff00",
		"0700000000000000", "00", "7a000000", "09000000",
		"0100000000000000", "0200000000000000", "0300000000000000", "6400000000000000",
		"0500000000000000", "0600000000000000", "05000000",
		"3410101010101010", "29000000", hex.EncodeToString([]byte(`{"a\u003cb":true,"original_size":"24000"}`)),
		"0700000000000000", "01", "25000000", "ffffffff", "0100000000000000", "0100000000000000", "50415231",
	}, "")
	if hex.EncodeToString(got) != want {
		t.Errorf("got  %x\nwant %s", got, want)
	}
}

func TestOpenRefuses(t *testing.T) {
	good := sample(t, Extras{"original_size": "8"}, oneEvent())
	first := len(good) - minEvent - 4
	set := func(at int, v ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], v)
		return b
	}
	extras := func(text string) []byte {
		b := bytes.Clone(good[:extrasAt])
		le.PutUint32(b[extrasLengthAt:], uint32(len(text)))
		le.PutUint32(b[magicSize+9:], uint32(minDescriptor+len(text)))
		return append(append(b, text...), good[first:]...)
	}
	for _, c := range []struct {
		name   string
		b      []byte
		class  error
		offset int64
		detail string
	}{
		{"empty", nil, fault.ErrCorrupt, 0, "0 bytes"},
		{"magic", set(0, 1, 2, 3, 4), fault.ErrCorrupt, 0, "begins with"},
		{"bare parquet", set(0, 'P', 'A', 'R', '1'), fault.ErrCorrupt, 0, "bare Parquet"},
		{"cut in descriptor", good[:84], fault.ErrCorrupt, 84, "ends in the descriptor"},
		{"no descriptor", set(12, 1), fault.ErrCorrupt, 12, "insert"},
		{"descriptor length", set(13, 1), fault.ErrCorrupt, 13, "descriptor event of 1 bytes"},
		{"negative extras", set(81, 255, 255, 255, 255), fault.ErrCorrupt, 81, "extras of -1"},
		{"long extras", set(81, 0, 0, 0, 0x40), fault.ErrCorrupt, 81, "extras of 1073741824"},
		{"extras array", extras(`[1]`), fault.ErrCorrupt, 85, "not a JSON object"},
		{"extras null", extras(`null`), fault.ErrCorrupt, 85, "null"},
		{"extras text", extras(`"x"`), fault.ErrCorrupt, 85, "not a JSON object"},
		{"extras empty", extras(``), fault.ErrCorrupt, 85, "not a JSON object"},
		{"extras twice", extras(`{}{}`), fault.ErrCorrupt, 85, "after the JSON object"},
		{"extras deep", extras(`{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`), fault.ErrLimit, 153, "nested deeper"},
		{"encrypted", extras(`{"edek":"k","encryption_zone":9007199254740993}`), fault.ErrUnsupported, 85, "encrypted"},
		{"no event", good[:first], fault.ErrCorrupt, int64(first), "no event"},
		{"cut event header", good[:first+32], fault.ErrCorrupt, int64(first), "32 bytes after"},
		{"cut payload", good[:len(good)-1], fault.ErrCorrupt, int64(first + 9), "event of 37 bytes"},
		{"trailing", append(bytes.Clone(good), 0), fault.ErrCorrupt, int64(len(good)), "1 bytes after"},
		{"event length 32", set(first+9, 32), fault.ErrCorrupt, int64(first + 9), "event of 32"},
		{"event length negative", set(first+9, 255, 255, 255, 255), fault.ErrCorrupt, int64(first + 9), "event of -1"},
		{"event type 0", set(first+8, 0), fault.ErrCorrupt, int64(first + 8), "descriptor"},
		{"event type 8", set(first+8, 8), fault.ErrCorrupt, int64(first + 8), "event type 8"},
		{"event type -1", set(first+8, 255), fault.ErrCorrupt, int64(first + 8), "event type -1"},
	} {
		_, err := Open(c.b)
		var e *fault.Error
		if !errors.As(err, &e) || !errors.Is(err, c.class) || e.Offset != c.offset || !strings.Contains(e.Detail, c.detail) {
			t.Errorf("%s: got %v (%+v), want %v at %d with %q", c.name, err, e, c.class, c.offset, c.detail)
		}
	}
	many := make([]Event, MaxEvents+1)
	for i := range many {
		many[i] = Event{Type: EventInsert}
	}
	if _, err := Open(sample(t, Extras{"original_size": "8"}, many...)); !errors.Is(err, fault.ErrLimit) {
		t.Errorf("%d events: %v", len(many), err)
	}
}

func TestExtras(t *testing.T) {
	b := sample(t, Extras{"original_size": "12", "nullable": true, "version": "MULTI_FIELD", "indexBuildID": "9007199254740993", "n": []any{"x"}}, oneEvent())
	f, err := Open(b)
	if err != nil {
		t.Fatal(err)
	}
	x := f.Descriptor.Extras
	if n, ok := x.OriginalSize(); n != 12 || !ok || !x.Nullable() || x.Version() != "MULTI_FIELD" || x.Encrypted() {
		t.Errorf("extras %v", x)
	}
	d, err := OpenDescriptor(bytes.Replace(b, []byte(`"indexBuildID":"9007199254740993"`), []byte(`"edek":"","encryption_zone":12345`), 1))
	if err != nil || !d.Extras.Encrypted() {
		t.Errorf("descriptor of an encrypted file: %v, %v", d, err)
	}
	if _, err := Assemble(Descriptor{Extras: Extras{}}, nil); err == nil {
		t.Error("a descriptor without original_size was written")
	}
}
