package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	_ "github.com/mattn/go-sqlite3" // the driver
	"github.com/pressly/goose/v3"
)

// Open opens a database file. Pragmas are in the DSN: executed through a pool they
// would reach one connection only. Extra ones replace ours.
func Open(path string, extra url.Values) (*sql.DB, error) {
	q := url.Values{
		"_foreign_keys": {"on"},
		"_journal_mode": {"WAL"},
		"_busy_timeout": {"5000"},
		"_cache_size":   {"-16000"}, // KiB per connection
	}
	for k, v := range extra {
		q[k] = v
	}
	db, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, err)
	}
	return db, nil
}

// PathOf takes the path out of sqlite://data/some.db (below the working directory) or
// sqlite:///var/lib/some.db.
func PathOf(address string) (string, error) {
	path, ok := strings.CutPrefix(address, "sqlite://")
	if !ok || path == "" {
		return "", fmt.Errorf("%q: want sqlite:// and a path", address)
	}
	return path, nil
}

// Migrate brings a database up to the newest of the migrations in the folder.
func Migrate(ctx context.Context, db *sql.DB, migrations fs.FS, folder string) error {
	dir, err := fs.Sub(migrations, folder)
	if err != nil {
		return fmt.Errorf("sqlite: migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, dir)
	if err != nil {
		return fmt.Errorf("sqlite: migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("sqlite: migrate: %w", err)
	}
	return nil
}
