package ledger

import (
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Transaction is a balance transaction of the processor: what moved its balance.
type Transaction struct {
	ID       string
	Amount   int64 // gross; below zero when it left
	Fee      int64 // what the processor took beside it; below zero when it gave some back
	Currency money.Currency
}

// reference is the same for all entries that a balance transaction could become, so
// that it becomes one.
func (t Transaction) reference() Reference { return Reference("balance-transaction/" + t.ID) }

func (t Transaction) encode(c *canonical) {
	c.text(t.ID)
	c.number(t.Amount)
	c.number(t.Fee)
	c.text(string(t.Currency))
}

// factsOf is the digest of what happened: texts that name things, and perhaps a
// movement of the balance.
func factsOf(kind Kind, moved *Transaction, names ...string) Digest {
	var c canonical
	c.text(string(kind))
	c.number(int64(len(names)))
	for _, name := range names {
		c.text(name)
	}
	if moved != nil {
		moved.encode(&c)
	}
	return c.digest()
}
