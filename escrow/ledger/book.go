package ledger

import "github.com/bluesky-social/indigo/atproto/syntax"

// book collects the lines of an entry about a hold, and keeps the hold's balances in
// step with them. Lines of nothing are left out. Whether there is enough in an
// account is for the database to say.
type book struct {
	*Hold
	lines []Line
}

// account of the hold, or of the operator in the hold's currency.
func (b *book) account(kind AccountKind) Account {
	if chart[kind].scope == perHold {
		return OfHold(kind, b.Value.Currency, b.ID)
	}
	return Of(kind, b.Value.Currency)
}

func (b *book) move(debit, credit AccountKind, amount int64) {
	b.line(b.account(debit), b.account(credit), amount)
}

// payee is an account of one of those who are paid out of the hold.
func (b *book) payee(kind AccountKind, did syntax.DID) Account {
	return OfPayee(kind, b.Value.Currency, b.Attempt, did)
}

func (b *book) line(debit, credit Account, amount int64) {
	if amount == 0 {
		return
	}
	b.lines = append(b.lines, Line{debit, credit, amount})
	b.count(debit, amount)
	b.count(credit, -amount)
}

func (b *book) count(a Account, debited int64) {
	switch {
	case a.hold != b.ID:
	case chart[a.kind].bound == BoundDebit:
		b.Balances[a.kind] += debited
	default:
		b.Balances[a.kind] -= debited
	}
}

// fee adds what the processor took beside a movement of its balance, or gave back.
func (b *book) fee(cost AccountKind, t Transaction) {
	if t.Fee < 0 {
		b.move(KindProcessor, cost, -t.Fee)
		return
	}
	b.move(cost, KindProcessor, t.Fee)
}
