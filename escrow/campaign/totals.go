package campaign

import (
	"context"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// Totals are sums over a campaign's receipts, in minor units of its currency.
type Totals struct {
	Pledgers    int64 `json:"pledgers"` // accounts whose money is held
	Held        int64 `json:"held"`
	Released    int64 `json:"released"` // also on its way, before the fee
	Refunded    int64 `json:"refunded"` // also on its way, or owed
	ChargedBack int64 `json:"chargedBack"`
	Fee         int64 `json:"fee"`
}

// TotalsOf adds the receipts of an attempt up.
func TotalsOf(ctx context.Context, q sqlite.Querier, attempt ledger.AttemptKey) (Totals, error) {
	counted, err := ledger.CountReceipts(ctx, q, attempt)
	if err != nil {
		return Totals{}, err
	}
	return Sum(counted), nil
}

// Sum adds receipts up. The sums are bounded as the lexicon bounds them.
func Sum(counted []ledger.Counted) (t Totals) {
	for _, c := range counted {
		t.Fee += c.Fee
		switch c.Status {
		case lifecycle.ReceiptHeld:
			t.Held, t.Pledgers = t.Held+c.Amount, t.Pledgers+c.Payers
		case lifecycle.ReceiptReleasing, lifecycle.ReceiptReleased:
			t.Released += c.Amount
		case lifecycle.ReceiptRefunding, lifecycle.ReceiptRefunded, lifecycle.ReceiptRefundFailed:
			t.Refunded += c.Amount
		case lifecycle.ReceiptChargedBack:
			t.ChargedBack += c.Amount
		}
	}
	for _, sum := range []*int64{&t.Held, &t.Released, &t.Refunded, &t.ChargedBack, &t.Fee} {
		*sum = min(*sum, lifecycle.MaxTotal)
	}
	return t
}
