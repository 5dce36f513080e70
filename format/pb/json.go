package pb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/snapexport/snapexport/fault"
)

// JSONLimits bound what [UnmarshalJSON] takes from an untrusted source; more is fault.ErrLimit.
type JSONLimits struct {
	Bytes   int64 // of the text
	Depth   int   // of nested objects and arrays
	Objects int   // each costs some hundred bytes once decoded
	Values  int   // strings, numbers, ... and empty arrays
}

// DefaultJSONLimits fit a snapshot of half a million segments.
var DefaultJSONLimits = JSONLimits{Bytes: 64 << 20, Depth: 64, Objects: 1 << 20, Values: 8 << 20}

// strictEnums are those whose unknown names must not become 0 unnoticed. Unknown names of others are ignored.
var strictEnums = map[protoreflect.FullName]bool{
	"snapexport.milvus.schema.DataType":     true,
	"snapexport.milvus.schema.FieldState":   true,
	"snapexport.milvus.data.SnapshotLayout": true,
}

// UnmarshalJSON decodes protobuf JSON: field names in either spelling, 64-bit integers as strings or numbers, enums as
// names or numbers, null as absent, unknown fields discarded. Text that is not that is fault.ErrCorrupt, an unknown name
// of a data type, field state or layout fault.ErrUnsupported. The bounds are checked before anything is decoded.
func UnmarshalJSON(op string, b []byte, m proto.Message, limits JSONLimits) error {
	if int64(len(b)) > limits.Bytes {
		return fault.Limit(op, "the JSON has %d bytes, more than %d", len(b), limits.Bytes)
	}
	s := scanner{op: op, dec: json.NewDecoder(bytes.NewReader(b)), limits: limits}
	s.dec.UseNumber()
	if err := s.message(m.ProtoReflect().Descriptor()); err != nil {
		return err
	}
	opts := protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: limits.Depth + 8}
	if err := opts.Unmarshal(b, m); err != nil {
		return fault.Corrupt(op, "%s", tidy(err))
	}
	return nil
}

// tidy makes protojson's messages stable: they contain unbreakable spaces at random.
func tidy(err error) string {
	return strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: ")
}

// scanner walks over JSON text beside the descriptors of the messages that it will become.
type scanner struct {
	op              string
	dec             *json.Decoder
	limits          JSONLimits
	depth           int
	objects, values int
}

func (s *scanner) message(md protoreflect.MessageDescriptor) error {
	tok, err := s.token()
	if err != nil {
		return err
	}
	if tok != json.Delim('{') {
		return fault.Corrupt(s.op, "the JSON is not an object").At(0)
	}
	if err := s.object(md, nil); err != nil {
		return err
	}
	if _, err := s.dec.Token(); err != io.EOF {
		return fault.Corrupt(s.op, "text follows the JSON object").At(s.dec.InputOffset())
	}
	return nil
}

func (s *scanner) token() (json.Token, error) {
	tok, err := s.dec.Token()
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fault.Corrupt(s.op, "the JSON ends too early").At(s.dec.InputOffset())
		}
		return nil, fault.Corrupt(s.op, "not JSON: %v", err).At(s.dec.InputOffset())
	}
	return tok, nil
}

// object walks over an object's members after its opening brace. md describes the message, nil for unknown ones; value
// describes the values of a map.
func (s *scanner) object(md protoreflect.MessageDescriptor, value protoreflect.FieldDescriptor) error {
	s.objects++
	if s.objects > s.limits.Objects {
		return fault.Limit(s.op, "more than %d JSON objects", s.limits.Objects).At(s.dec.InputOffset())
	}
	if err := s.enter(); err != nil {
		return err
	}
	var name string
	for s.dec.More() {
		tok, err := s.token()
		if err != nil {
			return err
		}
		key, _ := tok.(string) // the decoder takes nothing else here
		fd := value
		if md != nil {
			fd = field(md, key)
		}
		text, err := s.value(fd)
		if err != nil {
			return s.named(err, name)
		}
		if key == "name" {
			name = text
		}
	}
	return s.leave()
}

// named adds which named object an error of the class unsupported is about.
func (s *scanner) named(err error, name string) error {
	var e *fault.Error
	if name != "" && errors.As(err, &e) && e.Hint == "" && e.Class == fault.ErrUnsupported {
		return e.WithHint("in %q; a newer Milvus wrote this", name)
	}
	return err
}

func field(md protoreflect.MessageDescriptor, key string) protoreflect.FieldDescriptor {
	if fd := md.Fields().ByJSONName(key); fd != nil {
		return fd
	}
	return md.Fields().ByName(protoreflect.Name(key))
}

// value walks over one value and returns it if it is a string.
func (s *scanner) value(fd protoreflect.FieldDescriptor) (string, error) {
	tok, err := s.token()
	if err != nil {
		return "", err
	}
	s.values++
	if s.values > s.limits.Values {
		return "", fault.Limit(s.op, "more than %d JSON values", s.limits.Values).At(s.dec.InputOffset())
	}
	switch v := tok.(type) {
	case json.Delim:
		if v == '{' {
			return "", s.nested(fd)
		}
		return "", s.array(fd)
	case string:
		if fd != nil && fd.Kind() == protoreflect.EnumKind && !fd.IsMap() {
			return v, s.enum(fd, v)
		}
		return v, nil
	}
	return "", nil
}

func (s *scanner) nested(fd protoreflect.FieldDescriptor) error {
	switch {
	case fd == nil:
		return s.object(nil, nil)
	case fd.IsMap():
		return s.object(nil, fd.MapValue())
	}
	return s.object(fd.Message(), nil) // Message is nil for other kinds
}

func (s *scanner) array(fd protoreflect.FieldDescriptor) error {
	if err := s.enter(); err != nil {
		return err
	}
	for s.dec.More() {
		if _, err := s.value(fd); err != nil {
			return err
		}
	}
	return s.leave()
}

func (s *scanner) enter() error {
	s.depth++
	if s.depth > s.limits.Depth {
		return fault.Limit(s.op, "the JSON is nested more than %d deep", s.limits.Depth).At(s.dec.InputOffset())
	}
	return nil
}

// leave takes the closing brace or bracket.
func (s *scanner) leave() error {
	s.depth--
	_, err := s.token()
	return err
}

func (s *scanner) enum(fd protoreflect.FieldDescriptor, name string) error {
	ed := fd.Enum()
	if !strictEnums[ed.FullName()] || ed.Values().ByName(protoreflect.Name(name)) != nil {
		return nil
	}
	return fault.Unsupported(s.op, "%s: the %s %q is not known", fd.Name(), ed.Name(), name).At(s.dec.InputOffset())
}

// MarshalJSON encodes m as Milvus does: snake_case names, unset fields left out, two spaces of indent. Unlike protojson's
// own, the text is the same every time.
func MarshalJSON(op string, m proto.Message) ([]byte, error) {
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, fault.Corrupt(op, "%s", tidy(err))
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
