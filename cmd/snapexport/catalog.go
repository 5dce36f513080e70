package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	icebergcatalog "github.com/apache/iceberg-go/catalog"
	icebergtable "github.com/apache/iceberg-go/table"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/catalog/config"
	"github.com/snapexport/snapexport/catalog/driver"
	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/objstore"
)

const catalogHelp = `Catalogs are configured as for pyiceberg: in .pyiceberg.yaml (in PYICEBERG_HOME, the home folder or
the working folder), by variables PYICEBERG_CATALOG__NAME__KEY over it, and by flags over both.`

// catalogFlags name a catalog and set its properties.
type catalogFlags struct {
	name, uri, warehouse string
	properties           []string
}

func (c *catalogFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.name, "catalog", "", "`NAME` of the catalog that has the table, of .pyiceberg.yaml or to be set by the flags below")
	c.settings(cmd)
	complete(cmd, "catalog")
}

func (c *catalogFlags) settings(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.uri, "catalog-uri", "", "`URI` of the catalog: https://host (REST), postgresql://host/db, sqlite:///file.db, thrift://host (Hive)")
	f.StringVar(&c.warehouse, "warehouse", "", "`PLACE` of the catalog's new tables, or for REST the name of a warehouse")
	f.StringArrayVar(&c.properties, "catalog-property", nil, "`KEY=VALUE` of the catalog, as in .pyiceberg.yaml (repeatable); secrets belong there or in the environment")
	for _, free := range []string{"catalog-uri", "warehouse", "catalog-property"} {
		complete(cmd, free)
	}
}

// flags are the properties that flags set.
func (c *catalogFlags) flags() (map[string]string, error) {
	out := map[string]string{}
	for _, p := range c.properties {
		key, value, found := strings.Cut(p, "=")
		if !found || key == "" {
			return nil, usage("--catalog-property wants KEY=VALUE") // what it is may be a secret
		}
		out[key] = value
	}
	if c.uri != "" {
		out["uri"] = c.uri
	}
	if c.warehouse != "" {
		out["warehouse"] = c.warehouse
	}
	return out, nil
}

// catalogs reads what is configured.
func (a *app) catalogs() (*config.Catalogs, error) {
	return config.Read(config.Places(a.getenv), os.Environ(), func(name string) (io.ReadCloser, error) { return os.Open(name) })
}

// openCatalog opens the catalog, and stores as its properties say.
func (a *app) openCatalog(ctx context.Context, c *catalogFlags) (*catalog.Named, *objstore.Opener, error) {
	all, err := a.catalogs()
	if err != nil {
		return nil, nil, err
	}
	flags, err := c.flags()
	if err != nil {
		return nil, nil, err
	}
	name := c.name
	if name == "" {
		name = all.Default
	}
	settings, err := all.Get(name, flags)
	if err != nil {
		return nil, nil, err
	}
	stores, err := a.storeConfig()
	if err != nil {
		return nil, nil, err
	}
	if stores.Settings, err = settings.Store(stores.Settings); err != nil {
		return nil, nil, err
	}
	log.SetOutput(io.Discard) // iceberg-go's remarks on old databases; errors come as errors
	opener := objstore.NewOpener(stores)
	cat, err := driver.Open(ctx, settings, opener.Open)
	return cat, opener, err
}

// destination finds the table of --catalog. Without --catalog, in is nil and the opener that of everything.
func (a *app) destination(ctx context.Context, c *catalogFlags, name, location string) (in *export.Destination, opener *objstore.Opener, err error) {
	if c.name == "" {
		if c.uri != "" || c.warehouse != "" || len(c.properties) > 0 || location != "" {
			return nil, nil, usage("--catalog-uri, --warehouse, --catalog-property and --location go with --catalog NAME")
		}
		return nil, a.opener, nil
	}
	ident, err := catalog.ParseIdent(name)
	if err != nil {
		return nil, nil, usageError{err}
	}
	cat, opener, err := a.openCatalog(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	at, _, err := cat.Where(ctx, ident, location)
	if err != nil {
		return nil, nil, errors.Join(err, cat.Close())
	}
	return &export.Destination{Catalog: cat, Ident: ident, Location: at}, opener, nil
}

// tableOf gives the catalog and identifier of a TABLE, for verbs that read one. Call done afterwards.
func (a *app) tableOf(ctx context.Context, c *catalogFlags, name string) (cat icebergcatalog.Catalog, ident icebergtable.Identifier, done func() error, err error) {
	in, opener, err := a.destination(ctx, c, name, "")
	if err != nil {
		return nil, nil, nil, err
	}
	if in == nil {
		return catalog.NewPath(opener.Open, catalog.PathOptions{}), catalog.Ident(name), func() error { return nil }, nil
	}
	return in.Catalog, in.Ident, in.Catalog.Close, nil
}

func (a *app) catalogCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "catalog", Short: "Look at Iceberg catalogs", Long: "Look at Iceberg catalogs.\n\n" + catalogHelp, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("unknown command %q for %q", args[0], cmd.CommandPath())
		}
		return cmd.Help()
	}}
	cmd.AddCommand(a.catalogListCommand(), a.catalogShowCommand())
	return cmd
}

func (a *app) catalogListCommand() *cobra.Command {
	var flags catalogFlags
	cmd := &cobra.Command{
		Use:   "list [NAME]",
		Short: "List the catalogs that are configured, or the tables of one",
		Long:  "List the catalogs that are configured, with their settings but for secrets, or the tables of one.\n\n" + catalogHelp,
		Example: `  snapexport catalog list
  snapexport catalog list lake
  snapexport catalog list lake --catalog-uri https://catalog.example.com --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("give one catalog, or none")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.listCatalogs()
			}
			flags.name = args[0]
			return a.listTables(cmd.Context(), &flags)
		},
	}
	flags.settings(cmd)
	return cmd
}

// shownCatalog is a catalog of the settings as it is shown.
type shownCatalog struct {
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	Default    bool              `json:"default"`
	Properties map[string]string `json:"properties"`
}

func (a *app) listCatalogs() error {
	all, err := a.catalogs()
	if err != nil {
		return err
	}
	found := []shownCatalog{}
	for _, name := range all.Names() {
		s, err := all.Get(name, nil)
		if err != nil {
			return err
		}
		kind, _ := s.Type() // of one that can't be told, "" is shown
		found = append(found, shownCatalog{name, string(kind), name == all.Default, s.Shown()})
	}
	if a.json {
		return a.printJSON(map[string]any{"file": all.File, "catalogs": found})
	}
	if len(found) == 0 {
		fmt.Fprintf(a.out, "no catalogs are configured: there is no %s and no variable PYICEBERG_CATALOG__NAME__URI\n", config.FileName)
		return nil
	}
	t := newTable("catalog", "type", "property", "value")
	for _, c := range found {
		name := c.Name
		if c.Default {
			name += " (default)"
		}
		for _, key := range slices.Sorted(maps.Keys(c.Properties)) {
			t.AppendRow(table.Row{name, c.Type, key, c.Properties[key]})
			name, c.Type = "", ""
		}
	}
	_, err = fmt.Fprintln(a.out, t.Render())
	return err
}

func (a *app) listTables(ctx context.Context, flags *catalogFlags) (err error) {
	cat, _, err := a.openCatalog(ctx, flags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cat.Close()) }()
	tables, err := cat.Tables(ctx)
	if err != nil {
		return err
	}
	names := []string{}
	for _, t := range tables {
		names = append(names, strings.Join(t, "."))
	}
	slices.Sort(names)
	if a.json {
		return a.printJSON(map[string]any{"catalog": cat.Name(), "tables": names})
	}
	for _, name := range names {
		fmt.Fprintln(a.out, name)
	}
	return nil
}

func (a *app) catalogShowCommand() *cobra.Command {
	var flags catalogFlags
	cmd := &cobra.Command{
		Use:   "show TABLE",
		Short: "Show a table: where it is, its columns, snapshots and tags",
		Long:  "Show a table: where it is, its columns, snapshots and tags. TABLE is a path or URI, or namespace.table\nwith --catalog.\n\n" + catalogHelp,
		Example: `  snapexport catalog show docs.pages --catalog lake
  snapexport catalog show s3a://lake/docs`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("give one TABLE")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			cat, ident, done, err := a.tableOf(cmd.Context(), &flags, args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, done()) }()
			t, err := catalog.Load(cmd.Context(), cat, ident)
			if err != nil {
				return err
			}
			return a.showTable(t)
		},
	}
	flags.register(cmd)
	return cmd
}

// shownSnapshot is a snapshot of a table as it is shown.
type shownSnapshot struct {
	ID        int64             `json:"id"`
	Time      time.Time         `json:"time"`
	Operation string            `json:"operation"`
	Refs      []string          `json:"refs"`
	Summary   map[string]string `json:"summary"`
}

func (a *app) showTable(t *catalog.Table) error {
	snapshots := []shownSnapshot{}
	for _, s := range t.Snapshots {
		refs := slices.Sorted(slices.Values(s.Tags))
		snapshots = append(snapshots, shownSnapshot{s.ID, s.Time, s.Operation, refs, s.Summary})
	}
	type column struct {
		ID       int    `json:"id"`
		Name     string `json:"name"`
		Type     string `json:"type"`
		Required bool   `json:"required"`
		Doc      string `json:"doc,omitempty"`
	}
	columns := []column{}
	for _, f := range t.Schema.Fields() {
		columns = append(columns, column{f.ID, f.Name, f.Type.String(), f.Required, f.Doc})
	}
	if a.json {
		return a.printJSON(map[string]any{"table": t.Name, "location": t.Location, "metadata_location": t.MetadataLocation, "format_version": t.Metadata.Version(),
			"columns": columns, "properties": t.Properties, "snapshots": snapshots})
	}
	fmt.Fprintf(a.out, "%s at %s (format %d)\n\n", t.Name, t.Location, t.Metadata.Version())
	list := newTable(">id", "column", "type", "", "")
	for _, c := range columns {
		required := ""
		if c.Required {
			required = "required"
		}
		list.AppendRow(table.Row{c.ID, c.Name, c.Type, required, c.Doc})
	}
	fmt.Fprintf(a.out, "%s\n\n", list.Render())
	list = newTable(">snapshot", "time", "operation", ">rows", "tags and branches")
	for _, s := range snapshots {
		list.AppendRow(table.Row{s.ID, s.Time.Format(time.RFC3339), s.Operation, s.Summary["total-records"], strings.Join(s.Refs, ", ")})
	}
	_, err := fmt.Fprintln(a.out, list.Render())
	return err
}
