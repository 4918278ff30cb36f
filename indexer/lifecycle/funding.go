package lifecycle

import (
	"cmp"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Funding is what a community put behind a proposal in one currency, in minor
// units, with counts of accounts. Goal is the current attempt's; nil when it
// has none in this currency.
type Funding struct {
	Currency         money.Currency
	Estimated        int64
	Estimators       int64
	EstimatedProven  int64
	EstimatorsProven int64
	// Pending counts pledges without a receipt; their amounts are never summed.
	Pending int64
	Goal    *int64
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
// estimates ahead, and each moment must not cost as much as all of them.
func EvaluateFunding(f Facts, intervals []Interval, now time.Time) []FundingInterval {
	goals := make(map[AttemptURI]*money.Money, len(f.Developments))
	for _, d := range f.Developments {
		goals[d.URI] = d.Goal
	}
	waiting := oldestFirst(f.Estimates) // those that do not exist yet
	wishes := f.pendingPledges()        // likewise
	sums := tally{standing: map[syntax.DID]Counting{}, totals: map[money.Currency]*Funding{}}

	var out []FundingInterval
	for t := now; ; {
		for len(waiting) > 0 && waiting[0].existsAt(t) {
			sums.add(waiting[0])
			waiting = waiting[1:]
		}
		for len(wishes) > 0 && wishes[0].existsAt(t) {
			sums.total(wishes[0].Value.Currency).Pending++
			wishes = wishes[1:]
		}
		for len(intervals) > 0 && !t.Before(intervals[0].To) {
			intervals = intervals[1:]
		}
		until := End
		if len(waiting) > 0 {
			until = earlier(until, waiting[0].existsFrom())
		}
		if len(wishes) > 0 {
			until = earlier(until, wishes[0].existsFrom())
		}
		var goal *money.Money
		switch {
		case len(intervals) == 0:
		case t.Before(intervals[0].From):
			until = earlier(until, intervals[0].From)
		default:
			until = earlier(until, intervals[0].To)
			goal = goals[intervals[0].Attempt]
		}

		funding := sums.funding(goal)
		if n := len(out); n > 0 && slices.EqualFunc(out[n-1].Funding, funding, Funding.equal) {
			out[n-1].Until = until
		} else {
			out = append(out, FundingInterval{Until: until, Funding: funding})
		}
		if !until.Before(End) {
			return out
		}
		t = until
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// tally sums up estimates that are added oldest first: of each account the last
// one stands. Its totals are exact; only what it shows ends at MaxTotal.
type tally struct {
	standing map[syntax.DID]Counting
	totals   map[money.Currency]*Funding
}

func (s *tally) add(e Estimate) {
	if old, ok := s.standing[e.Author]; ok {
		s.move(old, -1)
	}
	c := count(e, false)
	s.standing[e.Author] = c
	s.move(c, 1)
}

func (s *tally) move(c Counting, sign int64) {
	if c.Reason != "" {
		return
	}
	total := s.total(c.Value.Currency)
	total.Estimated += sign * c.Counted
	total.Estimators += sign
	if c.Proven {
		total.EstimatedProven += sign * c.Counted
		total.EstimatorsProven += sign
	}
}

func (s *tally) total(c money.Currency) *Funding {
	if s.totals[c] == nil {
		s.totals[c] = &Funding{Currency: c}
	}
	return s.totals[c]
}

// pendingPledges are those without a receipt of the escrow that they name, once
// each, oldest first.
func (f *Facts) pendingPledges() []Pledge {
	type word struct {
		pledge syntax.ATURI
		escrow syntax.DID
	}
	receipted := make(map[word]bool, len(f.Receipts))
	for _, r := range f.Receipts {
		receipted[word{r.Subject.URI, r.Author}] = true
	}
	out := make([]Pledge, 0, len(f.Pledges))
	for _, p := range f.Pledges {
		if !receipted[word{p.URI, p.Escrow}] {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Pledge) int { return a.compare(b.Meta) })
	return slices.CompactFunc(out, func(a, b Pledge) bool { return a.URI == b.URI })
}

func (s *tally) funding(goal *money.Money) []Funding {
	out := make([]Funding, 0, len(s.totals)+1)
	for _, total := range s.totals {
		if total.Estimators > 0 || total.Pending > 0 {
			out = append(out, *total)
		}
	}
	if goal != nil {
		i := slices.IndexFunc(out, func(f Funding) bool { return f.Currency == goal.Currency })
		if i < 0 {
			i = len(out)
			out = append(out, Funding{Currency: goal.Currency})
		}
		amount := goal.Amount
		out[i].Goal = &amount
	}
	for i := range out {
		out[i].Estimated = min(out[i].Estimated, MaxTotal)
		out[i].EstimatedProven = min(out[i].EstimatedProven, MaxTotal)
	}
	slices.SortFunc(out, func(a, b Funding) int { return cmp.Compare(a.Currency, b.Currency) })
	return out
}

// MaxTotal bounds every sum; the lexicon's totals end there too. What one
// estimate counts for is so much smaller that no sum overflows before it.
const MaxTotal = 1_000_000_000_000_000

func (a Funding) equal(b Funding) bool {
	if (a.Goal == nil) != (b.Goal == nil) || a.Goal != nil && *a.Goal != *b.Goal {
		return false
	}
	a.Goal, b.Goal = nil, nil
	return a == b
}
