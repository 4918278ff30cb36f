package lifecycle

import (
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Estimate is a feature.estimate record. Largest is the author's standing in
// the estimate's currency, as [Standing] gives it; 0 when there is none.
type Estimate struct {
	Meta
	Proposal Ref
	Value    money.Money
	Largest  int64
}

// NotCounted says why an estimate is listed and does not count.
type NotCounted string

const (
	// NotCountedSuperseded: the account has a newer estimate for the proposal.
	NotCountedSuperseded NotCounted = "superseded"
	// NotCountedCurrency: nothing counts in this currency (rule 2).
	NotCountedCurrency NotCounted = "currency-not-counted"
	// NotCountedAfterOpening: it was created after a preview had opened (rule 6).
	NotCountedAfterOpening NotCounted = "after-opening"
)

// Counting is what an estimate amounts to at some moment.
type Counting struct {
	Estimate
	// Counted is min(amount, cap) in minor units; 0 when Reason is set.
	Counted int64
	// Cap is the author's cap in the estimate's currency; 0 where there is none.
	Cap int64
	// Proven: the author has a successful contribution in that currency.
	Proven bool
	// Outdated: it was given for another version of the proposal (F4).
	Outdated bool
	Reason   NotCounted
}

// CountEstimates says of every estimate in the facts that exists at t what it
// counts for (rule 2): the newest of each account, once, up to the account's cap.
// One that was created after the opening of a preview does not count, nor does it
// take the place of an older one (rule 6). The result is sorted newest first. The
// facts must hold all estimates of an account, or none; or, of everybody's, the newest.
func CountEstimates(f Facts, t time.Time) []Counting {
	existing := make([]Estimate, 0, len(f.Estimates))
	for _, e := range f.Estimates {
		if e.existsAt(t) {
			existing = append(existing, e)
		}
	}
	slices.SortFunc(existing, func(a, b Estimate) int { return b.compare(a.Meta) })
	existing = slices.CompactFunc(existing, func(a, b Estimate) bool { return a.URI == b.URI })

	until := evaluate(&f).estimatesCountUntil(t)
	seen := make(map[syntax.DID]bool, len(existing))
	out := make([]Counting, 0, len(existing))
	for _, e := range existing {
		c := e.Count()
		c.Outdated = e.Proposal.CID != f.Proposal.CID
		switch {
		case e.CreatedAt.After(until):
			c.Counted, c.Reason = 0, NotCountedAfterOpening
		case seen[e.Author]:
			c.Counted, c.Reason = 0, NotCountedSuperseded
		default:
			seen[e.Author] = true
		}
		out = append(out, c)
	}
	return out
}

// Count says what an estimate counts for by itself.
func (e Estimate) Count() Counting {
	c := Counting{Estimate: e, Proven: e.Largest > 0}
	limit, counts := Cap(e.Value.Currency, e.Largest)
	c.Cap = limit
	if !counts {
		c.Reason = NotCountedCurrency
		return c
	}
	c.Counted = min(e.Value.Amount, limit)
	return c
}

// EstimateSum is what estimates in one currency, for one version of a proposal, that count
// for amounts of one range, count for together. Its sums can be kept: one estimate more or
// less is added or taken away.
type EstimateSum struct {
	Currency  money.Currency
	Proposal  syntax.CID
	Step      int // as of [StepOf]
	Estimated Sum
	// EstimatedProven is the part of accounts with a successful contribution.
	EstimatedProven              Sum
	Estimators, EstimatorsProven int64
}

// Add adds an estimate that counts.
func (s *EstimateSum) Add(c Counting) {
	s.Estimators++
	s.Estimated.add(c.Counted)
	if c.Proven {
		s.EstimatorsProven++
		s.EstimatedProven.add(c.Counted)
	}
}

// Remove takes away what was added.
func (s *EstimateSum) Remove(c Counting) {
	s.Estimators--
	s.Estimated.remove(c.Counted)
	if c.Proven {
		s.EstimatorsProven--
		s.EstimatedProven.remove(c.Counted)
	}
}

func (s *EstimateSum) addAll(o EstimateSum) {
	s.Estimated.addAll(o.Estimated)
	s.EstimatedProven.addAll(o.EstimatedProven)
	s.Estimators += o.Estimators
	s.EstimatorsProven += o.EstimatorsProven
}

// EstimatesCountUntil is the moment after which an estimate must not have been
// created to count at t (rule 6). It holds for all of the future that the facts
// know of when lasting is true: then sums of what counts need no second look at
// the single estimates. The estimates in the facts do not matter.
func EstimatesCountUntil(f Facts, t time.Time) (until time.Time, lasting bool) {
	if len(f.Campaigns) == 0 {
		return End, true
	}
	e := evaluate(&f)
	for _, a := range e.attempts {
		if a.campaign != nil && !a.campaign.existsAt(t) {
			return time.Time{}, false
		}
	}
	return e.estimatesCountUntil(t), true
}

// estimatesCountUntil is the moment after which an estimate must not have been
// created to count at t: the first opening of a preview, but for those whose
// attempt ends in refunds (rule 6).
func (e *evaluation) estimatesCountUntil(t time.Time) time.Time {
	until := End
	for _, a := range e.attempts {
		if c := existing(a.campaign, t); c != nil && !c.Phase.refunds() {
			until = earlier(until, c.OpensAt)
		}
	}
	return until
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
