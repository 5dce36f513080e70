package describe

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/snapexport/snapexport/fault"
)

const (
	milvusForm     = "milvus://[USER@]HOST[:PORT]/[DATABASE/]COLLECTION/SNAPSHOT[?storage=URI][&tls=true]"
	collectionForm = "milvus://[USER@]HOST[:PORT]/[DATABASE/]COLLECTION[?storage=URI][&tls=true]"
)

// ParseCollection takes a SOURCE apart that names a collection of a running Milvus and none of its snapshots: the form
// milvus://host:port/[database/]collection. Everything else is ErrUsage.
func ParseCollection(source string) (Source, error) {
	s := Source{text: redactUsers(source)}
	if !strings.HasPrefix(source, "milvus://") {
		return s, usage(source, collectionForm)
	}
	return s.parseMilvus(source, collectionForm)
}

// parseMilvus reads one of the forms of milvus://...
func (s Source) parseMilvus(source, form string) (Source, error) {
	u, err := url.Parse(source)
	if err != nil || u.Host == "" || u.Fragment != "" {
		return s, usage(source, form)
	}
	if _, has := u.User.Password(); has {
		return s, fault.New(ErrUsage, "read SOURCE", "a password in a SOURCE would be shown in lists of processes").
			WithHint("give it in SNAPEXPORT_PASSWORD or by --password-file")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return s, usage(source, form)
	}
	if s.TLS, err = encrypted(source, query); err != nil {
		return s, err
	}
	for key := range query {
		if key != "storage" && key != "tls" {
			return s, fault.New(ErrUsage, "read SOURCE", "%q has an unknown setting %q", redactUsers(source), key).WithHint("%s", form)
		}
	}
	names := strings.Split(strings.Trim(u.Path, "/"), "/")
	if form == milvusForm {
		if len(names) < 2 {
			return s, usage(source, form)
		}
		names, s.Snapshot = names[:len(names)-1], names[len(names)-1]
	}
	if len(names) == 2 {
		s.Database, names = names[0], names[1:]
	}
	if len(names) != 1 || names[0] == "" || form == milvusForm && s.Snapshot == "" {
		return s, usage(source, form)
	}
	s.Form, s.URI, s.text = FormMilvus, source, redactUsers(source)
	s.Endpoints, s.User, s.Collection = []string{u.Host}, u.User.Username(), names[0]
	s.Storage = query.Get("storage")
	return s, nil
}

// encrypted reads the setting tls. What it can't be is refused: the password would cross the network in clear text.
func encrypted(source string, query url.Values) (bool, error) {
	switch v := query.Get("tls"); {
	case v == "true":
		return true, nil
	case v == "false" || !query.Has("tls"):
		return false, nil
	}
	return false, fault.New(ErrUsage, "read SOURCE", "%q has a setting tls that is neither true nor false", redactUsers(source))
}

// snapshotKey takes the key of a metadata file, or of the root of a snapshot's table, apart.
var snapshotKey = regexp.MustCompile(`^(.*/)?snapshots/(-?\d+)/(?:metadata/(-?\d+)\.json|tables/(-?\d+))$`)

// MetadataSource returns the SOURCE that an s3_location means: what a server says of where a snapshot is. It may be the key
// of the metadata file (Milvus), a complete URI of it in any of the forms of docs/format/snapshot.md 1, or the root of the
// snapshot's table, which begins with the bucket ('snapexport serve'). storage is the URI of the bucket or directory that holds the
// files; without it the bucket must be in the location. Hosts in a location are ignored: endpoints come from the operator.
func MetadataSource(location, storage string) (string, error) {
	const op = "locate snapshot"
	ref, err := parsePath(location, knownBucket(storage))
	if err != nil {
		return "", err
	}
	m := snapshotKey.FindStringSubmatch(ref.key)
	if m == nil {
		return "", fault.Unsupported(op, "the server's location is %q, which names no snapshot's metadata", redact(location))
	}
	if table := m[4] != ""; table && ref.bucket == "" && !ref.local {
		ref.bucket, m[1], _ = strings.Cut(m[1], "/")
	}
	key := m[1] + "snapshots/" + m[2] + "/metadata/" + m[3] + m[4] + ".json"
	switch {
	case storage != "" && ref.local: // a directory on the server's machine, which storage names here
		return join(strings.TrimRight(storage, "/"), localKey(m[1])+key[len(m[1]):]), nil
	case storage != "":
		return join(strings.TrimRight(storage, "/"), key), nil
	case ref.local:
		return "/" + key, nil
	case ref.bucket != "":
		return "s3://" + ref.bucket + "/" + key, nil
	}
	return "", fault.New(ErrUsage, op, "the server says %q and no bucket", redact(location)).WithHint("add ?storage=s3://BUCKET to the SOURCE")
}

func knownBucket(storage string) func(string) bool {
	name := ""
	if p, err := storePlace(storage); err == nil {
		name = p.name
	}
	return func(bucket string) bool { return name != "" && bucket == name }
}

// localKey is the cluster's root, the last folder of a local path.
func localKey(dir string) string {
	dir = strings.TrimSuffix(dir, "/")
	if i := strings.LastIndexByte(dir, '/'); i >= 0 {
		dir = dir[i+1:]
	}
	if dir == "" {
		return ""
	}
	return dir + "/"
}

// TableTarget returns the place of the snapshot's own table if the s3_location names one, in the form BUCKET/ROOT/snapshots/
// COLLECTION/tables/SNAPSHOT of 'snapexport serve'; "" if it does not. storage is as for [MetadataSource]. Buckets get the scheme
// s3a, with which the user guide's Spark reads the location.
func TableTarget(location, storage string) string {
	source, err := MetadataSource(location, storage)
	if err != nil || strings.Contains(location, "://") || !strings.Contains(location, "/tables/") || strings.HasSuffix(location, ".json") {
		return ""
	}
	i := strings.LastIndex(source, "/metadata/")
	target := source[:i] + "/tables/" + strings.TrimSuffix(source[i+len("/metadata/"):], ".json")
	if rest, is := strings.CutPrefix(target, "s3://"); is {
		return "s3a://" + rest
	}
	return target
}
