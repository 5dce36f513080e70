package objstore

import (
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/snapexport/snapexport/fault"
)

// maxKeyBytes is S3's limit for a key.
const maxKeyBytes = 1024

// Location is a URI or path split into store and key.
type Location struct {
	Scheme string // as typed: "s3", "s3a", "s3n", "file", or "" for a plain path
	Store  string // canonical URI of the store, for Opener.Open: "s3://bucket" or "file:///abs/dir"
	Key    string // key within the store, without leading or trailing slash; "" if the URI names the whole bucket or "/"
}

var bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$`)

// Parse splits a URI or path. "s3a://b/k/x" gives {"s3a", "s3://b", "k/x"}; of a local path the last element is the key:
// "./dir/x", "/dir/x" and "file:///dir/x" give "file:///abs/dir" and "x". Nothing is percent-decoded. A complete URI has no
// user, port, query or fragment.
func Parse(uri string) (Location, error) {
	scheme, rest, found := strings.Cut(uri, "://")
	switch {
	case !found && strings.HasPrefix(uri, "file:/"):
		return parseLocal("file", strings.TrimPrefix(uri, "file:"))
	case !found:
		return parseLocal("", uri)
	case scheme == "file":
		if !strings.HasPrefix(rest, "/") {
			return Location{}, badURI(uri, "a file URI names no host: file:///absolute/path")
		}
		return parseLocal("file", rest)
	case scheme == "s3" || scheme == "s3a" || scheme == "s3n":
		return parseS3(uri, scheme, rest)
	}
	return Location{}, fault.Unsupported("parse URI", "scheme %q is not known", scheme).On(printable(uri)).WithHint("use s3://bucket/key, s3a://bucket/key, file:///path or a path")
}

func parseS3(uri, scheme, rest string) (Location, error) {
	bucket, key, _ := strings.Cut(rest, "/")
	if !bucketName.MatchString(bucket) {
		return Location{}, badURI(uri, "the bucket's name comes after %s://; hosts belong in the endpoint setting", scheme)
	}
	key = strings.Trim(key, "/")
	if key != "" {
		if err := CheckKey(key); err != nil {
			return Location{}, fault.Place(err, printable(uri))
		}
	}
	return Location{Scheme: scheme, Store: "s3://" + bucket, Key: key}, nil
}

func parseLocal(scheme, name string) (Location, error) {
	if name == "" || strings.ContainsRune(name, 0) {
		return Location{}, badURI(name, "give a path or URI")
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return Location{}, fault.New(ErrFailed, "parse URI", "%w", err).On(printable(name))
	}
	dir, key := path.Split(filepath.ToSlash(abs))
	return Location{Scheme: scheme, Store: fileURI(path.Clean(dir)), Key: key}, nil
}

func badURI(uri, hint string, args ...any) error {
	return fault.UnsafePath("parse URI", "not a usable location").On(printable(uri)).WithHint(hint, args...)
}

func fileURI(abs string) string { return "file://" + strings.TrimSuffix(abs, "/") }

// localDir returns the directory that a canonical file URI names.
func localDir(uri string) string {
	if dir := strings.TrimPrefix(uri, "file://"); dir != "" {
		return dir
	}
	return "/"
}

// Split returns the store's canonical URI and the key of a URI or path; see [Parse].
func Split(uri string) (bucketURI, key string, err error) {
	l, err := Parse(uri)
	return l.Store, l.Key, err
}

// Join returns the location of a name below l. The elements are joined with single slashes and not cleaned.
func (l Location) Join(elem ...string) Location {
	for _, e := range elem {
		if e = strings.Trim(e, "/"); e != "" {
			if l.Key != "" {
				l.Key += "/"
			}
			l.Key += e
		}
	}
	return l
}

// String returns the location with the scheme that the user typed, as it is written into metadata; an absolute path where
// none was typed.
func (l Location) String() string {
	base, sep := l.Store, "/"
	switch l.Scheme {
	case "":
		base = strings.TrimPrefix(base, "file://")
	case "s3a", "s3n":
		base = l.Scheme + strings.TrimPrefix(base, "s3")
	}
	if l.Key == "" && base != "" {
		sep = ""
	}
	return base + sep + l.Key
}

// Join joins a store's URI or any other URI with key elements by single slashes.
func Join(uri string, elem ...string) string {
	if strings.HasSuffix(uri, "://") { // the root directory's URI
		return uri + "/" + Location{}.Join(elem...).Key
	}
	return Location{Key: strings.TrimRight(uri, "/")}.Join(elem...).Key
}

// CheckKey returns fault.ErrUnsafePath unless key is one that every store takes (see the glossary).
func CheckKey(key string) error {
	switch {
	case key == "":
		return unsafeKey(key, "empty")
	case len(key) > maxKeyBytes:
		return unsafeKey(key, "%d bytes long, at most %d are allowed", len(key), maxKeyBytes)
	case !utf8.ValidString(key):
		return unsafeKey(key, "not UTF-8")
	}
	for part := range strings.SplitSeq(key, "/") {
		switch part {
		case "":
			return unsafeKey(key, "an empty part")
		case ".", "..":
			return unsafeKey(key, "a part %q", part)
		}
	}
	if strings.ContainsFunc(key, isControl) {
		return unsafeKey(key, "a control character")
	}
	return nil
}

// checkPrefix is CheckKey for the beginning of a key.
func checkPrefix(prefix string) error {
	dir := strings.TrimSuffix(prefix, "/")
	if prefix == "" {
		return nil
	}
	return CheckKey(dir)
}

func unsafeKey(key, format string, args ...any) error {
	return fault.UnsafePath("check key", format, args...).On(printable(key))
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f || 0x80 <= r && r < 0xa0 }

// userInfo is what stands before a host; it may be a password.
var userInfo = regexp.MustCompile(`//[^/@]*@`)

// printable makes a hostile string fit for a message: no control characters, bounded length, nobody's password.
func printable(s string) string {
	const most = 300
	if strings.Contains(s, "@") {
		s = userInfo.ReplaceAllString(s, "//...@")
	}
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strings.Map(func(r rune) rune {
		if isControl(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}
