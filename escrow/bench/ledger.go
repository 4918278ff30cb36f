package bench

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
)

// entryOf is the entry of a charge, with ids as long as a processor's.
func entryOf(number int64) ledger.Entry {
	facts := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(number)))
	id := hex.EncodeToString(facts[:12])
	processor := ledger.Of(ledger.KindProcessor, "USD")
	return ledger.Entry{
		Reference: ledger.Reference("balance-transaction/txn_" + id), Kind: "charge", Facts: facts,
		Lines: []ledger.Line{
			{Debit: processor, Credit: ledger.OfHold(ledger.KindHeld, "USD", ledger.HoldID(id)), Amount: 2500},
			{Debit: ledger.Of(ledger.KindProcessingCost, "USD"), Credit: processor, Amount: 103},
		},
	}
}

// booked is the ledger as the escrow uses it.
type booked struct {
	store   *store.Store
	ledger  *ledger.Ledger
	commits int // belongs to whoever leads a transaction
}

func newBooked(ctx context.Context, path string) (*booked, error) {
	b := &booked{}
	var err error
	b.store, err = store.Open(ctx, store.Config{Path: path, Mode: payments.Simulator}, store.Options{
		Clock: time.Now,
		Crash: func(p crashpoint.Point) error {
			if p == crashpoint.AfterCommit {
				b.commits++
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	b.ledger = ledger.New(b.store.Mode())
	return b, nil
}

func (b *booked) post(ctx context.Context, number int64) error {
	e := entryOf(number)
	return b.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, err := b.ledger.Post(ctx, tx, e)
		return err
	})
}
