package lifecycle

import (
	"cmp"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Funding is what a community put behind a proposal in one currency, in minor
// units, with counts of accounts.
//
// Each receipt of a trusted escrow stands in exactly one of the sums, by its
// status: Pledged (held), Releasing, Released, Refunding (refunding, or returned
// by the bank and owed: refund-failed), Refunded, ChargedBack (charged back or
// reversed), and Donated (paid, a donation). So money on its way is neither held
// nor there yet, and what went back is gone from all other sums (rule 18).
type Funding struct {
	Currency         money.Currency
	Estimated        int64
	Estimators       int64
	EstimatedProven  int64
	EstimatorsProven int64
	Pledged          int64
	Pledgers         int64 // accounts whose money is held
	// Pending counts pledges with [StatusPending]; their amounts are never summed.
	Pending int64
	Donated int64
	Donors  int64
	// Goal is the current attempt's; nil when it has none in this currency.
	Goal *int64
	// Raised is the money towards the goal: what was donated for the current
	// attempt, is held for it, or went to its payees. nil without a goal.
	Raised      *int64
	Releasing   int64
	Released    int64
	Refunding   int64
	Refunded    int64
	ChargedBack int64
}

// FundingInterval is the funding that holds until Until (exclusive), beginning
// where the one before it ends, the first at the moment of evaluation.
type FundingInterval struct {
	Until   time.Time
	Funding []Funding // sorted by currency; a currency without anything is absent
}

// EvaluateFunding returns the funding of a proposal from now on. There is more
// than one interval only where a record is dated ahead or the goal of an
// attempt comes or goes with the clock.
//
// It goes through time once, keeping the sums: strangers may date thousands of
// records ahead, and each moment must not cost as much as all of them.
func EvaluateFunding(f Facts, intervals []Interval, now time.Time) []FundingInterval {
	e := evaluate(&f)
	sums := newTally()
	later := e.tell(sums, now)

	var out []FundingInterval
	for t := now; ; {
		for ; len(later) > 0 && !later[0].at.After(t); later = later[1:] {
			later[0].apply()
		}
		for len(intervals) > 0 && !t.Before(intervals[0].To) {
			intervals = intervals[1:]
		}
		until := End
		if len(later) > 0 {
			until = earlier(until, later[0].at)
		}
		var goal *Development
		if len(intervals) > 0 {
			goal = e.goal(intervals[0], t)
			until = earlier(until, intervals[0].To)
			if t.Before(intervals[0].From) {
				until = earlier(until, intervals[0].From)
			}
		}

		out = appendFunding(out, FundingInterval{Until: until, Funding: sums.funding(goal)})
		if !until.Before(End) {
			return out
		}
		t = until
	}
}

// Recounted returns funding that was evaluated before as it is from now on when nothing
// has changed since but the estimates, of which the sums say what they count for: there
// must be none that is still to exist. It spares looking at anything else; see
// [EstimatesCountUntil] for when sums are enough.
func Recounted(before []FundingInterval, sums []EstimateSum, now time.Time) []FundingInterval {
	estimated := map[money.Currency]EstimateSum{}
	for _, s := range sums {
		all := estimated[s.Currency]
		all.addAll(s)
		estimated[s.Currency] = all
	}
	var out []FundingInterval
	for _, iv := range before {
		if !now.Before(iv.Until) {
			continue
		}
		funding := make([]Funding, 0, len(iv.Funding)+len(estimated))
		for _, f := range iv.Funding {
			funding = append(funding, f.recounted(estimated[f.Currency]))
		}
		for currency, sum := range estimated {
			if !slices.ContainsFunc(iv.Funding, func(f Funding) bool { return f.Currency == currency }) {
				funding = append(funding, Funding{Currency: currency}.recounted(sum))
			}
		}
		funding = slices.DeleteFunc(funding, Funding.nothing)
		slices.SortFunc(funding, func(a, b Funding) int { return cmp.Compare(a.Currency, b.Currency) })
		out = appendFunding(out, FundingInterval{iv.Until, funding})
	}
	return out
}

// appendFunding adds an interval behind others. Neighbours differ.
func appendFunding(all []FundingInterval, iv FundingInterval) []FundingInterval {
	if n := len(all); n > 0 && slices.EqualFunc(all[n-1].Funding, iv.Funding, Funding.equal) {
		all[n-1].Until = iv.Until
		return all
	}
	return append(all, iv)
}

func (a Funding) recounted(estimates EstimateSum) Funding {
	a.Estimated, a.Estimators = estimates.Estimated.shown(), estimates.Estimators
	a.EstimatedProven, a.EstimatorsProven = estimates.EstimatedProven.shown(), estimates.EstimatorsProven
	return a
}

// nothing: there is neither an estimate nor a pledge, a receipt or a goal.
func (a Funding) nothing() bool { return a == Funding{Currency: a.Currency} }

// goal is the development whose goal is shown: the current attempt's, until its
// money goes back.
func (e *evaluation) goal(iv Interval, t time.Time) *Development {
	if t.Before(iv.From) || iv.Stage == StageCancelled || iv.Attempt == "" {
		return nil
	}
	a := e.byURI[iv.Attempt]
	if a == nil || a.development == nil || a.development.Goal == nil {
		return nil
	}
	return a.development
}

// change is what a record dated ahead does to the sums when it comes into being.
type change struct {
	at    time.Time
	apply func()
}

// tell adds to the sums what exists now, and returns the changes to come, in
// order.
func (e *evaluation) tell(sums *tally, now time.Time) (later []change) {
	when := func(at time.Time, apply func()) {
		if at.After(now) {
			later = append(later, change{at, apply})
			return
		}
		apply()
	}
	e.tellEstimates(sums, now, when)
	e.tellReceipts(sums, when)
	e.tellWishes(sums, when)
	slices.SortStableFunc(later, func(a, b change) int { return a.at.Compare(b.at) })
	return later
}

func (e *evaluation) tellEstimates(sums *tally, now time.Time, when func(time.Time, func())) {
	sums.begin(e.Sums, e.Summed)
	until := e.estimatesCountUntil(now)
	for _, estimate := range e.Estimates {
		when(estimate.existsFrom(), func() {
			if !estimate.CreatedAt.After(until) {
				sums.estimate(estimate)
			}
		})
	}
	// A trusted escrow that dates campaigns ahead costs as many looks at all
	// estimates; nobody else can make it happen.
	for _, a := range e.attempts {
		if a.campaign == nil || !a.campaign.existsFrom().After(now) {
			continue
		}
		at := a.campaign.existsFrom()
		when(at, func() {
			until = e.estimatesCountUntil(at)
			sums.forgetEstimates()
			for _, estimate := range e.Estimates {
				if estimate.existsAt(at) && !estimate.CreatedAt.After(until) {
					sums.estimate(estimate)
				}
			}
		})
	}
}

func (e *evaluation) tellReceipts(sums *tally, when func(time.Time, func())) {
	for _, r := range e.receipts {
		if e.counts(r) {
			when(r.existsFrom(), func() { sums.receipt(r) })
		}
	}
}

// tellWishes counts a pledge from when it exists until its receipt does.
func (e *evaluation) tellWishes(sums *tally, when func(time.Time, func())) {
	seen := make(map[syntax.ATURI]bool, len(e.Pledges))
	for _, p := range e.Pledges {
		if seen[p.URI] {
			continue
		}
		seen[p.URI] = true
		r := e.receipts[word{p.URI, p.Escrow}]
		if r != nil && e.answers(r, p.Author) {
			if !p.existsFrom().Before(r.existsFrom()) {
				continue
			}
			when(r.existsFrom(), func() { sums.of(p.Value.Currency).pending-- })
		}
		when(p.existsFrom(), func() { sums.of(p.Value.Currency).pending++ })
	}
}

// money is all that was paid and did not go back, or not yet.
func (a Funding) money() int64 {
	var s Sum
	for _, amount := range []int64{a.Pledged, a.Donated, a.Releasing, a.Released} {
		s.add(amount)
	}
	return s.shown()
}

func (a Funding) equal(b Funding) bool {
	if !samePointee(a.Goal, b.Goal) || !samePointee(a.Raised, b.Raised) {
		return false
	}
	a.Goal, b.Goal, a.Raised, b.Raised = nil, nil, nil, nil
	return a == b
}

func samePointee(a, b *int64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
