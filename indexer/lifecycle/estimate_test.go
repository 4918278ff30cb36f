package lifecycle_test

import (
	"math"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

func TestR2_CapIsTheBaseOrTwiceTheLargest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		currency money.Currency
		largest  int64
		want     int64
		counts   bool
	}{
		{"dollars", "USD", 0, 2500, true},
		{"euros", "EUR", 0, 2500, true},
		{"pounds", "GBP", 0, 2000, true},
		{"yen", "JPY", 0, 3500, true},
		{"another currency", "CHF", 0, 0, false},
		{"another currency, with a contribution", "CHF", 100_000, 0, false},
		{"no currency", "", 0, 0, false},
		{"in lower case", "usd", 0, 0, false},
		{"twice the largest is less than the base", "USD", 1249, 2500, true},
		{"twice the largest is the base", "USD", 1250, 2500, true},
		{"twice the largest is more", "USD", 1251, 2502, true},
		{"the largest that a record may name", "USD", 1e12, 2e12, true},
		{"the most that a total may be", "USD", lifecycle.MaxTotal / 2, lifecycle.MaxTotal, true},
		{"more than a total may be", "USD", math.MaxInt64, lifecycle.MaxTotal, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, counts := lifecycle.Cap(tt.currency, tt.largest)
			if got != tt.want || counts != tt.counts {
				t.Errorf("got %d, %v; want %d, %v", got, counts, tt.want, tt.counts)
			}
		})
	}
	if diff := cmp.Diff([]money.Currency{"EUR", "GBP", "JPY", "USD"}, lifecycle.CountedCurrencies()); diff != "" {
		t.Errorf("counted currencies (-want +got):\n%s", diff)
	}
}

func TestR2_WhatContributionIsSuccessful(t *testing.T) {
	t.Parallel()
	receipt := func(rkey string, change func(*lifecycle.Receipt)) lifecycle.Receipt {
		r := lifecycle.Receipt{
			Meta: meta(escrow, "escrow.receipt", rkey, 0), Payer: backer,
			Value: money.Money{Amount: 5000, Currency: "USD"}, Status: lifecycle.ReceiptReleased, Team: []syntax.DID{owner, maintainer},
		}
		if change != nil {
			change(&r)
		}
		return r
	}
	trusting := lifecycle.Policy{TrustedEscrows: []syntax.DID{escrow}}
	demo := lifecycle.Policy{TrustedEscrows: []syntax.DID{escrow}, TestMoney: true}
	usd := func(largest int64, rkey string) []lifecycle.Standing {
		return []lifecycle.Standing{{Currency: "USD", Largest: largest, Receipt: meta(escrow, "escrow.receipt", rkey, 0).URI}}
	}
	status := func(s lifecycle.ReceiptStatus) func(*lifecycle.Receipt) {
		return func(r *lifecycle.Receipt) { r.Status = s }
	}
	amount := func(n int64, c money.Currency) func(*lifecycle.Receipt) {
		return func(r *lifecycle.Receipt) { r.Value = money.Money{Amount: n, Currency: c} }
	}
	test := func(r *lifecycle.Receipt) { r.Test = true }
	tests := []struct {
		name     string
		policy   lifecycle.Policy
		receipts []lifecycle.Receipt
		want     []lifecycle.Standing
	}{
		{"none", trusting, nil, []lifecycle.Standing{}},
		{"released", trusting, []lifecycle.Receipt{receipt("a", nil)}, usd(5000, "a")},
		{"paid", trusting, []lifecycle.Receipt{receipt("a", status("paid"))}, usd(5000, "a")},
		{"held", trusting, []lifecycle.Receipt{receipt("a", status("held"))}, []lifecycle.Standing{}},
		{"on its way", trusting, []lifecycle.Receipt{receipt("a", status("releasing"))}, []lifecycle.Standing{}},
		{"refunded", trusting, []lifecycle.Receipt{receipt("a", status("refunded"))}, []lifecycle.Standing{}},
		{"charged back", trusting, []lifecycle.Receipt{receipt("a", status("charged-back"))}, []lifecycle.Standing{}},
		{"reversed", trusting, []lifecycle.Receipt{receipt("a", status("reversed"))}, []lifecycle.Standing{}},
		{"a status that we do not know", trusting, []lifecycle.Receipt{receipt("a", status("done"))}, []lifecycle.Standing{}},
		{"of an escrow that is not trusted", lifecycle.Policy{}, []lifecycle.Receipt{receipt("a", nil)}, []lifecycle.Standing{}},
		{"test money", trusting, []lifecycle.Receipt{receipt("a", test)}, []lifecycle.Standing{}},
		{"test money in a demonstration", demo, []lifecycle.Receipt{receipt("a", test)}, usd(5000, "a")},
		{"for one's own work", trusting, []lifecycle.Receipt{receipt("a", func(r *lifecycle.Receipt) { r.Team = []syntax.DID{owner, backer} })}, []lifecycle.Standing{}},
		{"of another payer", trusting, []lifecycle.Receipt{receipt("a", func(r *lifecycle.Receipt) { r.Payer = stranger })}, []lifecycle.Standing{}},
		{"the largest of several", trusting, []lifecycle.Receipt{receipt("a", nil), receipt("b", amount(7000, "USD")), receipt("c", amount(6000, "USD"))}, usd(7000, "b")},
		{"of two equal ones the smaller uri", trusting, []lifecycle.Receipt{receipt("b", nil), receipt("a", nil)}, usd(5000, "a")},
		{"the largest was refunded", trusting, []lifecycle.Receipt{receipt("a", nil), receipt("b", func(r *lifecycle.Receipt) { r.Value.Amount, r.Status = 9000, "refunded" })}, usd(5000, "a")},
		{"each currency for itself", trusting, []lifecycle.Receipt{receipt("a", nil), receipt("b", amount(9000, "EUR"))}, []lifecycle.Standing{
			{Currency: "EUR", Largest: 9000, Receipt: meta(escrow, "escrow.receipt", "b", 0).URI},
			{Currency: "USD", Largest: 5000, Receipt: meta(escrow, "escrow.receipt", "a", 0).URI},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, lifecycle.Standings(backer, tt.receipts, tt.policy)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// counted is what an estimate comes to, as a test writes it down.
type counted struct {
	Author  syntax.DID
	Amount  int64
	Counted int64
	Cap     int64
	Proven  bool
	Reason  lifecycle.NotCounted
}

func TestR2_TheNewestEstimateOfAnAccountCountsOnce(t *testing.T) {
	t.Parallel()
	const old, foreign = lifecycle.NotCountedSuperseded, lifecycle.NotCountedCurrency
	b := func(rkey string, at time.Duration, amount int64) part {
		return estimate(backer, rkey, at, amount, "USD", 0)
	}
	tests := []struct {
		name  string
		parts []part
		when  time.Duration
		want  []counted // newest first
	}{
		{"below the cap", []part{b("a", 0, 1000)}, 0, []counted{{backer, 1000, 1000, 2500, false, ""}}},
		{"at the cap", []part{b("a", 0, 2500)}, 0, []counted{{backer, 2500, 2500, 2500, false, ""}}},
		{"above the cap", []part{b("a", 0, 2501)}, 0, []counted{{backer, 2501, 2500, 2500, false, ""}}},
		{"with a contribution", []part{estimate(backer, "a", 0, 9000, "USD", 3000)}, 0, []counted{{backer, 9000, 6000, 6000, true, ""}}},
		{"with a small contribution", []part{estimate(backer, "a", 0, 9000, "USD", 1)}, 0, []counted{{backer, 9000, 2500, 2500, true, ""}}},
		{"another currency", []part{estimate(backer, "a", 0, 9000, "CHF", 3000)}, 0, []counted{{backer, 9000, 0, 0, true, foreign}}},
		{"the newer", []part{b("a", 0, 1000), b("b", day, 500)}, day, []counted{{backer, 500, 500, 2500, false, ""}, {backer, 1000, 0, 2500, false, old}}},
		{"the newer, whichever came first", []part{b("b", day, 500), b("a", 0, 1000)}, day, []counted{{backer, 500, 500, 2500, false, ""}, {backer, 1000, 0, 2500, false, old}}},
		{"at the same time the greater uri", []part{b("a", 0, 1000), b("b", 0, 500)}, 0, []counted{{backer, 500, 500, 2500, false, ""}, {backer, 1000, 0, 2500, false, old}}},
		{"in a currency that does not count", []part{b("a", 0, 1000), estimate(backer, "b", day, 500, "CHF", 0)}, day, []counted{{backer, 500, 0, 0, false, foreign}, {backer, 1000, 0, 2500, false, old}}},
		{"in two currencies only one", []part{b("a", 0, 1000), estimate(backer, "b", day, 500, "EUR", 0)}, day, []counted{{backer, 500, 500, 2500, false, ""}, {backer, 1000, 0, 2500, false, old}}},
		{"the same record twice", []part{b("a", 0, 1000), b("a", 0, 1000)}, 0, []counted{{backer, 1000, 1000, 2500, false, ""}}},
		{"two accounts", []part{b("a", 0, 1000), estimate(stranger, "a", day, 2000, "USD", 0)}, day, []counted{{stranger, 2000, 2000, 2500, false, ""}, {backer, 1000, 1000, 2500, false, ""}}},
		{"dated ahead, it is not there yet", []part{b("a", 0, 1000), b("b", day, 500)}, day - lifecycle.FutureTolerance - ms, []counted{{backer, 1000, 1000, 2500, false, ""}}},
		{"dated ahead, it takes over", []part{b("a", 0, 1000), b("b", day, 500)}, day - lifecycle.FutureTolerance, []counted{{backer, 500, 500, 2500, false, ""}, {backer, 1000, 0, 2500, false, old}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []counted
			for _, c := range lifecycle.CountEstimates(facts(byURL, tt.parts...), t0.Add(tt.when)) {
				got = append(got, counted{c.Author, c.Value.Amount, c.Counted, c.Cap, c.Proven, c.Reason})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

func TestR2_FundingShowsTheProvenPartSeparately(t *testing.T) {
	t.Parallel()
	end := lifecycle.End
	tests := []struct {
		name  string
		parts []part
		want  []lifecycle.FundingInterval
	}{
		{"nothing", nil, []lifecycle.FundingInterval{{Until: end, Funding: []lifecycle.Funding{}}}},
		{"one estimate", []part{estimate(backer, "a", 0, 9000, "USD", 0)}, []lifecycle.FundingInterval{
			{Until: end, Funding: []lifecycle.Funding{{Currency: "USD", Estimated: 2500, Estimators: 1}}},
		}},
		{"a proven part", []part{estimate(backer, "a", 0, 9000, "USD", 2000), estimate(stranger, "a", 0, 100, "USD", 0)}, []lifecycle.FundingInterval{
			{Until: end, Funding: []lifecycle.Funding{{Currency: "USD", Estimated: 4100, Estimators: 2, EstimatedProven: 4000, EstimatorsProven: 1}}},
		}},
		{"currencies in order", []part{estimate(backer, "a", 0, 100, "USD", 0), estimate(stranger, "a", 0, 200, "EUR", 0), estimate(owner, "a", 0, 300, "CHF", 0)}, []lifecycle.FundingInterval{
			{Until: end, Funding: []lifecycle.Funding{{Currency: "EUR", Estimated: 200, Estimators: 1}, {Currency: "USD", Estimated: 100, Estimators: 1}}},
		}},
		{"an estimate dated ahead", []part{estimate(backer, "a", 0, 100, "USD", 0), estimate(backer, "b", 30*day, 200, "USD", 0)}, []lifecycle.FundingInterval{
			{Until: t0.Add(30*day - lifecycle.FutureTolerance), Funding: []lifecycle.Funding{{Currency: "USD", Estimated: 100, Estimators: 1}}},
			{Until: end, Funding: []lifecycle.Funding{{Currency: "USD", Estimated: 200, Estimators: 1}}},
		}},
		{"the goal of the current attempt lapses", []part{goal(owner, "d", 0, 7000, "EUR")}, []lifecycle.FundingInterval{
			{Until: t0.Add(lapse), Funding: []lifecycle.Funding{{Currency: "EUR", Goal: ptr[int64](7000), Raised: ptr[int64](0)}}},
			{Until: end, Funding: []lifecycle.Funding{}},
		}},
		{"the next attempt's goal", []part{goal(owner, "d", 0, 7000, "USD"), goal(owner, "e", 5*day, 7000, "USD"), estimate(backer, "a", 0, 100, "USD", 0)}, []lifecycle.FundingInterval{
			{Until: t0.Add(5*day + lapse), Funding: []lifecycle.Funding{{Currency: "USD", Estimated: 100, Estimators: 1, Goal: ptr[int64](7000), Raised: ptr[int64](0)}}},
			{Until: end, Funding: []lifecycle.Funding{{Currency: "USD", Estimated: 100, Estimators: 1}}},
		}},
		{"a stranger's goal", []part{goal(stranger, "d", 0, 7000, "USD")}, []lifecycle.FundingInterval{{Until: end, Funding: []lifecycle.Funding{}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := facts(byAccount, tt.parts...)
			got := lifecycle.EvaluateFunding(f, lifecycle.Evaluate(f), t0.Add(day))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestR2_TotalsEndSomewhere(t *testing.T) {
	t.Parallel()
	f := facts(byURL,
		estimate(backer, "a", 0, math.MaxInt64, "USD", math.MaxInt64),
		estimate(stranger, "a", 0, math.MaxInt64, "USD", math.MaxInt64),
	)
	got := lifecycle.EvaluateFunding(f, nil, t0)
	if n := got[0].Funding[0].Estimated; n != lifecycle.MaxTotal {
		t.Errorf("got %d, want %d", n, int64(lifecycle.MaxTotal))
	}
}

func TestHot_RanksMoneyAndYouth(t *testing.T) {
	t.Parallel()
	usd := func(n int64) []lifecycle.Funding { return []lifecycle.Funding{{Currency: "USD", Estimated: n}} }
	hot := func(at time.Duration, f []lifecycle.Funding) int64 { return lifecycle.Hot(t0.Add(at), f) }
	tests := []struct {
		name        string
		lower, more int64
	}{
		{"younger", hot(0, nil), hot(ms, nil)},
		{"more money", hot(0, usd(100)), hot(0, usd(200))},
		{"some money", hot(0, nil), hot(0, usd(1))},
		{"a hundredfold outweighs five days", hot(5*day, nil), hot(0, usd(2500*99))},
		{"twofold does not", hot(0, usd(2500)), hot(5*day, nil)},
		{"a currency that does not count adds nothing", hot(0, []lifecycle.Funding{{Currency: "CHF", Estimated: 1e9}}), hot(0, usd(1))},
	}
	for _, tt := range tests {
		if tt.lower >= tt.more {
			t.Errorf("%s: %d is not below %d", tt.name, tt.lower, tt.more)
		}
	}
	// Nine base caps and the one that everybody has are tenfold.
	if got, want := hot(0, usd(2500*9)), hot(5*day, nil); got != want {
		t.Errorf("tenfold ranks %d, five days younger %d", got, want)
	}
	if got, want := hot(0, []lifecycle.Funding{{Currency: "JPY", Estimated: 3500}}), hot(0, usd(2500)); got != want {
		t.Errorf("a base cap of yen ranks %d, of dollars %d", got, want)
	}
}
