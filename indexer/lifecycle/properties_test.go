package lifecycle_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// moments are few and at the edges of the rules, so that records meet there.
var moments = func() []time.Duration {
	var out []time.Duration
	for _, around := range []time.Duration{-lapse, -day, 0, day, 10 * day, lapse, lapse + day, 2 * lapse} {
		for _, off := range []time.Duration{-lifecycle.FutureTolerance - ms, -lifecycle.FutureTolerance, -ms, 0, ms, lifecycle.FutureTolerance} {
			out = append(out, around+off)
		}
	}
	return out
}()

func drawMoment(rt *rapid.T, label string) time.Duration {
	return rapid.SampledFrom(moments).Draw(rt, label)
}

// drawFacts draws a proposal with records of the given authors. No uri is drawn
// twice, as no repository holds two records at one.
func drawFacts(rt *rapid.T, authors ...syntax.DID) lifecycle.Facts {
	f := facts(rapid.SampledFrom([]lifecycle.Subject{byProject, byAccount, byURL}).Draw(rt, "subject"))
	if f.Project != nil {
		if rapid.Bool().Draw(rt, "project is missing") {
			noProject(&f)
		} else {
			maintainers := rapid.SliceOfDistinct(rapid.SampledFrom([]syntax.DID{maintainer, owner, stranger}), rapid.ID[syntax.DID]).Draw(rt, "maintainers")
			project(drawMoment(rt, "project created"), maintainers...)(&f)
		}
	}
	addRecords(rt, &f, "", authors...)
	return f
}

func addRecords(rt *rapid.T, f *lifecycle.Facts, prefix string, authors ...syntax.DID) {
	for i := range rapid.IntRange(0, 12).Draw(rt, "records") {
		who := rapid.SampledFrom(authors).Draw(rt, "author")
		rkey := fmt.Sprint(prefix, i)
		when := drawMoment(rt, "createdAt")
		switch rapid.IntRange(0, 2).Draw(rt, "kind") {
		case 0:
			a := rapid.SampledFrom([]lifecycle.Answer{"planned", "declined", "duplicate", "later"}).Draw(rt, "answer")
			answer(who, rkey, when, a)(f)
		case 1:
			currency := rapid.SampledFrom([]money.Currency{"USD", "EUR", "CHF"}).Draw(rt, "currency")
			estimate(who, rkey, when, rapid.Int64Range(1, 1e12).Draw(rt, "amount"), currency, rapid.SampledFrom([]int64{0, 1, 5000, 1e12}).Draw(rt, "largest"))(f)
		case 2:
			if rapid.Bool().Draw(rt, "has goal") {
				goal(who, rkey, when, rapid.Int64Range(1, 9).Draw(rt, "goal"), "USD")(f)
			} else {
				develop(who, rkey, when)(f)
			}
			if rapid.Bool().Draw(rt, "has preview") {
				preview(who, rkey, drawMoment(rt, "previewed"), drawMoment(rt, "opensAt"))(f)
			}
			if rapid.Bool().Draw(rt, "has release") {
				release(who, rkey, drawMoment(rt, "released"))(f)
			}
			if rapid.IntRange(0, 3).Draw(rt, "has cancellation") == 0 {
				cancel(who, rkey, drawMoment(rt, "cancelled"))(f)
			}
		}
	}
}

var everybody = []syntax.DID{owner, maintainer, backer, stranger}

func shuffle(rt *rapid.T, f lifecycle.Facts) lifecycle.Facts {
	seed := rapid.Uint64().Draw(rt, "order")
	f = clone(f)
	r := rand.New(rand.NewPCG(seed, 0))
	mix(r, f.Responses)
	mix(r, f.Developments)
	mix(r, f.Previews)
	mix(r, f.Releases)
	mix(r, f.Cancellations)
	mix(r, f.Estimates)
	return f
}

func mix[T any](r *rand.Rand, s []T) {
	r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}

// outcome is everything that the rules say of a proposal.
type outcome struct {
	Intervals []lifecycle.Interval
	Funding   []lifecycle.FundingInterval
	Attempts  []lifecycle.AttemptState
	Estimates []lifecycle.Counting
}

func evaluate(f lifecycle.Facts, now time.Time) outcome {
	intervals := lifecycle.Evaluate(f)
	return outcome{intervals, lifecycle.EvaluateFunding(f, intervals, now), lifecycle.AttemptsAt(f, now), lifecycle.CountEstimates(f.Estimates, now)}
}

func TestF1_OrderOfArrivalDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFacts(rt, everybody...)
		now := t0.Add(drawMoment(rt, "now"))
		if diff := cmp.Diff(evaluate(f, now), evaluate(shuffle(rt, f), now)); diff != "" {
			rt.Fatalf("(-one order +another):\n%s", diff)
		}
	})
}

func TestF1_DuplicatesDoNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFacts(rt, everybody...)
		now := t0.Add(drawMoment(rt, "now"))
		twice := clone(f)
		twice.Responses = slices.Repeat(twice.Responses, 2)
		twice.Developments = slices.Repeat(twice.Developments, 2)
		twice.Previews = slices.Repeat(twice.Previews, 2)
		twice.Releases = slices.Repeat(twice.Releases, 2)
		twice.Cancellations = slices.Repeat(twice.Cancellations, 2)
		twice.Estimates = slices.Repeat(twice.Estimates, 2)
		if diff := cmp.Diff(evaluate(f, now), evaluate(shuffle(rt, twice), now)); diff != "" {
			rt.Fatalf("(-once +twice):\n%s", diff)
		}
	})
}

func TestF1_EvaluationChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFacts(rt, everybody...)
		before := clone(f)
		evaluate(f, t0.Add(drawMoment(rt, "now")))
		if diff := cmp.Diff(before, f); diff != "" {
			rt.Fatalf("(-before +after):\n%s", diff)
		}
	})
}

func TestR3_ARecordWithoutAuthorityChangesNoStage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFacts(rt, owner, maintainer)
		if f.Project != nil {
			f.Project.Maintainers = slices.DeleteFunc(slices.Clone(f.Project.Maintainers), func(d syntax.DID) bool { return d == stranger })
		}
		want := lifecycle.Evaluate(f)
		// Backers, proposers and strangers write whatever they like, also
		// about the developers' attempts.
		addRecords(rt, &f, "x", backer, stranger)
		for _, d := range f.Developments {
			who := rapid.SampledFrom([]syntax.DID{backer, stranger}).Draw(rt, "meddler")
			rkey := d.URI.RecordKey().String()
			previewOf(who, d.Author, rkey, drawMoment(rt, "previewed"), drawMoment(rt, "opensAt"))(&f)
			cancelOf(who, d.Author, rkey, drawMoment(rt, "cancelled"))(&f)
		}
		if f.Proposal.Subject.Account == backer || f.Proposal.Subject.Account == stranger {
			rt.Fatal("the meddler is the developer")
		}
		if diff := cmp.Diff(want, lifecycle.Evaluate(shuffle(rt, f))); diff != "" {
			rt.Fatalf("(-without +with the records of others):\n%s", diff)
		}
	})
}

func TestF1_IntervalsCoverAllOfTimeOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFacts(rt, everybody...)
		intervals := lifecycle.Evaluate(f)
		if len(intervals) == 0 {
			rt.Fatal("a proposal without a stage")
		}
		if first := intervals[0].From; !first.Equal(f.Proposal.CreatedAt.Add(-5 * time.Minute)) {
			rt.Errorf("the first begins at %s", first)
		}
		if last := intervals[len(intervals)-1].To; !last.Equal(lifecycle.End) {
			rt.Errorf("the last ends at %s", last)
		}
		for i, iv := range intervals {
			if !iv.From.Before(iv.To) || !iv.Stage.Valid() || (iv.Attempt != "") != (iv.Stage == development) {
				rt.Errorf("interval %d is %+v", i, iv)
			}
			if iv.Next != nil && iv.Next.At.Before(iv.To) {
				rt.Errorf("interval %d announces %s for %s and ends only at %s", i, iv.Next.Event, iv.Next.At, iv.To)
			}
			if i == 0 {
				continue
			}
			before := intervals[i-1]
			if !before.To.Equal(iv.From) {
				rt.Errorf("interval %d ends at %s, the next begins at %s", i-1, before.To, iv.From)
			}
			before.From, before.To = iv.From, iv.To
			if cmp.Equal(before, iv) {
				rt.Errorf("intervals %d and %d say the same: %+v", i-1, i, iv)
			}
		}
	})
}

// model says what the rules say of one moment, in the words of the rules and
// without a thought of other moments.
func model(f lifecycle.Facts, t time.Time) (at, bool) {
	exists := func(m lifecycle.Meta) bool { return m.CreatedAt.Sub(t) <= 5*time.Minute }
	older := func(a, b lifecycle.Meta) bool {
		return a.CreatedAt.Before(b.CreatedAt) || a.CreatedAt.Equal(b.CreatedAt) && a.URI < b.URI
	}
	developer := func(who syntax.DID) bool {
		switch f.Proposal.Subject {
		case byAccount:
			return who == owner
		case byProject:
			return who == owner || f.Project != nil && exists(f.Project.Meta) && slices.Contains(f.Project.Maintainers, who)
		}
		return false
	}
	if !exists(f.Proposal.Meta) {
		return at{}, false
	}

	var current *lifecycle.Development
	var next at
	for _, d := range f.Developments {
		if !developer(d.Author) || !exists(d.Meta) {
			continue
		}
		cancelled, changed, opens := false, d.CreatedAt, time.Time{}
		for _, c := range f.Cancellations {
			cancelled = cancelled || c.Attempt == d.URI && c.Author == d.Author && exists(c.Meta)
		}
		for _, p := range f.Previews {
			if p.Attempt == d.URI && p.Author == d.Author && exists(p.Meta) {
				opens = p.OpensAt
				if p.CreatedAt.After(changed) {
					changed = p.CreatedAt
				}
			}
		}
		for _, r := range f.Releases {
			if r.Attempt == d.URI && r.Author == d.Author && exists(r.Meta) && r.CreatedAt.After(changed) {
				changed = r.CreatedAt
			}
		}
		over := changed.Add(180 * day)
		if cancelled || !t.Before(over) || current != nil && older(current.Meta, d.Meta) {
			continue
		}
		current = &d
		next = at{Stage: development, Attempt: d.URI, Next: lifecycle.NextAttemptLapses, In: over.Sub(t0)}
		if opens.After(t) && opens.Before(over) {
			next.Next, next.In = lifecycle.NextPreviewOpens, opens.Sub(t0)
		}
	}
	if current != nil {
		return next, true
	}

	var newest *lifecycle.Response
	for _, r := range f.Responses {
		if developer(r.Author) && exists(r.Meta) && (newest == nil || older(newest.Meta, r.Meta)) {
			newest = &r
		}
	}
	if newest != nil && (newest.Answer == lifecycle.AnswerDeclined || newest.Answer == lifecycle.AnswerDuplicate) {
		return at{Stage: declined}, true
	}
	return at{Stage: proposed}, true
}

func TestF1_StagesAreThoseOfAnIndependentModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFacts(rt, everybody...)
		for range 20 {
			when := drawMoment(rt, "when")
			want, wantOK := model(f, t0.Add(when))
			got, ok := stageAt(t, f, when)
			if diff := cmp.Diff(want, got); diff != "" || ok != wantOK {
				rt.Fatalf("at %s (-model +got):\n%s", when, diff)
			}
			stands, answered := lifecycle.AnswerAt(f, t0.Add(when))
			if want.Stage == declined && (!answered || stands.Answer != lifecycle.AnswerDeclined && stands.Answer != lifecycle.AnswerDuplicate) {
				rt.Fatalf("declined, but the answer that stands is %+v", stands)
			}
		}
	})
}

func TestR2_CountedIsWithinAmountAndCap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFacts(rt, everybody...)
		counting := map[syntax.DID]int{}
		for _, c := range lifecycle.CountEstimates(f.Estimates, t0.Add(drawMoment(rt, "now"))) {
			if c.Counted > c.Cap || c.Counted > c.Value.Amount || c.Counted < 0 || (c.Counted == 0) != (c.Reason != "") {
				rt.Errorf("%+v", c)
			}
			if c.Reason == "" {
				counting[c.Author]++
			}
		}
		for who, n := range counting {
			if n > 1 {
				rt.Errorf("%d estimates of %s count", n, who)
			}
		}
	})
}

func TestR2_FundingIsTheSumOfItsEstimatesAtAnyTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFacts(rt, everybody...)
		now := t0.Add(drawMoment(rt, "now"))
		stages := lifecycle.Evaluate(f)
		intervals := lifecycle.EvaluateFunding(f, stages, now)

		from := now
		for i, iv := range intervals {
			if !from.Before(iv.Until) {
				rt.Errorf("interval %d ends at %s, before it begins at %s", i, iv.Until, from)
			}
			if i > 0 && cmp.Equal(intervals[i-1].Funding, iv.Funding) {
				rt.Errorf("intervals %d and %d say the same", i-1, i)
			}
			from = iv.Until
		}
		if !from.Equal(lifecycle.End) {
			rt.Fatalf("the last ends at %s", from)
		}

		for range 20 {
			when := t0.Add(drawMoment(rt, "when"))
			if when.Before(now) {
				continue
			}
			i := slices.IndexFunc(intervals, func(iv lifecycle.FundingInterval) bool { return when.Before(iv.Until) })
			if diff := cmp.Diff(sums(f, stages, when), intervals[i].Funding); diff != "" {
				rt.Fatalf("at %s (-sum +interval):\n%s", when, diff)
			}
		}
	})
}

// sums adds up the list of estimates as they count at t.
func sums(f lifecycle.Facts, stages []lifecycle.Interval, t time.Time) []lifecycle.Funding {
	out := []lifecycle.Funding{}
	stage, _ := lifecycle.StageAt(stages, t)
	for _, currency := range []money.Currency{"EUR", "USD"} {
		sum := lifecycle.Funding{Currency: currency}
		for _, c := range lifecycle.CountEstimates(f.Estimates, t) {
			if c.Reason != "" || c.Value.Currency != currency {
				continue
			}
			sum.Estimated += c.Counted
			sum.Estimators++
			if c.Largest > 0 {
				sum.EstimatedProven += c.Counted
				sum.EstimatorsProven++
			}
		}
		for _, d := range f.Developments {
			if d.URI == stage.Attempt && d.Goal != nil && d.Goal.Currency == currency {
				sum.Goal = &d.Goal.Amount
			}
		}
		if sum.Estimators > 0 || sum.Goal != nil {
			out = append(out, sum)
		}
	}
	return out
}
