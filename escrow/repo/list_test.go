package repo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// give is a donation of another payer than those of the pledges.
func (w *world) give(n int) syntax.ATURI {
	w.t.Helper()
	subject := syntax.ATURI(fmt.Sprintf("at://did:plc:patronpatronpatronpatron/fund.stratos.feature.donation/3lbqxkdzvqk2%d", n))
	w.do(func(ctx context.Context, tx *store.Tx) error {
		p := pinOf("h1", w.account.DID)
		p.Pledge = subject
		if err := w.repo.PinReceipt(ctx, tx, p); err != nil {
			return err
		}
		return w.repo.DonationPaid(ctx, tx, Donation{subject, someCID, money.Money{Amount: 2500, Currency: "USD"}})
	})
	return subject
}

// TestListReceipts_HasPledgesAndDonationsInTheOrderInWhichTheyBegan: also when what they
// say changed since.
func TestListReceipts_HasPledgesAndDonationsInTheOrderInWhichTheyBegan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1")
	d2 := w.give(2)
	w.held("h3")
	w.held("h4")
	d5 := w.give(5)
	p1, p3, p4 := pledgeOf("h1"), pledgeOf("h3"), pledgeOf("h4")
	w.refunding("h1", ledger.ReasonWithdrawn)
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.repo.DonationReversed(ctx, tx, d2, true) })

	development := syntax.ATURI(pinOf("h1", w.account.DID).Development.Uri)
	pledger, patron := p1.Authority().DID(), d2.Authority().DID()
	all := []syntax.ATURI{d5, p4, p3, d2, p1}
	for name, test := range map[string]struct {
		filter ReceiptFilter
		want   []syntax.ATURI
	}{
		"all":                     {ReceiptFilter{}, all},
		"of the development":      {ReceiptFilter{Development: development}, all},
		"of another development":  {ReceiptFilter{Development: development + "x"}, nil},
		"of who pledged":          {ReceiptFilter{Payer: pledger}, []syntax.ATURI{p4, p3, p1}},
		"of who donated":          {ReceiptFilter{Payer: patron}, []syntax.ATURI{d5, d2}},
		"of a longer did":         {ReceiptFilter{Payer: patron[:len(patron)-1]}, nil},
		"of both":                 {ReceiptFilter{Development: development, Payer: patron}, []syntax.ATURI{d5, d2}},
		"held":                    {ReceiptFilter{Status: lifecycle.ReceiptHeld}, []syntax.ATURI{p4, p3}},
		"paid":                    {ReceiptFilter{Status: lifecycle.ReceiptPaid}, []syntax.ATURI{d5}},
		"reversed":                {ReceiptFilter{Status: lifecycle.ReceiptReversed}, []syntax.ATURI{d2}},
		"refunding of all others": {ReceiptFilter{Development: development, Payer: pledger, Status: lifecycle.ReceiptRefunding}, []syntax.ATURI{p1}},
	} {
		var got []syntax.ATURI
		for before, more := int64(0), true; more; more = before != 0 {
			var page []View
			w.ok(w.store.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) (err error) {
				page, before, err = w.repo.ListReceipts(ctx, q, test.filter, before, 2)
				return err
			}))
			for _, v := range page {
				var r stratos.EscrowReceipt
				w.ok(json.Unmarshal(v.JSON, &r))
				got = append(got, syntax.ATURI(r.Subject.Uri))
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	for _, statement := range []string{`UPDATE receipt SET number = number + 10`, `DELETE FROM receipt`} {
		err := w.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.ExecContext(ctx, statement)
			return err
		})
		if err == nil {
			t.Errorf("%s is done", statement)
		}
	}
}
