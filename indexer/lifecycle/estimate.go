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
	Reason NotCounted
}

// CountEstimates says of every estimate that exists at t what it counts for
// (rule 2): the newest of each account, once, up to the account's cap. The
// result is sorted newest first.
func CountEstimates(estimates []Estimate, t time.Time) []Counting {
	existing := slices.DeleteFunc(oldestFirst(estimates), func(e Estimate) bool { return !e.existsAt(t) })
	slices.Reverse(existing)

	seen := make(map[syntax.DID]bool, len(existing))
	out := make([]Counting, 0, len(existing))
	for _, e := range existing {
		out = append(out, count(e, seen[e.Author]))
		seen[e.Author] = true
	}
	return out
}

// oldestFirst returns the estimates in the order in which they come into being,
// each once.
func oldestFirst(estimates []Estimate) []Estimate {
	out := slices.Clone(estimates)
	slices.SortFunc(out, func(a, b Estimate) int { return a.compare(b.Meta) })
	return slices.CompactFunc(out, func(a, b Estimate) bool { return a.URI == b.URI })
}

func count(e Estimate, superseded bool) Counting {
	c := Counting{Estimate: e, Proven: e.Largest > 0}
	limit, counts := Cap(e.Value.Currency, e.Largest)
	c.Cap = limit
	switch {
	case superseded:
		c.Reason = NotCountedSuperseded
	case !counts:
		c.Reason = NotCountedCurrency
	default:
		c.Counted = min(e.Value.Amount, limit)
	}
	return c
}
