package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// attacked is a ledger with a past in which everything has happened once, and a head
// of it that was published.
func attacked(t *testing.T) (w *world, published Head) {
	t.Helper()
	w = newWorld(t)
	for _, hold := range []HoldID{"h1", "h2", "h3", "h4", "h5"} {
		w.held(hold, 2500)
	}
	w.decideRefund("h1", ReasonWithdrawn)
	w.refundSucceeded(w.refundTaken("h1", 2500))
	w.decideRefund("h2", ReasonWithdrawn)
	w.refundTaken("h2", 2500)
	published = w.head()
	w.chargeback("h3", 2500)
	w.settle()
	w.sent("h4", ann)
	w.settled(w.sent("h4", ben))
	w.verify(published, w.head())
	return w, published
}

// edit changes the file as somebody can who has it: with another program, and
// without our triggers and foreign keys.
func (w *world) edit(statements ...string) {
	w.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+w.path+"?_foreign_keys=off&_ignore_check_constraints=on")
	w.ok(err)
	defer db.Close()
	rows, err := db.Query(`SELECT name FROM sqlite_schema WHERE type = 'trigger'`)
	w.ok(err)
	var triggers []string
	for rows.Next() {
		var name string
		w.ok(rows.Scan(&name))
		triggers = append(triggers, name)
	}
	w.ok(rows.Err())
	for _, name := range triggers {
		_, err := db.Exec(`DROP TRIGGER ` + name)
		w.ok(err)
	}
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			w.t.Fatalf("%s: %v", s, err)
		}
	}
}

// rehash makes the chain right again, from what the tables hold now.
func (w *world) rehash() {
	w.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+w.path)
	w.ok(err)
	defer db.Close()
	previous := genesis(payments.Simulator)
	entries, err := sqlite.Collect(w.ctx, db, `SELECT sequence, reference, kind, at, facts, lines FROM entry ORDER BY sequence`,
		func(rows *sql.Rows) (r row, err error) {
			var facts []byte
			err = rows.Scan(&r.sequence, &r.reference, &r.kind, &r.at, &facts, &r.lines)
			r.facts = Digest(facts)
			return r, err
		})
	w.ok(err)
	for _, e := range entries {
		c := link(nil, previous, e.sequence, e.reference, e.kind, e.at, e.facts, e.lines)
		lines, err := sqlite.Collect(w.ctx, db, `
			SELECT d.path, c.path, amount FROM posting JOIN account AS d ON d.id = debit JOIN account AS c ON c.id = credit
			WHERE entry = $1 ORDER BY line`, func(rows *sql.Rows) (struct{}, error) {
			var debit, credit string
			var amount int64
			err := rows.Scan(&debit, &credit, &amount)
			c.line(debit, credit, amount)
			return struct{}{}, err
		}, e.sequence)
		w.ok(err)
		if len(lines) != e.lines {
			w.t.Fatalf("entry %d has %d lines", e.sequence, len(lines))
		}
		previous = c.digest()
		_, err = db.Exec(`UPDATE entry SET hash = $1 WHERE sequence = $2`, previous[:], e.sequence)
		w.ok(err)
	}
}

func TestVerify_CatchesAnEditedFile(t *testing.T) {
	t.Parallel()
	const charge = `(SELECT charged FROM hold WHERE id = 'h1')`
	for name, attack := range map[string]struct {
		edits []string
		want  string // in what is found
	}{
		"amount":           {[]string{`UPDATE posting SET amount = 2400 WHERE entry = ` + charge + ` AND line = 1`}, "hash"},
		"account of line":  {[]string{`UPDATE posting SET credit = (SELECT id FROM account WHERE kind = 'fee-income') WHERE entry = ` + charge + ` AND line = 1`}, "hash"},
		"line removed":     {[]string{`DELETE FROM posting WHERE entry = ` + charge + ` AND line = 2`}, "lines instead of"},
		"line added":       {[]string{`INSERT INTO posting SELECT entry, 3, debit, credit, amount FROM posting WHERE entry = ` + charge + ` AND line = 1`}, "lines instead of"},
		"lines swapped":    {[]string{`UPDATE posting SET line = line + 2 WHERE entry = 1`, `UPDATE posting SET line = 5 - line WHERE entry = 1 AND line = 4`, `UPDATE posting SET line = 2 WHERE entry = 1 AND line = 3`}, "hash"},
		"entry removed":    {[]string{`DELETE FROM posting WHERE entry = 7`, `DELETE FROM entry WHERE sequence = 7`}, "follows 6"},
		"entry orphaned":   {[]string{`DELETE FROM entry WHERE sequence = 7`}, "a line of an entry that is not there"},
		"the last orphans": {[]string{`INSERT INTO posting SELECT 1000, line, debit, credit, amount FROM posting WHERE entry = 1`}, "a line of an entry that is not there"},
		"reference":        {[]string{`UPDATE entry SET reference = 'balance-transaction/other' WHERE sequence = 1`}, "hash"},
		"time":             {[]string{`UPDATE entry SET at = at + 1 WHERE sequence = 1`}, "hash"},
		"time backwards":   {[]string{`UPDATE entry SET at = 5 WHERE sequence = 3`}, "older"},
		"facts":            {[]string{`UPDATE entry SET facts = zeroblob(32) WHERE sequence = 1`}, "hash"},
		"short hash":       {[]string{`UPDATE entry SET hash = zeroblob(31) WHERE sequence = 1`}, "32 bytes"},
		"account renamed":  {[]string{`UPDATE account SET path = 'USD/hold/h9/held' WHERE path = 'USD/hold/h1/held'`}, "hash"},
		"account of a kind": {[]string{`UPDATE account SET kind = 'float', bound = 'none' WHERE path = 'USD/hold/h1/held'`},
			"is kept as"},
		"account removed": {[]string{`DELETE FROM account WHERE path = 'USD/fee-income'`}, "accounts, and the last is number"},
		"balance":         {[]string{`UPDATE account SET balance = balance + 1 WHERE path = 'USD/float' OR kind = 'owed'`}, "its postings add up to"},
		"exit changed":    {[]string{`UPDATE exit SET outcome = 'refund' WHERE hold = 'h4'`}, "not what was posted"},
		"exit removed":    {[]string{`DELETE FROM exit WHERE hold = 'h1'`}, "was refunded"},
		"exit invented":   {[]string{`INSERT INTO exit (hold, outcome, reason) VALUES ('h3', 'settlement', '')`}, "not what was posted"},
		"hold's amount":   {[]string{`UPDATE hold SET amount = 1 WHERE id = 'h5'`}, "not posted so"},
		"hold voided":     {[]string{`UPDATE hold SET state = 'voided' WHERE id = 'h5'`}, "not posted so"},
		"payout":          {[]string{`UPDATE payout SET amount = amount + 1 WHERE hold = 'h5' AND payee = 'did:plc:ann'`}, "owed, something else"},
		"payout removed":  {[]string{`DELETE FROM payout WHERE hold = 'h5'`}, "owed, something else"},
		"transfer":        {[]string{`UPDATE payout SET state = 'settled' WHERE hold = 'h4'`}, "on its way otherwise"},
		"refund":          {[]string{`UPDATE refund SET state = 'succeeded'`}, "refunds in transit"},
		"chargeback":      {[]string{`UPDATE chargeback SET state = 'won'`}, "open chargebacks"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := attacked(t)
			w.edit(attack.edits...)
			r, err := w.l.Verify(t.Context(), w.s, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(fmt.Sprint(r.Findings), attack.want) {
				t.Errorf("%q is not in %v", attack.want, r.Findings)
			}
		})
	}
}

func TestVerify_APublishedHeadCatchesAPastThatWasMadeAnew(t *testing.T) {
	t.Parallel()
	for name, edits := range map[string][]string{
		"truncated": {`DELETE FROM posting WHERE entry > 4`, `DELETE FROM entry WHERE sequence > 4`},
		"rewritten": {`UPDATE posting SET amount = amount + 100 WHERE entry = 1 AND line = 2`},
		"inserted": {`UPDATE posting SET entry = -entry - 1 WHERE entry > 2`, `UPDATE entry SET sequence = -sequence - 1 WHERE sequence > 2`,
			`UPDATE posting SET entry = -entry WHERE entry < 0`, `UPDATE entry SET sequence = -sequence WHERE sequence < 0`,
			`INSERT INTO entry SELECT 3, 'balance-transaction/invented', kind, at, facts, lines, hash FROM entry WHERE sequence = 2`,
			`INSERT INTO posting SELECT 3, line, debit, credit, amount FROM posting WHERE entry = 2`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, published := attacked(t)
			w.edit(edits...)
			w.rehash()
			r, err := w.l.Verify(t.Context(), w.s, []Head{published}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if found := fmt.Sprint(r.Findings); !strings.Contains(found, "published") {
				t.Errorf("found only %s", found)
			}
			// Without the head the chain itself looks right.
			r, err = w.l.Verify(t.Context(), w.s, nil, nil)
			if err != nil || strings.Contains(fmt.Sprint(r.Findings), "hash") {
				t.Errorf("the attack is not what it says: %v, %v", r.Findings, err)
			}
		})
	}
}

func TestVerify_ALedgerOfAnotherModeIsNotOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1", 2500)
	r, err := New(payments.Live).Verify(t.Context(), w.s, nil, nil)
	if err != nil || r.Whole() {
		t.Errorf("a simulated ledger passes for a live one: %v, %v", r, err)
	}
}

func TestVerify_TellsItsProgressAndLimitsWhatItSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1", 2500)
	const entries = 3 * progressEvery / 2
	w.do(func(ctx context.Context, tx *store.Tx) error {
		for n := range entries {
			e := Entry{Reference: Reference(fmt.Sprint("r", n)), Kind: "k", Lines: []Line{{Of(KindProcessor, "USD"), Of(KindFloat, "USD"), 1}}}
			if _, err := w.l.Post(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	var told []int64
	r, err := w.l.Verify(t.Context(), w.s, nil, func(n int64) { told = append(told, n) })
	if err != nil || !r.Whole() || r.Entries != entries+1 || r.Postings != entries+2 || r.Head != w.head() || fmt.Sprint(told) != "[10000]" {
		t.Fatalf("%+v, %v, progress %v", r, err, told)
	}
	w.edit(`UPDATE entry SET hash = zeroblob(32)`)
	if r, err = w.l.Verify(t.Context(), w.s, nil, nil); err != nil || r.Found != entries+1 || len(r.Findings) != findingsKept {
		t.Errorf("%d found and %d kept, %v", r.Found, len(r.Findings), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := w.l.Verify(ctx, w.s, nil, func(int64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("whoever gave up heard %v", err)
	}
}

// A statement of an empty ledger has a head as well, which only a ledger of its mode begins
// with.
func TestVerify_ComparesAHeadFromBeforeTheFirstEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.head()
	w.held("h1", 2500)
	w.verify(first)
	for name, head := range map[string]Head{
		"of another mode":  {Hash: genesis(payments.Live)},
		"of nothing":       {},
		"below any ledger": {Sequence: -1, Hash: first.Hash},
	} {
		r, err := w.l.Verify(t.Context(), w.s, []Head{head}, nil)
		w.ok(err)
		if r.Found != 1 {
			t.Errorf("%s: %v", name, r.Findings)
		}
	}
}

// The bytes that are hashed are a promise to whoever keeps a head: this is worked
// out by hand from docs/escrow.md.
func TestChain_HasTheDocumentedBytes(t *testing.T) {
	t.Parallel()
	number := func(n int) string { return string([]byte{0, 0, 0, 0, 0, 0, byte(n >> 8), byte(n)}) }
	text := func(s string) string { return number(len(s)) + s }
	previous, facts := Digest{1, 2, 3}, Digest{9}
	want := string(previous[:]) + text("fund.stratos.ledger.entry.1") + number(7) + text("ref") + text("charge") + number(500) +
		text(string(facts[:])) + number(1) + text("USD/processor") + text("USD/hold/h1/held") + number(2500)
	c := link(nil, previous, 7, "ref", "charge", 500, facts, 1)
	c.line(Of(KindProcessor, "USD").Path(), OfHold(KindHeld, "USD", "h1").Path(), 2500)
	if string(c) != want {
		t.Errorf("\n got %x\nwant %x", []byte(c), want)
	}
	if genesis(payments.Live) == genesis(payments.Test) {
		t.Error("two modes begin alike")
	}
	if a, b := factsOf("k", nil, "ab", "c"), factsOf("k", nil, "a", "bc"); a == b {
		t.Error("two facts have the same digest")
	}
}

func TestBackup_IsAWholeLedger(t *testing.T) {
	t.Parallel()
	w, published := attacked(t)
	file := filepath.Join(t.TempDir(), "copy.db")
	w.ok(w.s.Backup(t.Context(), file))
	copied, err := store.OpenReadOnly(t.Context(), file)
	w.ok(err)
	defer copied.Close()
	r, err := w.l.Verify(t.Context(), copied, []Head{published, w.head()}, nil)
	if err != nil || !r.Whole() {
		t.Errorf("%v, %v", r, err)
	}
	if err := w.s.Backup(t.Context(), file); err == nil {
		t.Error("a backup was written over another one")
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}
