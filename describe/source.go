package describe

import (
	"context"
	"net/url"
	"strings"

	"github.com/snapexport/snapexport/fault"
)

// Form is a way to write a SOURCE.
type Form int

// The forms.
const (
	FormFile     Form = iota // path or URI of a metadata JSON
	FormName                 // ROOT#[database.]collection/snapshot
	FormBackup               // backup:URI#[database.]collection
	FormEtcd                 // etcd://host:port[,...]/root?storage=URI#[database.]collection
	FormEtcdFile             // etcd+file:PATH?storage=URI#[database.]collection
	FormMilvus               // milvus://host:port/[database/]collection/snapshot, of which a client asks where it is
)

// Defaults of Milvus's configuration.
const (
	defaultEtcdRoot = "by-dev"
	defaultRootPath = "files"
	defaultDatabase = "default"
)

// Source is a SOURCE taken apart. It holds no secrets.
type Source struct {
	Form       Form
	URI        string   // of the file, root directory, backup or dump
	Endpoints  []string // of etcd, or of Milvus (one)
	User       string   // of etcd or Milvus
	TLS        bool     // to etcd or Milvus
	Database   string   // of Milvus; "" is the default one
	EtcdRoot   string   // etcd.rootPath and metaSubPath: "by-dev", "by-dev/meta"
	Storage    string   // URI of the bucket or directory that holds the cluster's files
	RootPath   string   // minio.rootPath or localStorage.path
	Collection string   // "[database.]name" or id; "" means all, or the only one
	Snapshot   string   // name or id
	text       string
}

// String returns the source as it was typed.
func (s Source) String() string { return s.text }

// Parse takes a SOURCE apart. See the command line's help for the forms.
func Parse(source string) (Source, error) {
	s := Source{text: redactUsers(source)}
	place, name, named := cutLast(source, "#")
	scheme, _, _ := strings.Cut(place, ":")
	switch scheme {
	case "milvus":
		return s.parseMilvus(source, milvusForm)
	case "backup":
		s.Form, s.URI, s.Collection = FormBackup, strings.TrimPrefix(place, "backup:"), name
		if s.URI == "" {
			return s, usage(source, "backup:URI-OF-BACKUP#[database.]collection")
		}
		s.text = redactUsers(source)
		return s, nil
	case "etcd":
		return s.parseEtcd(source, place, name)
	case "etcd+file":
		return s.parseDump(source, place, name)
	}
	s.text = redactUsers(source)
	if !named {
		s.Form, s.URI = FormFile, source
		if source == "" {
			return s, usage(source, "a path or URI of a snapshot's metadata, or ROOT#[database.]collection/snapshot")
		}
		return s, nil
	}
	s.Form, s.URI = FormName, place
	s.Collection, s.Snapshot, _ = strings.Cut(name, "/")
	if place == "" || name == "" {
		return s, usage(source, "ROOT#[database.]collection/(snapshot|latest)")
	}
	return s, nil
}

func usage(source, want string) error {
	return fault.New(ErrUsage, "read SOURCE", "%q is not %s", redactUsers(source), want)
}

// cutLast cuts s around the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

const etcdForm = "etcd://host:port[,host:port]/by-dev?storage=URI[&root-path=files][&user=NAME][&tls=true]#[database.]collection"

func (s Source) parseEtcd(source, place, name string) (Source, error) {
	s.Form, s.Collection = FormEtcd, name
	address, query, _ := strings.Cut(strings.TrimPrefix(place, "etcd://"), "?")
	hosts, root, _ := strings.Cut(address, "/")
	if !strings.HasPrefix(place, "etcd://") || hosts == "" {
		return s, usage(source, etcdForm)
	}
	if strings.Contains(hosts, "@") {
		return s, fault.New(ErrUsage, "read SOURCE", "%q has a user before the host", redactUsers(source)).
			WithHint("write ?user=NAME and give the password in SNAPEXPORT_ETCD_PASSWORD")
	}
	s.Endpoints = strings.Split(hosts, ",")
	return s.parseCluster(source, strings.Trim(root, "/"), query, etcdForm)
}

const dumpForm = "etcd+file:PATH?storage=URI[&root=by-dev][&root-path=files]#[database.]collection"

func (s Source) parseDump(source, place, name string) (Source, error) {
	s.Form, s.Collection = FormEtcdFile, name
	file, query, _ := strings.Cut(strings.TrimPrefix(place, "etcd+file:"), "?")
	s.URI = file
	if file == "" {
		return s, usage(source, dumpForm)
	}
	return s.parseCluster(source, "", query, dumpForm)
}

// parseCluster reads what both etcd forms have in their queries.
func (s Source) parseCluster(source, root, query, form string) (Source, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return s, usage(source, form)
	}
	for key := range values {
		switch key {
		case "storage", "root", "root-path", "user", "tls":
		case "password":
			return s, fault.New(ErrUsage, "read SOURCE", "a password in a SOURCE would be shown in lists of processes").
				WithHint("give it in SNAPEXPORT_ETCD_PASSWORD")
		default:
			return s, fault.New(ErrUsage, "read SOURCE", "%q has an unknown setting %q", redactUsers(source), key).WithHint("%s", form)
		}
	}
	s.EtcdRoot, s.RootPath, s.Storage = root, defaultRootPath, values.Get("storage")
	if v := strings.Trim(values.Get("root"), "/"); v != "" {
		s.EtcdRoot = v
	}
	if s.EtcdRoot == "" {
		s.EtcdRoot = defaultEtcdRoot
	}
	if values.Has("root-path") {
		s.RootPath = strings.TrimSuffix(values.Get("root-path"), "/")
	}
	s.User = values.Get("user")
	if s.TLS, err = encrypted(source, values); err != nil {
		return s, err
	}
	s.text = redactUsers(source)
	if s.Storage == "" {
		return s, fault.New(ErrUsage, "read SOURCE", "%q does not say where the cluster's files are", redactUsers(source)).WithHint("add ?storage=URI: %s", form)
	}
	return s, nil
}

// metaPrefix is where a cluster's metadata lies in etcd (docs/format/etcd.md 1).
func (s Source) metaPrefix() string {
	if strings.HasSuffix(s.EtcdRoot, "/meta") {
		return s.EtcdRoot
	}
	return s.EtcdRoot + "/meta"
}

// Resolve finds the snapshot that source names. It reads metadata and manifests only.
//
// Errors: [ErrUsage] for a source that can't be meant or means several things (the message lists them), fault.ErrMissing where there is no such collection or snapshot (the
// message lists what there is), fault.ErrUnsupported for milvus:// (see MetadataSource) and for
// unknown versions, fault.ErrUnsafePath, fault.ErrCorrupt, fault.ErrLimit for what metadata says.
func Resolve(ctx context.Context, source string, opts Options) (*Snapshot, error) {
	src, err := Parse(source)
	if err != nil {
		return nil, err
	}
	if opts.Opener == nil {
		return nil, fault.New(ErrUsage, "resolve", "no opener")
	}
	switch src.Form {
	case FormName:
		return loadNamed(ctx, src, opts)
	case FormBackup:
		return loadBackup(ctx, src, opts)
	case FormEtcd, FormEtcdFile:
		return loadCluster(ctx, src, opts)
	case FormMilvus:
		return nil, fault.Unsupported("resolve", "milvus:// sources are not read here").On(src.text).
			WithHint("ask a client where it is, see MetadataSource; or name the bucket: s3://bucket/root#collection/snapshot")
	}
	return loadFile(ctx, src, opts)
}
