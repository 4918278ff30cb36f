package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// Migrate brings a database up to the newest of the migrations in the folder: files of SQL,
// each of which is executed as a whole, in a transaction. SQLite finds its statements: a
// parser beside it would take most of the time of a test that opens a database. What is
// annotated for that parser is a comment here.
func Migrate(ctx context.Context, db *sql.DB, migrations fs.FS, folder string) error {
	files, err := fs.Glob(migrations, folder+"/*.sql")
	if err != nil {
		return fmt.Errorf("sqlite: list migrations: %w", err)
	}
	var steps []*goose.Migration
	for _, file := range files {
		step, err := migration(migrations, file)
		if err != nil {
			return err
		}
		steps = append(steps, step)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, nil, goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("sqlite: migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("sqlite: migrate: %w", err)
	}
	return nil
}

func migration(migrations fs.FS, file string) (*goose.Migration, error) {
	version, err := goose.NumericComponent(file)
	if err != nil {
		return nil, fmt.Errorf("sqlite: migration %s: %w", file, err)
	}
	text, err := fs.ReadFile(migrations, file)
	if err != nil {
		return nil, fmt.Errorf("sqlite: read a migration: %w", err)
	}
	up := func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, string(text)); err != nil {
			return fmt.Errorf("sqlite: migration %s: %w", file, err)
		}
		return nil
	}
	return goose.NewGoMigration(version, &goose.GoFunc{RunTx: up}, nil), nil
}
