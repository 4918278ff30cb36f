package store

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

var update = flag.Bool("update", false, "write the golden files")

// schema is what the migrations made.
func schema(t *testing.T, s *testStore) string {
	t.Helper()
	statements, err := collect(t.Context(), s.read, `
		SELECT sql FROM sqlite_schema
		WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND tbl_name NOT LIKE 'goose_%'
		AND name NOT LIKE '%\_fts\_%' ESCAPE '\' -- how FTS5 keeps its tables is its own business
		ORDER BY tbl_name, type = 'index', name`, scanString)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(statements, ";\n") + ";\n"
}

func TestSchema_IsTheGoldenOne(t *testing.T) {
	got := schema(t, newTestStore(t))
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
	s := newTestStore(t)
	loose, err := collect(t.Context(), s.read, `
		SELECT name FROM pragma_table_list
		WHERE schema = 'main' AND type = 'table' AND NOT strict AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'`, scanString)
	if err != nil || len(loose) > 0 {
		t.Errorf("not STRICT: %v, %v", loose, err)
	}
}

func texts[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	slices.Sort(out)
	return out
}

func TestSchema_ChecksListTheConstants(t *testing.T) {
	s := newTestStore(t)
	for column, want := range map[string][]string{
		"repo.status":          texts(AccountStatuses()),
		"repo.state":           texts(RepoStates()),
		"stage_interval.stage": texts(lifecycle.Stages()),
		"claim.state":          texts(ClaimStates()),
		"claim.method":         texts(lifecycle.ClaimMethods()),
		"attempt_part.kind":    texts([]string{partPreview, partRelease, partCancellation, partConsent}),
	} {
		table, name, _ := strings.Cut(column, ".")
		var sql string
		if err := s.read.QueryRowContext(t.Context(), `SELECT sql FROM sqlite_schema WHERE name = $1`, table).Scan(&sql); err != nil {
			t.Fatal(err)
		}
		list := regexp.MustCompile(`CHECK \(` + name + ` IN \(([^)]*)\)`).FindStringSubmatch(sql)
		if list == nil {
			t.Errorf("%s has no list", column)
			continue
		}
		var got []string
		for _, quoted := range regexp.MustCompile(`'([^']*)'`).FindAllStringSubmatch(list[1], -1) {
			got = append(got, quoted[1])
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-constants +schema):\n%s", column, diff)
		}
	}
}

func TestOpen_TwiceMigratesOnceAndKeepsTheRows(t *testing.T) {
	path, c := filepath.Join(t.TempDir(), "folder", "a b?#%.db"), newClock()
	w := newWorld(t, openTestStore(t, path, trusting, c))
	w.put(proposal(t, alice, 1, onAccount(bob), nil))
	before, was := dump(t, w.s), schema(t, w.s)
	mustClose(t, w.s)
	mustClose(t, w.s) // a second time is harmless
	s := openTestStore(t, path, trusting, c)
	defer mustClose(t, s)
	if diff := cmp.Diff(before, dump(t, s)); diff != "" {
		t.Errorf("rows changed:\n%s", diff)
	}
	if was != schema(t, s) {
		t.Error("the schema changed")
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the file is elsewhere: %v", err)
	}
	if n := count(t, s, "dirty_proposal"); n != 0 {
		t.Errorf("%d proposals are stale although nothing changed", n)
	}
}
