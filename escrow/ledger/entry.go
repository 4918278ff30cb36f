package ledger

import (
	"fmt"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

// Reference is under what an entry is posted once.
type Reference string

// Kind is what an entry tells of.
type Kind string

// Line moves an amount from the credit to the debit of two accounts in the same
// currency, and so balances by its shape.
type Line struct {
	Debit, Credit Account
	Amount        int64 // minor units, above zero
}

// Entry is what is posted at once.
type Entry struct {
	Reference Reference
	Kind      Kind
	// Facts is a digest of what happened, by which a second telling of the same is
	// known. The lines also depend on what the ledger held at that moment.
	Facts Digest
	Lines []Line
}

func (e *Entry) check() error {
	if e.Reference == "" || e.Kind == "" || len(e.Lines) == 0 {
		return fmt.Errorf("%w: %q, a %q with %d lines", ErrEntry, e.Reference, e.Kind, len(e.Lines))
	}
	for _, l := range e.Lines {
		if l.Amount <= 0 || l.Debit == l.Credit || l.Debit.currency != l.Credit.currency {
			return fmt.Errorf("%w: %s has the line %s / %s %d", ErrEntry, e.Reference, l.Debit, l.Credit, l.Amount)
		}
		if err := l.Debit.check(); err != nil {
			return err
		}
		if err := l.Credit.check(); err != nil {
			return err
		}
	}
	return nil
}

// Head is the newest entry of a ledger, as statements publish it. An empty ledger
// has sequence 0.
type Head struct {
	Sequence int64
	Hash     Digest
}

// entryFormat names the encoding of an entry in the chain.
const entryFormat = "fund.stratos.ledger.entry.1"

// genesis is the hash before the first entry: no ledger passes for one of another
// mode.
func genesis(mode payments.Mode) Digest {
	var c canonical
	c.text("fund.stratos.ledger")
	c.text(string(mode))
	return c.digest()
}

// link begins the bytes of an entry in the chain; its lines follow, and then the
// hash of everything is the entry's.
func link(c canonical, previous Digest, sequence int64, reference Reference, kind Kind, at int64, facts Digest, lines int) canonical {
	c = append(c[:0], previous[:]...)
	c.text(entryFormat)
	c.number(sequence)
	c.text(string(reference))
	c.text(string(kind))
	c.number(at)
	c.text(string(facts[:]))
	c.number(int64(lines))
	return c
}

// line adds a line.
func (c *canonical) line(debit, credit string, amount int64) {
	c.text(debit)
	c.text(credit)
	c.number(amount)
}
