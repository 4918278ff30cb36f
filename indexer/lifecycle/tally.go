package lifecycle

import (
	"cmp"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// tally keeps the sums of a proposal, in whatever order they are told.
type tally struct {
	standing   map[syntax.DID]Counting // each account's newest estimate
	currencies map[money.Currency]*totals
	raised     map[attemptCurrency]*Sum
}

// attemptCurrency is what a goal is about.
type attemptCurrency struct {
	attempt  AttemptURI
	currency money.Currency
}

// totals are the sums in one currency.
type totals struct {
	versions                       map[syntax.CID]*EstimateSum // by the proposal's
	pending                        int64
	pledged, donated               Sum
	releasing, released            Sum
	refunding, refunded, takenBack Sum
	pledgers, donors               map[syntax.DID]bool
	receipts                       int64
}

func newTally() *tally {
	return &tally{
		standing:   map[syntax.DID]Counting{},
		currencies: map[money.Currency]*totals{},
		raised:     map[attemptCurrency]*Sum{},
	}
}

func (s *tally) of(c money.Currency) *totals {
	if s.currencies[c] == nil {
		s.currencies[c] = &totals{
			versions: map[syntax.CID]*EstimateSum{}, pledgers: map[syntax.DID]bool{}, donors: map[syntax.DID]bool{},
		}
	}
	return s.currencies[c]
}

// begin takes in estimates that were summed up before, and those of them that
// others may take the place of.
func (s *tally) begin(sums []EstimateSum, summed []Estimate) {
	for _, sum := range sums {
		s.of(sum.Currency).version(sum.Proposal).addAll(sum)
	}
	for _, e := range summed {
		s.standing[e.Author] = e.Count()
	}
}

// estimate lets the newest of the account stand.
func (s *tally) estimate(e Estimate) {
	old, ok := s.standing[e.Author]
	if ok && !old.before(e.Meta) {
		return
	}
	if ok && old.Reason == "" {
		s.of(old.Value.Currency).version(old.Proposal.CID).Remove(old)
	}
	c := e.Count()
	s.standing[e.Author] = c
	if c.Reason == "" {
		s.of(c.Value.Currency).version(c.Proposal.CID).Add(c)
	}
}

func (s *tally) forgetEstimates() {
	clear(s.standing)
	for _, t := range s.currencies {
		clear(t.versions)
	}
}

// outdated reports whether an estimate counts that is for another version of the
// proposal.
func (s *tally) outdated(version syntax.CID) bool {
	for _, t := range s.currencies {
		for cid, sum := range t.versions {
			if cid != version && sum.Estimators > 0 {
				return true
			}
		}
	}
	return false
}

func (t *totals) version(proposal syntax.CID) *EstimateSum {
	if t.versions[proposal] == nil {
		t.versions[proposal] = &EstimateSum{}
	}
	return t.versions[proposal]
}

// receipt adds the payment where its status says that the money is.
func (s *tally) receipt(r *Receipt) {
	t := s.of(r.Value.Currency)
	place := t.place(r)
	if place == nil {
		return
	}
	place.add(r.Value.Amount)
	t.receipts++
	switch place {
	case &t.pledged:
		t.pledgers[r.Payer] = true
	case &t.donated:
		t.donors[r.Payer] = true
	}
	switch place {
	case &t.pledged, &t.donated, &t.releasing, &t.released:
		key := attemptCurrency{r.Attempt, r.Value.Currency}
		if s.raised[key] == nil {
			s.raised[key] = &Sum{}
		}
		s.raised[key].add(r.Value.Amount)
	}
}

// place is the sum that a receipt belongs to; nil for a status that its kind of
// payment cannot have. Donations are never held (rule 5).
func (t *totals) place(r *Receipt) *Sum {
	switch r.Status {
	case ReceiptRefunding, ReceiptRefundFailed:
		return &t.refunding
	case ReceiptRefunded:
		return &t.refunded
	case ReceiptChargedBack, ReceiptReversed:
		return &t.takenBack
	}
	if r.isOf(lexicons.CollectionDonation) {
		if r.Status == ReceiptPaid {
			return &t.donated
		}
		return nil
	}
	switch r.Status {
	case ReceiptHeld:
		return &t.pledged
	case ReceiptReleasing:
		return &t.releasing
	case ReceiptReleased:
		return &t.released
	}
	return nil
}

func (s *tally) funding(goal *Development) []Funding {
	out := make([]Funding, 0, len(s.currencies)+1)
	for c, t := range s.currencies {
		var estimates EstimateSum
		for _, version := range t.versions {
			estimates.addAll(*version)
		}
		if estimates.Estimators == 0 && t.pending == 0 && t.receipts == 0 {
			continue
		}
		out = append(out, Funding{
			Currency:  c,
			Estimated: estimates.Estimated.shown(), Estimators: estimates.Estimators,
			EstimatedProven: estimates.EstimatedProven.shown(), EstimatorsProven: estimates.EstimatorsProven,
			Pledged: t.pledged.shown(), Pledgers: int64(len(t.pledgers)), Pending: t.pending,
			Donated: t.donated.shown(), Donors: int64(len(t.donors)),
			Releasing: t.releasing.shown(), Released: t.released.shown(),
			Refunding: t.refunding.shown(), Refunded: t.refunded.shown(), ChargedBack: t.takenBack.shown(),
		})
	}
	if goal != nil {
		currency, amount, raised := goal.Goal.Currency, goal.Goal.Amount, int64(0)
		if r := s.raised[attemptCurrency{goal.URI, currency}]; r != nil {
			raised = r.shown()
		}
		i := slices.IndexFunc(out, func(f Funding) bool { return f.Currency == currency })
		if i < 0 {
			i = len(out)
			out = append(out, Funding{Currency: currency})
		}
		out[i].Goal, out[i].Raised = &amount, &raised
	}
	slices.SortFunc(out, func(a, b Funding) int { return cmp.Compare(a.Currency, b.Currency) })
	return out
}
