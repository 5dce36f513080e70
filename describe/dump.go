package describe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/snapexport/snapexport/fault"
)

// maxDumpBytes bounds a dump: about 1.3 million segments' rows.
const maxDumpBytes = 2 << 30

const opDump = "read etcd dump"

// openDump reads a dump and keeps the rows of the trees that are needed. Several documents may follow each other, as
// several runs of etcdctl write them.
func openDump(ctx context.Context, src Source, opts Options) (*dumpSource, error) {
	store, key, err := opts.Opener.OpenObject(ctx, src.URI)
	if err != nil {
		return nil, err
	}
	b, _, err := store.ReadAll(ctx, key, maxDumpBytes)
	if err != nil {
		return nil, err
	}
	prefixes := append(treesOf(src.metaPrefix(), rootCoordTrees), treesOf(src.metaPrefix(), collectionTrees)...)
	d := &dumpSource{}
	err = decodeDump(b, func(r row) error {
		for _, p := range prefixes {
			if strings.HasPrefix(r.Key, p) {
				d.rows = append(d.rows, r)
				break
			}
		}
		return ctx.Err()
	})
	return d, fault.Place(err, src.URI)
}

// treesOf puts a prefix before each tree.
func treesOf(prefix string, trees []string) []string {
	out := make([]string, len(trees))
	for i, t := range trees {
		out[i] = prefix + "/" + t
	}
	return out
}

// decodeDump calls yield for every element of "kvs" without holding more than one of them decoded.
func decodeDump(b []byte, yield func(row) error) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	for documents := 0; ; documents++ {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) && documents > 0 {
			return nil
		}
		if err != nil {
			return badDump(dec, err)
		}
		if tok != json.Delim('{') {
			return badDump(dec, errors.New("not a JSON object"))
		}
		if err := decodeDocument(dec, yield); err != nil {
			return err
		}
	}
}

// decodeDocument reads the members of one object, whose brace has been read.
func decodeDocument(dec *json.Decoder, yield func(row) error) error {
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return badDump(dec, err)
		}
		if name == "kvs" {
			if err := decodeRows(dec, yield); err != nil {
				return err
			}
			continue
		}
		var other json.RawMessage
		if err := dec.Decode(&other); err != nil {
			return badDump(dec, err)
		}
	}
	if _, err := dec.Token(); err != nil {
		return badDump(dec, err)
	}
	return nil
}

func decodeRows(dec *json.Decoder, yield func(row) error) error {
	if tok, err := dec.Token(); err != nil || tok != json.Delim('[') {
		return badDump(dec, errors.New("kvs is not an array"))
	}
	for dec.More() {
		var kv struct {
			Key   []byte `json:"key"`
			Value []byte `json:"value"`
		}
		if err := dec.Decode(&kv); err != nil {
			return badDump(dec, err)
		}
		if err := yield(row{Key: string(kv.Key), Value: kv.Value}); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return badDump(dec, err)
	}
	return nil
}

func badDump(dec *json.Decoder, err error) error {
	return fault.Corrupt(opDump, "%w", err).At(dec.InputOffset()).WithHint("write it with: etcdctl get --prefix ROOT/meta -w json")
}
