package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// Backup writes a copy of the database at path, as it is at one moment, to a file
// that must not exist. A service may go on meanwhile.
func Backup(ctx context.Context, path, file string) (err error) {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("sqlite: there is nothing to back up: %w", err)
	}
	if _, err := os.Stat(file); err == nil {
		return fmt.Errorf("sqlite: back up: %s exists already", file)
	}
	// Read-only as a whole: query_only would refuse to write the copy as well.
	db, err := Open(path, url.Values{"mode": {"ro"}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, `VACUUM INTO $1`, file); err != nil {
		return fmt.Errorf("sqlite: back up to %s: %w", file, err)
	}
	return nil
}
