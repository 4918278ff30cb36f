package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

const upstream = "wss://relay.example"

// start is the moment at which the clocks of the tests begin.
var start = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// tester is what helpers need of a test or of one run of a property.
type tester interface {
	Helper()
	Context() context.Context
	Fatalf(format string, args ...any)
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: start} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// trusting is the policy of most tests: one escrow, real money only.
var trusting = lifecycle.Policy{TrustedEscrows: []syntax.DID{escrow}}

// testStore is a store on a real file, with its clock.
type testStore struct {
	*Store
	clock *clock
	path  string
}

func newTestStore(t *testing.T) *testStore {
	t.Helper()
	s := openTestStore(t, filepath.Join(t.TempDir(), "index.db"), trusting, newClock())
	t.Cleanup(func() { mustClose(t, s) })
	return s
}

func openTestStore(t tester, path string, policy lifecycle.Policy, c *clock) *testStore {
	t.Helper()
	s, err := Open(t.Context(), Config{Path: path, Policy: policy}, Options{Clock: c.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	return &testStore{Store: s, clock: c, path: path}
}

func mustClose(t tester, s *testStore) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("close the store: %v", err)
	}
}

func mustRead(t tester, s *testStore, fn func(*Reader) error) {
	t.Helper()
	if err := s.Read(t.Context(), fn); err != nil {
		t.Fatalf("read: %v", err)
	}
}

func mustDrain(t tester, s *testStore) (transactions int) {
	t.Helper()
	for {
		more, err := s.DeriveStale(t.Context())
		if err != nil {
			t.Fatalf("derive: %v", err)
		}
		transactions++
		if !more {
			return transactions
		}
	}
}

// The tables that hold what the records say, and what follows from them.
var (
	typedTables = []string{
		"project", "project_maintainer", "project_uri", "proposal", "proposal_tag", "estimate", "pledge", "response", "development",
		"development_payee", "attempt_part", "campaign", "campaign_payee", "receipt",
		"donation", "dispute", "verification", "ruling", "terms", "service",
	}
	derivedTables = []string{"standing", "stage_interval", "funding", "ranking", "claimed"}
	queueTables   = []string{"dirty_standing", "dirty_estimate", "dirty_proposal", "dirty_words"}
)

// dump lists all rows that must not depend on the order of arrival, sorted.
func dump(t tester, s *testStore) []string {
	t.Helper()
	out := dumpQuery(t, s, "record", `SELECT * FROM record`)
	for _, table := range typedTables {
		out = append(out, dumpQuery(t, s, table,
			`SELECT r.uri AS record, x.* FROM `+table+` x JOIN record r ON r.id = x.record_id`)...)
	}
	out = slices.Concat(out, dumpWords(t, s, "proposal_fts"), dumpWords(t, s, "title_fts"), dumpRecordWords(t, s, "project_fts"))
	return append(out, dumpDerived(t, s)...)
}

// dumpWords lists where each word of each proposal stands in an index of proposals.
func dumpWords(t tester, s *testStore, table string) []string {
	t.Helper()
	mustExec(t, s, `CREATE VIRTUAL TABLE IF NOT EXISTS temp.word_of_`+table+` USING fts5vocab ('main', '`+table+`', 'instance')`)
	out, err := collect(t.Context(), s.writer, `
		SELECT format('%s %s %s %s %d from %d to %d', $1, r.uri, w.term, w.col, w.offset, g.from_at, g.to_at)
		FROM temp.word_of_`+table+` w LEFT JOIN wording g ON g.id = w.doc LEFT JOIN record r ON r.id = g.record_id
		ORDER BY 1`, scanString, table)
	if err != nil {
		t.Fatalf("dump the words of %s: %v", table, err)
	}
	return out
}

// dumpRecordWords lists where each word stands in an index of records.
func dumpRecordWords(t tester, s *testStore, table string) []string {
	t.Helper()
	mustExec(t, s, `CREATE VIRTUAL TABLE IF NOT EXISTS temp.word_of_`+table+` USING fts5vocab ('main', '`+table+`', 'instance')`)
	out, err := collect(t.Context(), s.writer, `
		SELECT format('%s %s %s %s %d', $1, r.uri, w.term, w.col, w.offset)
		FROM temp.word_of_`+table+` w LEFT JOIN record r ON r.id = w.doc
		ORDER BY 1`, scanString, table)
	if err != nil {
		t.Fatalf("dump the words of %s: %v", table, err)
	}
	return out
}

func dumpDerived(t tester, s *testStore) []string {
	t.Helper()
	var out []string
	for _, table := range slices.Concat(derivedTables, queueTables) {
		out = append(out, dumpQuery(t, s, table, `SELECT * FROM `+table)...)
	}
	return out
}

func dumpQuery(t tester, s *testStore, name, query string) []string {
	t.Helper()
	rows, err := s.read.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("dump %s: %v", name, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatalf("dump %s: %v", name, err)
	}
	var out []string
	for rows.Next() {
		out = append(out, name+dumpRow(t, rows, columns))
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("dump %s: %v", name, err)
	}
	slices.Sort(out)
	return out
}

func dumpRow(t tester, rows *sql.Rows, columns []string) string {
	t.Helper()
	values := make([]any, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		t.Fatalf("dump a row: %v", err)
	}
	var b strings.Builder
	for i, column := range columns {
		switch column {
		case "id", "record_id", "indexed_at", "value": // rows ids and times of arrival; the cid stands for the value
			continue
		}
		fmt.Fprintf(&b, " %s=%v", column, values[i])
	}
	return b.String()
}

// count counts the rows of a table.
func count(t tester, s *testStore, table string) int {
	t.Helper()
	var n int
	if err := s.read.QueryRowContext(t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil {
		t.Fatalf("count %s: %v", table, err)
	}
	return n
}

func mustExec(t tester, s *testStore, query string, args ...any) {
	t.Helper()
	if _, err := s.writer.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}
