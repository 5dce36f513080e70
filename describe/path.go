package describe

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/snapexport/snapexport/fault"
)

// MaxKeyBytes is the longest key that S3 and its kin accept.
const MaxKeyBytes = 1024

const opPath = "resolve path"

// schemes are those that metadata may use, with what their authority is. A "file" or an unknown scheme is refused.
var schemes = map[string]bool{
	"s3": true, "s3a": true, "minio": true, "http": true, "https": true,
	"gs": true, "gcs": true, "az": true, "azure": true,
}

// reference is a path of metadata taken apart (docs/format/snapshot.md 1).
type reference struct {
	bucket string // bucket or container; "" for a bare key
	key    string // without a slash in front
	local  bool   // an absolute local path; key lacks its leading slash
}

// parsePath takes a path of metadata apart. Of a complete URI the host is dropped: it never decides where we connect.
//
// "s3://bucket/key" and "s3://endpoint/bucket/key" differ by what is known: the first name that is a known bucket is the
// bucket, otherwise an authority that can't be a bucket's name, or has a dot, is an endpoint. known may be nil.
func parsePath(path string, known func(bucket string) bool) (reference, error) {
	if err := checkText(path); err != nil {
		return reference{}, err
	}
	scheme, rest, isURI := strings.Cut(path, "://")
	if !isURI {
		return parseBare(path)
	}
	scheme = strings.ToLower(scheme)
	if !schemes[scheme] {
		return reference{}, fault.UnsafePath(opPath, "%q has the scheme %q, which metadata may not use", redact(path), scheme)
	}
	if strings.ContainsAny(rest, "?#") {
		return reference{}, fault.UnsafePath(opPath, "%q has a query or a fragment", redact(path))
	}
	authority, key, _ := strings.Cut(rest, "/")
	if strings.Contains(authority, "@") {
		return reference{}, fault.UnsafePath(opPath, "%q has user information before its host", redact(path)).
			WithHint("paths must not carry credentials")
	}
	ref := splitAuthority(scheme, authority, key, known)
	if !validBucket(ref.bucket) {
		return reference{}, fault.UnsafePath(opPath, "%q names no bucket", redact(path))
	}
	return ref, checkKey(ref.key, path)
}

func parseBare(path string) (reference, error) {
	ref := reference{key: path}
	if strings.HasPrefix(path, "/") {
		ref = reference{key: path[1:], local: true}
	}
	return ref, checkKey(ref.key, path)
}

// splitAuthority finds the bucket in authority/rest.
func splitAuthority(scheme, authority, rest string, known func(string) bool) reference {
	isKnown := func(name string) bool { return known != nil && name != "" && known(name) }
	first, below, _ := strings.Cut(rest, "/")
	asBucket := reference{bucket: authority, key: rest}
	asEndpoint := reference{bucket: first, key: below}
	web := scheme == "http" || scheme == "https"
	switch {
	case !web && isKnown(authority):
		return asBucket
	case isKnown(first):
		return asEndpoint
	case web:
		if name, ok := virtualHost(authority, isKnown); ok {
			return reference{bucket: name, key: rest}
		}
		return asEndpoint
	case scheme == "minio" || scheme == "azure", strings.ContainsAny(authority, ".:"):
		return asEndpoint
	}
	return asBucket
}

// virtualHost finds a known bucket in a host of the form bucket.endpoint.
func virtualHost(host string, known func(string) bool) (string, bool) {
	for i := range len(host) {
		if host[i] == '.' && known(host[:i]) {
			return host[:i], true
		}
	}
	return "", false
}

// redact returns the path for messages: without user information, query and fragment, which may be secrets.
func redact(path string) string {
	scheme, rest, isURI := strings.Cut(path, "://")
	if !isURI {
		return path
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i] + rest[i:i+1] + "..."
	}
	authority, key, slash := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = "..." + authority[i:]
	}
	if slash {
		key = "/" + key
	}
	return scheme + "://" + authority + key
}

var (
	userInfo = regexp.MustCompile(`//[^/@]*@`)
	password = regexp.MustCompile(`(?i)(passw(?:or)?d|secret|token|key|signature|credential)=[^&#]*`)
)

// redactUsers returns a SOURCE without what stands before a host, and without settings that look like secrets.
func redactUsers(source string) string {
	return password.ReplaceAllString(userInfo.ReplaceAllString(source, "//...@"), "$1=...")
}

// validBucket accepts the characters that S3, GCS, Azure and MinIO use in the names of buckets and containers.
func validBucket(name string) bool {
	if name == "" || len(name) > 255 || name == "." || name == ".." {
		return false
	}
	for _, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '-' && c != '.' && c != '_' && c != '$' {
			return false
		}
	}
	return true
}

// checkText refuses what no part of a path may have.
func checkText(path string) error {
	if path == "" {
		return fault.UnsafePath(opPath, "a path is empty")
	}
	if len(path) > 4*MaxKeyBytes {
		return fault.UnsafePath(opPath, "a path has %d bytes", len(path))
	}
	if !utf8.ValidString(path) {
		return fault.UnsafePath(opPath, "%q is not UTF-8", redact(path))
	}
	for _, c := range path {
		if c < 0x20 || c >= 0x7f && c < 0xa0 || c == '\\' || c == 0x2028 || c == 0x2029 {
			return fault.UnsafePath(opPath, "%q has a control character or a backslash", redact(path))
		}
	}
	return nil
}

// checkKey refuses keys that a local file system, or a proxy on the way to a store, would read as another key.
func checkKey(key, path string) error {
	if key == "" {
		return fault.UnsafePath(opPath, "%q names no object", redact(path))
	}
	if len(key) > MaxKeyBytes {
		return fault.UnsafePath(opPath, "the key %.80q... has %d bytes; at most %d are possible", key, len(key), MaxKeyBytes)
	}
	for rest, more := key, true; more; {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		switch part {
		case "":
			return fault.UnsafePath(opPath, "%q has an empty segment", redact(path))
		case ".", "..":
			return fault.UnsafePath(opPath, "%q has a segment %q", redact(path), part)
		}
	}
	return nil
}

// below returns what key has after prefix, and whether it lies below prefix: prefix "files" holds "files/x", not "files2/x"
// and not "files". An empty prefix holds everything.
func below(key, prefix string) (string, bool) {
	if prefix == "" {
		return key, key != ""
	}
	if len(key) > len(prefix)+1 && key[len(prefix)] == '/' && key[:len(prefix)] == prefix {
		return key[len(prefix)+1:], true
	}
	return "", false
}

// join puts prefix before key.
func join(prefix, key string) string {
	switch {
	case prefix == "":
		return key
	case key == "":
		return prefix
	}
	return prefix + "/" + key
}
