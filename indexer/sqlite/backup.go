package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// Backup writes a copy of the database at path, as it is at one moment, to a file
// that must not exist. A service may go on meanwhile. The copy is on the disk when
// Backup returns, and gone when it fails.
func Backup(ctx context.Context, path, file string) (err error) {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("sqlite: there is nothing to back up: %w", err)
	}
	if _, err := os.Stat(file); err == nil {
		return fmt.Errorf("sqlite: back up: %s exists already", file)
	}
	// Read-only as a whole: query_only would refuse to write the copy as well. A copy that
	// nobody ran on yet has no log, and is not given one here.
	db, err := Open(path, url.Values{"mode": {"ro"}, "_journal_mode": nil})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err = db.ExecContext(ctx, `VACUUM INTO $1`, file); err == nil {
		// SQLite does not sync a copy.
		err = errors.Join(syncFile(file), syncFile(filepath.Dir(file)))
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("sqlite: back up to %s: %w", file, err)
	if removed := os.Remove(file); removed != nil && !errors.Is(removed, os.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}

func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
