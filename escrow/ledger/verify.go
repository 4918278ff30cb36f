package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

const (
	// findingsKept bounds how much a verification says of a ledger that is wrong
	// everywhere.
	findingsKept = 100
	// progressEvery is after how many entries a verification tells how far it is,
	// and looks whether it is still wanted.
	progressEvery = 10_000
)

// Finding is something that is not as it must be.
type Finding struct {
	Sequence int64 // of the entry; 0 when it is about none
	What     string
}

func (f Finding) String() string {
	if f.Sequence == 0 {
		return f.What
	}
	return fmt.Sprintf("entry %d: %s", f.Sequence, f.What)
}

// Report is the outcome of a verification. The ledger is whole when there are no
// findings.
type Report struct {
	Entries, Postings, Accounts int64
	Head                        Head
	Findings                    []Finding // the first ones
	Found                       int64     // all of them
}

// Whole reports whether nothing was found.
func (r *Report) Whole() bool { return r.Found == 0 }

func (r *Report) find(sequence int64, format string, args ...any) {
	r.Found++
	if len(r.Findings) < findingsKept {
		r.Findings = append(r.Findings, Finding{sequence, fmt.Sprintf(format, args...)})
	}
}

// Verify recomputes the chain from its first entry, what each account holds, and
// which way each hold went, and compares them with what the database says and with
// heads that were published. Progress is told every now and then.
//
// It reads the postings as a stream, and keeps nine bytes for each account. What it
// finds is in the report; an error means that it could not look.
//
// Whoever can write to the file can make a whole ledger of another past. Only a head
// that was published earlier catches that.
func (l *Ledger) Verify(ctx context.Context, s *store.Store, heads []Head, progress func(entries int64)) (*Report, error) {
	r := &Report{}
	err := s.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		beginning := Head{Hash: genesis(l.mode)}
		v := &verification{Report: r, ctx: ctx, q: q, beginning: beginning, previous: last{Head: beginning}, heads: heads, progress: progress}
		return v.run()
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: verify: %w", err)
	}
	return r, nil
}

type verification struct {
	*Report
	ctx context.Context
	q   sqlite.Querier
	// beginning is the head of a ledger of this mode that has no entry.
	beginning Head
	previous  last
	heads     []Head
	progress  func(entries int64)

	lines *lineReader
	// sums and ways are what the postings say of each account, by its row: debits
	// less credits, and for those that held something where it went.
	sums []int64
	ways []byte
}

// Where what was held went.
const (
	wayNone byte = iota
	wayRefund
	waySettlement
)

func (v *verification) run() (err error) {
	if err := v.countAccounts(); err != nil {
		return err
	}
	if v.lines, err = readLines(v.ctx, v.q); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.lines.Close()) }()
	if err := v.entries(); err != nil {
		return err
	}
	v.Head = v.previous.Head
	v.compareHeads()
	for _, check := range []func() error{v.balances, v.exits, v.rows} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// countAccounts makes room. Rows of accounts are numbered without gaps, since none
// is ever deleted.
func (v *verification) countAccounts() error {
	var highest int64
	err := v.q.QueryRowContext(v.ctx, `SELECT count(*), coalesce(max(id), 0) FROM account`).Scan(&v.Accounts, &highest)
	if err != nil {
		return fmt.Errorf("count the accounts: %w", err)
	}
	if highest != v.Accounts {
		v.find(0, "there are %d accounts, and the last is number %d", v.Accounts, highest)
	}
	v.sums, v.ways = make([]int64, v.Accounts+1), make([]byte, v.Accounts+1)
	return nil
}

func (v *verification) entries() error {
	rows, err := v.q.QueryContext(v.ctx, `SELECT sequence, reference, kind, at, facts, lines, hash FROM entry ORDER BY sequence`)
	if err != nil {
		return fmt.Errorf("read the entries: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var e row
		var facts, hash sql.RawBytes
		if err := rows.Scan(&e.sequence, &e.reference, &e.kind, &e.at, &facts, &e.lines, &hash); err != nil {
			return fmt.Errorf("read entry after %d: %w", v.previous.Sequence, err)
		}
		if len(facts) != len(e.facts) || len(hash) != len(e.hash) {
			v.find(e.sequence, "a digest has not 32 bytes")
			continue
		}
		e.facts, e.hash = Digest(facts), Digest(hash)
		if err := v.entry(e); err != nil {
			return err
		}
		if v.Entries++; v.Entries%progressEvery == 0 {
			if err := v.ctx.Err(); err != nil {
				return err
			}
			if v.progress != nil {
				v.progress(v.Entries)
			}
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the entries: %w", err)
	}
	return v.stray(math.MaxInt64)
}

// row is an entry as the database has it.
type row struct {
	sequence, at int64
	reference    Reference
	kind         Kind
	facts, hash  Digest
	lines        int
}

// entry checks one entry with its lines, and that it follows the one before.
func (v *verification) entry(e row) error {
	if e.sequence != v.previous.Sequence+1 {
		v.find(e.sequence, "follows %d", v.previous.Sequence)
	}
	if e.at < v.previous.at {
		v.find(e.sequence, "is older than the one before")
	}
	if err := v.stray(e.sequence); err != nil {
		return err
	}
	c := link(v.lines.bytes, v.previous.Hash, e.sequence, e.reference, e.kind, e.at, e.facts, e.lines)
	n := 0
	for v.lines.entry == e.sequence {
		n++
		line := &v.lines.line
		if line.number != n || line.amount <= 0 || currencyOf(line.debit.path) != currencyOf(line.credit.path) {
			v.find(e.sequence, "line %d is no line %d: %s / %s %d", line.number, n, line.debit.path, line.credit.path, line.amount)
		}
		c.line(line.debit.path, line.credit.path, line.amount)
		v.move(e.sequence)
		if err := v.lines.next(); err != nil {
			return err
		}
	}
	v.lines.bytes = c
	if n != e.lines {
		v.find(e.sequence, "has %d lines instead of %d", n, e.lines)
	}
	if c.digest() != e.hash {
		v.find(e.sequence, "%s does not have the hash of its content and of what came before", e.reference)
	}
	// The chain goes on from what is written, so that one change is one finding.
	v.previous = last{Head{e.sequence, e.hash}, e.at}
	for _, h := range v.heads {
		if h.Sequence == e.sequence && h.Hash != e.hash {
			v.find(e.sequence, "is not the one that was published with hash %x", h.Hash)
		}
	}
	return nil
}

// stray passes over lines before an entry that belong to none.
func (v *verification) stray(until int64) error {
	for v.lines.entry != 0 && v.lines.entry < until {
		v.find(v.lines.entry, "a line of an entry that is not there")
		if err := v.lines.next(); err != nil {
			return err
		}
	}
	return nil
}

// move adds the line at hand to what its accounts hold.
func (v *verification) move(sequence int64) {
	v.Postings++
	line := &v.lines.line
	for _, side := range []struct {
		lineSide
		amount int64
	}{{line.debit, line.amount}, {line.credit, -line.amount}} {
		if side.id <= 0 || side.id >= int64(len(v.sums)) {
			v.find(sequence, "account %d is not there", side.id)
			continue
		}
		sum := v.sums[side.id] + side.amount
		if (sum > v.sums[side.id]) != (side.amount > 0) {
			v.find(sequence, "%s overflows", side.path)
		}
		v.sums[side.id] = sum
	}
	if way := wayOf(line.debit.path, line.credit.path); way != wayNone && line.debit.id > 0 && line.debit.id < int64(len(v.ways)) {
		if before := v.ways[line.debit.id]; before != wayNone && before != way {
			v.find(sequence, "%s went two ways", line.debit.path)
		}
		v.ways[line.debit.id] = way
	}
}

func currencyOf(path string) string {
	currency, _, _ := strings.Cut(path, "/")
	return currency
}

func kindOf(path string) AccountKind { return AccountKind(path[strings.LastIndexByte(path, '/')+1:]) }

func wayOf(debit, credit string) byte {
	if kindOf(debit) != KindHeld {
		return wayNone
	}
	switch kindOf(credit) {
	case KindRefundDue:
		return wayRefund
	case KindOwed, KindFeeIncome:
		return waySettlement
	}
	return wayNone
}

func (v *verification) compareHeads() {
	for _, h := range v.heads {
		switch {
		case h.Sequence > v.Head.Sequence:
			v.find(h.Sequence, "was published, and the ledger ends with %d", v.Head.Sequence)
		case h.Sequence < 0:
			v.find(h.Sequence, "was published, and no ledger has it")
		case h.Sequence == 0 && h != v.beginning:
			v.find(0, "before the first entry hash %x was published, and a ledger of this mode begins with %x", h.Hash, v.beginning.Hash)
		}
	}
}

// balances compares what each account holds with what the database keeps of it, and
// with the chart.
func (v *verification) balances() error {
	rows, err := v.q.QueryContext(v.ctx, `SELECT id, path, kind, currency, bound, balance FROM account ORDER BY id`)
	if err != nil {
		return fmt.Errorf("read the accounts: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, balance int64
		var path, currency string
		var kind AccountKind
		var bound Bound
		if err := rows.Scan(&id, &path, &kind, &currency, &bound, &balance); err != nil {
			return fmt.Errorf("read the accounts: %w", err)
		}
		switch {
		case id <= 0 || id >= int64(len(v.sums)): // was found
			continue
		case balance != v.sums[id]:
			v.find(0, "%s has %d, and its postings add up to %d", path, balance, v.sums[id])
		case kind != kindOf(path) || currency != currencyOf(path) || bound != chart[kind].bound:
			v.find(0, "%s is kept as %s %s, bound %s", path, currency, kind, bound)
		case bound == BoundDebit && v.sums[id] < 0, bound == BoundCredit && v.sums[id] > 0:
			v.find(0, "%s is on the wrong side: %d", path, v.sums[id])
		}
	}
	return rows.Err()
}

// exits compares the way that each hold went, by the postings, with its exit.
func (v *verification) exits() error {
	rows, err := v.q.QueryContext(v.ctx, `
		SELECT account.id, account.path, coalesce(exit.outcome, '')
		FROM account
		LEFT JOIN exit ON exit.hold = substr(account.path, 10, length(account.path) - 14)
		WHERE account.kind = 'held'`)
	if err != nil {
		return fmt.Errorf("read the exits: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var path string
		var outcome Outcome
		if err := rows.Scan(&id, &path, &outcome); err != nil {
			return fmt.Errorf("read the exits: %w", err)
		}
		if id <= 0 || id >= int64(len(v.ways)) {
			continue
		}
		switch way := v.ways[id]; {
		case (way == waySettlement) != (outcome == OutcomeSettlement):
			v.find(0, "%s: its exit is %q, which is not what was posted", path, outcome)
		case way == wayRefund && outcome != OutcomeRefund:
			v.find(0, "%s was refunded, and its exit is %q", path, outcome)
		}
	}
	return rows.Err()
}

// contradictions are what must not be in the rows beside the entries. Each query
// returns a name for everything that is wrong.
var contradictions = []struct{ what, query string }{
	{"is charged, and its charge is not posted so", `
		SELECT hold.id FROM hold WHERE charged IS NOT NULL AND NOT EXISTS (
			SELECT 1 FROM posting JOIN account ON account.id = posting.credit
			WHERE posting.entry = hold.charged AND posting.amount = hold.amount AND account.path =
				hold.currency || '/hold/' || hold.id || CASE hold.state WHEN 'posted' THEN '/held' ELSE '/refund-due' END)`},
	{"is paid, or owed, something else than its payouts say", `
		SELECT coalesce(path, key) FROM (
			SELECT key, sum(amount) AS amount FROM (
				SELECT hold.currency || '/attempt/' || hold.attempt || '/' || payee || '/owed' AS key,
					CASE payout.state WHEN 'settled' THEN 0 ELSE payout.amount - withheld - recovered END AS amount
				FROM payout JOIN hold ON hold.id = payout.hold)
			GROUP BY key) AS owed
		FULL JOIN (SELECT path, -balance AS balance FROM account WHERE kind = 'owed') ON path = key
		WHERE coalesce(amount, 0) <> coalesce(balance, 0)`},
	{"is on its way otherwise than its payouts say", `
		SELECT coalesce(path, key) FROM (
			SELECT key, sum(amount) AS amount FROM (
				SELECT hold.currency || '/attempt/' || hold.attempt || '/' || payee || '/in-transit' AS key,
					payout.amount - withheld - recovered AS amount
				FROM payout JOIN hold ON hold.id = payout.hold WHERE payout.state = 'sent')
			GROUP BY key) AS sent
		FULL JOIN (SELECT path, balance FROM account WHERE kind = 'in-transit' AND balance <> 0) ON path = key
		WHERE coalesce(amount, 0) <> coalesce(balance, 0)`},
	{"has refunds in transit that its account does not", `
		SELECT hold.id FROM hold
		LEFT JOIN (SELECT hold, amount FROM refund WHERE state = 'taken') AS taken ON taken.hold = hold.id
		LEFT JOIN account ON account.path = hold.currency || '/hold/' || hold.id || '/refund-in-transit'
		WHERE hold.charge IS NOT NULL AND coalesce(taken.amount, 0) <> coalesce(account.balance, 0)`},
	{"has open chargebacks that its account does not", `
		SELECT hold.id FROM hold
		LEFT JOIN (SELECT hold, sum(amount - returned) AS amount FROM chargeback WHERE state = 'open' GROUP BY hold) AS open ON open.hold = hold.id
		LEFT JOIN account ON account.path = hold.currency || '/hold/' || hold.id || '/chargeback-open'
		WHERE hold.charge IS NOT NULL AND coalesce(open.amount, 0) <> coalesce(account.balance, 0)`},
	{"refers to what is not there", `SELECT "table" || ' ' || coalesce(rowid, '') FROM pragma_foreign_key_check`},
}

func (v *verification) rows() error {
	for _, c := range contradictions {
		names, err := sqlite.Collect(v.ctx, v.q, c.query, func(rows *sql.Rows) (name string, err error) {
			err = rows.Scan(&name)
			return name, err
		})
		if err != nil {
			return fmt.Errorf("look for whatever %s: %w", c.what, err)
		}
		for _, name := range names {
			v.find(0, "%s %s", name, c.what)
		}
	}
	return nil
}
