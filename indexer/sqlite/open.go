package sqlite

import (
	"database/sql"
	"fmt"
	"net/url"
	"strings"

	_ "github.com/mattn/go-sqlite3" // the driver
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
