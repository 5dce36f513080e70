package driver

import (
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/apache/iceberg-go"
	icebergsql "github.com/apache/iceberg-go/catalog/sql"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/snapexport/snapexport/catalog/config"
	"github.com/snapexport/snapexport/fault"
)

// busyMilli is how long a writer waits for another one of the same SQLite file.
const busyMilli = "10000"

func openSQL(s config.Settings) (opened, error) {
	out := opened{refused: refusedSQL}
	driver, source, dialect, err := dataSource(s.Get("uri"))
	if err != nil {
		return out, err
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return out, fault.Unsupported(op, "the uri is not usable") // the driver's text may quote it
	}
	if dialect == icebergsql.SQLite {
		db.SetMaxOpenConns(1) // a file has one writer; waiting here is cheaper than being told that it is locked
	}
	cat, err := icebergsql.NewCatalog(s.Name, db, dialect, iceberg.Properties(s.All()))
	if err != nil {
		return out, errors.Join(err, db.Close())
	}
	out.catalog = database{cat, db}
	return out, nil
}

// database is a catalog with the connections that are its own.
type database struct {
	*icebergsql.Catalog
	db *sql.DB
}

// Close closes both.
func (d database) Close() error { return errors.Join(d.Catalog.Close(), d.db.Close()) }

// dataSource reads the URIs of SQLAlchemy, which pyiceberg takes: sqlite:///relative.db, sqlite:////absolute.db,
// postgresql://user:password@host/database, postgresql+psycopg2://...
func dataSource(uri string) (driver, source string, dialect icebergsql.SupportedDialect, err error) {
	scheme, rest, _ := strings.Cut(uri, "://")
	kind, _, _ := strings.Cut(scheme, "+")
	switch kind {
	case "postgresql", "postgres":
		return "pgx", "postgres://" + rest, icebergsql.Postgres, nil
	case "sqlite":
		name, found := strings.CutPrefix(rest, "/")
		name, _, _ = strings.Cut(name, "?")
		if !found || name == "" || name == ":memory:" {
			return "", "", "", fault.Unsupported(op, "a SQLite catalog is a file").WithHint("write sqlite:///relative.db or sqlite:////absolute.db")
		}
		abs, err := filepath.Abs(filepath.FromSlash(name))
		if err != nil {
			return "", "", "", fault.Unsupported(op, "%w", err)
		}
		file := url.URL{Scheme: "file", Path: abs, RawQuery: "_txlock=immediate&_pragma=busy_timeout(" + busyMilli + ")"}
		return "sqlite", file.String(), icebergsql.SQLite, nil
	}
	return "", "", "", fault.Unsupported(op, "SQL catalogs of kind %q", kind).WithHint("there are sqlite:///FILE and postgresql://user@host/database")
}

// refusedSQL knows Postgres's classes 28 (authorization) and 42501 (privilege), and connections that were never made.
func refusedSQL(err error) *fault.Error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (strings.HasPrefix(pg.Code, "28") || pg.Code == "42501") {
		return fault.Auth(op, "%w", err)
	}
	return nil
}
