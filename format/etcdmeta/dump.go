package etcdmeta

import (
	"encoding/json"
	"errors"
	"io"
	"iter"

	"github.com/snapexport/snapexport/fault"
)

const opDump = "read etcd dump"

// maxElement bounds the JSON text of one row: base64 is a third longer.
const maxElement = MaxRowBytes*4/3 + 1<<20

// ReadDump yields the rows of what `etcdctl get --prefix ROOT -w json` prints, one after the other, without holding them
// all. Rows with secrets (see the package's contract) have no value. The first error ends it.
func ReadDump(r io.Reader) iter.Seq2[KV, error] {
	return func(yield func(KV, error) bool) {
		w := &window{r: r}
		d := dump{w: w, dec: json.NewDecoder(w)}
		if err := d.read(func(kv KV) bool { return yield(kv, nil) }); err != nil && !errors.Is(err, errStop) {
			yield(KV{}, err)
		}
	}
}

var errStop = errors.New("stop")

// window lets only so much through: the decoder holds whole values.
type window struct {
	r           io.Reader
	read, limit int64
}

func (w *window) Read(p []byte) (int, error) {
	if w.read >= w.limit {
		return 0, fault.Limit(opDump, "a row or member has more than %d bytes of JSON", maxElement).At(w.read)
	}
	n, err := w.r.Read(p[:min(int64(len(p)), w.limit-w.read)])
	w.read += int64(n)
	return n, err
}

type dump struct {
	w   *window
	dec *json.Decoder
}

// open lets the next value through.
func (d *dump) open() { d.w.limit = d.dec.InputOffset() + maxElement }

func (d *dump) fail(err error) error {
	var e *fault.Error
	if errors.As(err, &e) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.Corrupt(opDump, "the JSON ends too early").At(d.dec.InputOffset())
	}
	return fault.Corrupt(opDump, "not what etcdctl prints: %v", err).At(d.dec.InputOffset())
}

// delim takes the next token, which must be the given brace or bracket.
func (d *dump) delim(want json.Delim) error {
	d.open()
	tok, err := d.dec.Token()
	if err != nil {
		return d.fail(err)
	}
	if tok != want {
		return fault.Corrupt(opDump, "%v where %v is expected", tok, want).At(d.dec.InputOffset()).
			WithHint("a dump is what `etcdctl get --prefix ROOT -w json` prints")
	}
	return nil
}

func (d *dump) read(yield func(KV) bool) error {
	if err := d.delim('{'); err != nil {
		return err
	}
	found := false
	for d.dec.More() {
		d.open()
		key, err := d.dec.Token()
		if err != nil {
			return d.fail(err)
		}
		if key == "kvs" {
			if found {
				return fault.Corrupt(opDump, "there are two lists of rows").At(d.dec.InputOffset())
			}
			found = true
			err = d.rows(yield)
		} else {
			err = d.member(key == "more")
		}
		if err != nil {
			return err
		}
		d.open()
	}
	if err := d.delim('}'); err != nil {
		return err
	}
	if !found {
		return fault.Corrupt(opDump, "there is no list of rows (kvs)")
	}
	d.open()
	if _, err := d.dec.Token(); err != io.EOF {
		return fault.Corrupt(opDump, "text follows the JSON object").At(d.dec.InputOffset())
	}
	return nil
}

// member skips a member, and refuses "more": etcd left rows out of its answer.
func (d *dump) member(more bool) error {
	d.open()
	var v json.RawMessage
	if err := d.dec.Decode(&v); err != nil {
		return d.fail(err)
	}
	if more && string(v) == "true" {
		return fault.Corrupt(opDump, "the dump is not complete (more: true)").WithHint("dump without --limit")
	}
	return nil
}

func (d *dump) rows(yield func(KV) bool) error {
	if err := d.delim('['); err != nil {
		return err
	}
	for d.open(); d.dec.More(); d.open() {
		var row struct {
			Key   []byte          `json:"key"`
			Value json.RawMessage `json:"value"`
		}
		if err := d.dec.Decode(&row); err != nil {
			return d.fail(err)
		}
		if len(row.Key) == 0 {
			return fault.Corrupt(opDump, "a row has no key").At(d.dec.InputOffset())
		}
		kv := KV{Key: string(row.Key)}
		if !forbidden(kv.Key) && row.Value != nil {
			if err := json.Unmarshal(row.Value, &kv.Value); err != nil {
				return d.fail(err)
			}
		}
		if !yield(kv) {
			return errStop
		}
	}
	return d.delim(']')
}
