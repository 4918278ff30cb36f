package store

import (
	"context"
	"database/sql"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/indexer/sqlite/sqlitetest"
)

var update = flag.Bool("update", false, "write the golden files")

func texts(t *testing.T, s *Store, query string) (out []string) {
	t.Helper()
	err := s.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) (err error) {
		out, err = sqlite.Collect(ctx, q, query, func(rows *sql.Rows) (text string, err error) {
			err = rows.Scan(&text)
			return text, err
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSchema_IsTheGoldenOne(t *testing.T) {
	t.Parallel()
	s := openTest(t, filepath.Join(t.TempDir(), "escrow.db"), Options{})
	got := strings.Join(texts(t, s, `
		SELECT sql FROM sqlite_schema
		WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND tbl_name NOT LIKE 'goose_%'
		ORDER BY tbl_name, type = 'trigger', type = 'index', name`), ";\n") + ";\n"
	golden := filepath.Join("testdata", "schema.sql")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the schema is another one; -update accepts it (-golden +migrated):\n%s", diff)
	}
}

func TestSchema_TablesAreStrict(t *testing.T) {
	t.Parallel()
	s := openTest(t, filepath.Join(t.TempDir(), "escrow.db"), Options{})
	loose := texts(t, s, `
		SELECT name FROM pragma_table_list
		WHERE schema = 'main' AND type = 'table' AND NOT strict AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'`)
	if len(loose) > 0 {
		t.Errorf("not STRICT: %v", loose)
	}
}

func TestStatements_ParametersAppearInOrder(t *testing.T) {
	t.Parallel()
	sqlitetest.ParametersInOrder(t, ".", 3)
}
