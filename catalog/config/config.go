// Package config reads the settings of Iceberg catalogs as users of pyiceberg keep them: the file .pyiceberg.yaml, variables
// PYICEBERG_CATALOG__NAME__KEY over it, and flags over both. It opens nothing.
//
// A catalog is a name and a list of properties, whose names are those of pyiceberg (docs/guide/catalogs.md). Nested keys are
// written with dots: s3.endpoint. Names of catalogs and properties have no upper case here, as in pyiceberg.
package config

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/snapexport/snapexport/fault"
)

// FileName is what the file is called, wherever it lies.
const FileName = ".pyiceberg.yaml"

const op = "read catalog settings"

// maxBytes is far beyond any settings file.
const maxBytes = 1 << 20

// Catalogs are all catalogs that are configured.
type Catalogs struct {
	File    string // that was read; "" if there is none
	Default string // name of the catalog that is meant when none is named
	props   map[string]map[string]string
}

// Places returns where the file is looked for, in order: PYICEBERG_HOME, the home folder, the working folder.
func Places(getenv func(string) string) []string {
	var out []string
	for _, dir := range []string{getenv("PYICEBERG_HOME"), getenv("HOME"), "."} {
		if dir != "" {
			out = append(out, filepath.Join(dir, FileName))
		}
	}
	return out
}

// Read reads the first of the files that is there, with the variables (each NAME=value) over it.
func Read(places, environ []string, open func(name string) (io.ReadCloser, error)) (*Catalogs, error) {
	c := &Catalogs{Default: "default", props: map[string]map[string]string{}}
	for _, name := range places {
		f, err := open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fault.Missing(op, "%w", err).On(name)
		}
		body, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
		f.Close()
		if err != nil {
			return nil, fault.Missing(op, "%w", err).On(name)
		}
		if len(body) > maxBytes {
			return nil, fault.Limit(op, "more than %d bytes", maxBytes).On(name)
		}
		if err := c.parse(body); err != nil {
			return nil, fault.Place(err, name)
		}
		c.File = name
		break
	}
	for _, line := range environ {
		c.variable(line)
	}
	return c, nil
}

// parse takes what the file says of catalogs; the rest of it is pyiceberg's own.
func (c *Catalogs) parse(body []byte) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(body, &doc); err != nil {
		// its message may quote the line, which may be a password
		return fault.Corrupt(op, "it is not YAML")
	}
	if len(doc.Content) == 0 {
		return nil
	}
	for key, value := range entries(doc.Content[0]) {
		switch key {
		case "default-catalog":
			c.Default = strings.ToLower(value.Value)
		case "catalog":
			for name, props := range entries(value) {
				if props.Kind != yaml.MappingNode {
					return fault.Corrupt(op, "catalog %q has no properties", name)
				}
				flatten(c.of(name), "", props)
			}
		}
	}
	return nil
}

// entries gives the pairs of a mapping, keys in lower case; none of anything else.
func entries(n *yaml.Node) func(yield func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(strings.ToLower(n.Content[i].Value), n.Content[i+1]) {
				return
			}
		}
	}
}

func flatten(into map[string]string, prefix string, n *yaml.Node) {
	for key, value := range entries(n) {
		if value.Kind == yaml.MappingNode {
			flatten(into, prefix+key+".", value)
		} else if value.Kind == yaml.ScalarNode && value.Tag != "!!null" {
			into[prefix+key] = value.Value
		}
	}
}

// variable takes PYICEBERG_CATALOG__NAME__KEY=value and PYICEBERG_DEFAULT_CATALOG=name. In KEY, two underscores are a dot
// and one is a hyphen.
func (c *Catalogs) variable(line string) {
	name, value, _ := strings.Cut(line, "=")
	rest, ours := strings.CutPrefix(strings.ToLower(name), "pyiceberg_")
	if !ours || value == "" {
		return
	}
	parts := strings.SplitN(rest, "__", 3)
	for i := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(parts[i], "__", "."), "_", "-")
	}
	switch {
	case len(parts) == 1 && parts[0] == "default-catalog":
		c.Default = strings.ToLower(value)
	case len(parts) == 3 && parts[0] == "catalog" && parts[1] != "" && parts[2] != "":
		c.of(parts[1])[parts[2]] = value
	}
}

func (c *Catalogs) of(name string) map[string]string {
	name = strings.ToLower(name)
	if c.props[name] == nil {
		c.props[name] = map[string]string{}
	}
	return c.props[name]
}

// Names returns the names of the catalogs, sorted.
func (c *Catalogs) Names() []string { return slices.Sorted(maps.Keys(c.props)) }

// Get returns a catalog's settings with those of flags over them. It is ErrMissing if nobody has said anything of it.
func (c *Catalogs) Get(name string, flags map[string]string) (Settings, error) {
	have, known := c.props[strings.ToLower(name)]
	if !known && len(flags) == 0 {
		where := "there is no " + FileName
		if c.File != "" {
			where = c.File + " has " + strings.Join(c.Names(), ", ")
		}
		return Settings{}, fault.Missing("open catalog", "catalog %q is not configured: %s", name, where).
			WithHint("write it into ~/%s, or give --catalog-uri", FileName)
	}
	props := maps.Clone(have)
	if props == nil {
		props = map[string]string{}
	}
	for key, value := range flags {
		props[strings.ToLower(key)] = value
	}
	return Settings{Name: name, props: props}, nil
}
