package store

import (
	"context"
	"fmt"
	"os"
)

// Backup writes a copy of the index, as it is at one moment, to a file that must
// not exist. A service may go on meanwhile.
func (s *Store) Backup(ctx context.Context, file string) error {
	if _, err := os.Stat(file); err == nil {
		return fmt.Errorf("store: back up: %s exists already", file)
	}
	if _, err := s.read.ExecContext(ctx, `VACUUM INTO $1`, file); err != nil {
		return fmt.Errorf("store: back up to %s: %w", file, err)
	}
	return nil
}
