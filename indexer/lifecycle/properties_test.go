package lifecycle_test

import (
	order "cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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

// drawFacts draws a proposal with records of the given authors, and what escrows
// say of them. No uri is drawn twice, as no repository holds two records at one.
func drawFacts(rt *rapid.T, authors ...syntax.DID) lifecycle.Facts {
	f := facts(rapid.SampledFrom([]lifecycle.Subject{byProject, byAccount, byURL}).Draw(rt, "subject"))
	f.Policy.TestMoney = rapid.IntRange(0, 3).Draw(rt, "policy") == 0
	switch {
	case f.Project == nil:
	case rapid.Bool().Draw(rt, "project is missing"):
		noProject(&f)
	default:
		project(drawMoment(rt, "project created"), drawTeam(rt)...)(&f)
	}
	if f.Proposal.Subject == byURL {
		for i := range rapid.IntRange(0, 3).Draw(rt, "claims") {
			method := rapid.SampledFrom([]lifecycle.ClaimMethod{lifecycle.ClaimByRepository, lifecycle.ClaimByHost, "word"}).Draw(rt, "method")
			who := rapid.SampledFrom([]syntax.DID{owner, maintainer}).Draw(rt, "claimant")
			claim(syntax.DID(fmt.Sprint("did:plc:", i)), who, method, drawMoment(rt, "verified"), drawMoment(rt, "expires"), drawTeam(rt)...)(&f)
		}
	}
	addRecords(rt, &f, "", authors...)
	addEscrows(rt, &f, "", escrow, second, shady)
	return f
}

func drawTeam(rt *rapid.T) []syntax.DID {
	return rapid.SliceOfDistinct(rapid.SampledFrom([]syntax.DID{maintainer, owner, stranger}), rapid.ID[syntax.DID]).Draw(rt, "maintainers")
}

func addRecords(rt *rapid.T, f *lifecycle.Facts, prefix string, authors ...syntax.DID) {
	for i := range rapid.IntRange(0, 12).Draw(rt, "records") {
		who := rapid.SampledFrom(authors).Draw(rt, "author")
		rkey := fmt.Sprint(prefix, i)
		when := drawMoment(rt, "createdAt")
		switch rapid.IntRange(0, 3).Draw(rt, "kind") {
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
			if rapid.Bool().Draw(rt, "is expected") {
				f.Developments[len(f.Developments)-1].ExpectedAt = ptr(t0.Add(drawMoment(rt, "expectedAt")))
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
		case 3:
			attempt := attemptURI(rapid.SampledFrom([]syntax.DID{owner, maintainer}).Draw(rt, "developer"), fmt.Sprint(rapid.IntRange(0, 5).Draw(rt, "attempt")))
			pledge(who, rkey, when, attempt, rapid.Int64Range(1, 1e12).Draw(rt, "amount"))(f)
			donation(who, rkey, when, attempt, rapid.Int64Range(1, 1e12).Draw(rt, "amount"))(f)
			consent(who, attempt, when)(f)
			dispute(who, rkey, when, releaseURI(did(attempt), attempt.RecordKey().String()))(f)
			verification(who, rkey, when, releaseURI(did(attempt), attempt.RecordKey().String()))(f)
		}
	}
}

// addEscrows draws what escrows say: a campaign at most for an attempt, of a
// development that is there or gone, and a receipt at most for a payment.
func addEscrows(rt *rapid.T, f *lifecycle.Facts, prefix string, escrows ...syntax.DID) {
	attempts := []lifecycle.AttemptURI{attemptURI(owner, "gone")}
	for _, d := range f.Developments {
		attempts = append(attempts, d.URI)
	}
	// Without a campaign the developers' records decide: half of the time.
	opened := attempts
	if rapid.Bool().Draw(rt, "nothing has opened") {
		opened = nil
	}
	for _, attempt := range opened {
		for _, who := range escrows {
			if rapid.IntRange(0, 4).Draw(rt, "campaign") > 0 {
				continue
			}
			phase := rapid.SampledFrom(append(lifecycle.Phases(), "unheard-of")).Draw(rt, "phase")
			campaignOf(did(attempt), attempt.RecordKey().String(), drawMoment(rt, "opened"), phase, by(who), func(c *lifecycle.Campaign) {
				c.Test = rapid.IntRange(0, 3).Draw(rt, "test") == 0
				if rapid.Bool().Draw(rt, "verification ends") {
					c.VerificationEndsAt = ptr(t0.Add(drawMoment(rt, "verificationEndsAt")))
				}
				if rapid.IntRange(0, 3).Draw(rt, "its development was for another proposal then") == 0 {
					c.Proposal.URI = another
				}
			})(f)
		}
	}
	for i := range rapid.IntRange(0, 8).Draw(rt, "receipts") {
		payer := rapid.SampledFrom(everybody).Draw(rt, "payer")
		attempt := rapid.SampledFrom(append(attempts, attemptURI(stranger, "elsewhere"))).Draw(rt, "paid for")
		status := rapid.SampledFrom(statuses).Draw(rt, "status")
		receipt(payer, fmt.Sprint(prefix, i), drawMoment(rt, "receipted"), attempt, rapid.Int64Range(1, 1e12).Draw(rt, "paid"), status,
			receiptBy(rapid.SampledFrom(escrows).Draw(rt, "escrow")), func(r *lifecycle.Receipt) {
				r.Test = rapid.IntRange(0, 3).Draw(rt, "test") == 0
				if rapid.Bool().Draw(rt, "is held for a time") {
					r.HeldUntil = ptr(t0.Add(drawMoment(rt, "heldUntil")))
				}
				r.Value.Currency = rapid.SampledFrom([]money.Currency{"USD", "EUR", "CHF"}).Draw(rt, "currency")
				r.Proposal = rapid.SampledFrom([]syntax.ATURI{"", f.Proposal.URI, another}).Draw(rt, "pinned")
				if rapid.Bool().Draw(rt, "is a donation") {
					forDonation(r)
				}
				if rapid.IntRange(0, 3).Draw(rt, "is of somebody else's money") == 0 {
					r.Payer = rapid.SampledFrom(everybody).Draw(rt, "foreign payer")
				}
			})(f)
	}
	// Half of what was paid for is said of this proposal, wherever the money is.
	for _, r := range f.Receipts {
		if rapid.Bool().Draw(rt, "its record is gone, or names another") {
			continue
		}
		who, rkey, when := did(r.Subject.URI), r.Subject.URI.RecordKey().String(), drawMoment(rt, "createdAt")
		attempt := rapid.SampledFrom(append(attempts, r.Attempt)).Draw(rt, "attempt")
		if r.Subject.URI.Collection() == "fund.stratos.feature.donation" {
			if !slices.ContainsFunc(f.Donations, func(d lifecycle.Donation) bool { return d.URI == r.Subject.URI }) {
				donation(who, rkey, when, attempt, 1)(f)
			}
		} else if !slices.ContainsFunc(f.Pledges, func(p lifecycle.Pledge) bool { return p.URI == r.Subject.URI }) {
			pledge(who, rkey, when, attempt, 1)(f)
		}
	}
}

// another is a proposal that the facts are not about.
var another = meta(backer, "feature.proposal", "another", 0).URI

var statuses = []lifecycle.ReceiptStatus{
	lifecycle.ReceiptHeld, lifecycle.ReceiptReleasing, lifecycle.ReceiptReleased, lifecycle.ReceiptRefunding, lifecycle.ReceiptRefunded,
	lifecycle.ReceiptRefundFailed, lifecycle.ReceiptChargedBack, lifecycle.ReceiptReversed, lifecycle.ReceiptPaid, "unheard-of",
}

var everybody = []syntax.DID{owner, maintainer, backer, stranger}

func shuffle(rt *rapid.T, f lifecycle.Facts) lifecycle.Facts {
	seed := rapid.Uint64().Draw(rt, "order")
	f = clone(f)
	r := rand.New(rand.NewPCG(seed, 0))
	mix(r, f.Claims)
	mix(r, f.Responses)
	mix(r, f.Developments)
	mix(r, f.Previews)
	mix(r, f.Releases)
	mix(r, f.Cancellations)
	mix(r, f.Consents)
	mix(r, f.Estimates)
	mix(r, f.Pledges)
	mix(r, f.Donations)
	mix(r, f.Campaigns)
	mix(r, f.Receipts)
	mix(r, f.Disputes)
	mix(r, f.Rulings)
	mix(r, f.Verifications)
	return f
}

func did(uri syntax.ATURI) syntax.DID { return syntax.DID(uri.Authority().String()) }

func mix[T any](r *rand.Rand, s []T) {
	r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}

// outcome is everything that the rules say of a proposal.
type outcome struct {
	Intervals     []lifecycle.Interval
	Funding       []lifecycle.FundingInterval
	Attempts      []lifecycle.AttemptState
	Estimates     []lifecycle.Counting
	Pledges       []lifecycle.Payment
	Donations     []lifecycle.Payment
	Disputes      []lifecycle.DisputeState
	Verifications []lifecycle.VerificationState
	Warnings      []lifecycle.Warning
	May           [][]lifecycle.Permission
}

func evaluate(f lifecycle.Facts, now time.Time) outcome {
	intervals := lifecycle.Evaluate(f)
	out := outcome{
		intervals, lifecycle.EvaluateFunding(f, intervals, now), lifecycle.AttemptsAt(f, now), lifecycle.CountEstimates(f, now),
		lifecycle.PledgesAt(f, now), lifecycle.DonationsAt(f, now), lifecycle.DisputesAt(f, now), lifecycle.VerificationsAt(f, now),
		lifecycle.WarningsAt(f, now), nil,
	}
	for _, who := range everybody {
		out.May = append(out.May, lifecycle.MayAt(f, now, who))
	}
	return out
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
		twice.Claims = slices.Repeat(twice.Claims, 2)
		twice.Responses = slices.Repeat(twice.Responses, 2)
		twice.Developments = slices.Repeat(twice.Developments, 2)
		twice.Previews = slices.Repeat(twice.Previews, 2)
		twice.Releases = slices.Repeat(twice.Releases, 2)
		twice.Cancellations = slices.Repeat(twice.Cancellations, 2)
		twice.Consents = slices.Repeat(twice.Consents, 2)
		twice.Estimates = slices.Repeat(twice.Estimates, 2)
		twice.Pledges = slices.Repeat(twice.Pledges, 2)
		twice.Donations = slices.Repeat(twice.Donations, 2)
		twice.Campaigns = slices.Repeat(twice.Campaigns, 2)
		twice.Receipts = slices.Repeat(twice.Receipts, 2)
		twice.Disputes = slices.Repeat(twice.Disputes, 2)
		twice.Rulings = slices.Repeat(twice.Rulings, 2)
		twice.Verifications = slices.Repeat(twice.Verifications, 2)
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

func TestR3_ARecordWithoutAuthorityChangesNoStageAndNoMoney(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFacts(rt, owner, maintainer)
		without := func(team []syntax.DID) []syntax.DID {
			return slices.DeleteFunc(slices.Clone(team), func(d syntax.DID) bool { return d == stranger })
		}
		if f.Project != nil {
			f.Project.Maintainers = without(f.Project.Maintainers)
		}
		for i := range f.Claims {
			f.Claims[i].Project.Maintainers = without(f.Claims[i].Project.Maintainers)
		}
		now := t0.Add(drawMoment(rt, "now"))
		want := lifecycle.Evaluate(f)
		held := moneyOf(f, now)
		// Backers, proposers and strangers write whatever they like, also
		// about the developers' attempts, and in the name of escrows.
		addRecords(rt, &f, "x", backer, stranger)
		for _, d := range f.Developments {
			who := rapid.SampledFrom([]syntax.DID{backer, stranger}).Draw(rt, "meddler")
			rkey := d.URI.RecordKey().String()
			previewOf(who, d.Author, rkey, drawMoment(rt, "previewed"), drawMoment(rt, "opensAt"))(&f)
			cancelOf(who, d.Author, rkey, drawMoment(rt, "cancelled"))(&f)
		}
		addEscrows(rt, &f, "x", stranger)
		f = shuffle(rt, f)
		if diff := cmp.Diff(want, lifecycle.Evaluate(f)); diff != "" {
			rt.Fatalf("(-without +with the records of others):\n%s", diff)
		}
		if diff := cmp.Diff(held, moneyOf(f, now)); diff != "" {
			rt.Fatalf("money (-without +with the records of others):\n%s", diff)
		}
	})
}

// moneyOf is the funding but for what costs nothing to write.
func moneyOf(f lifecycle.Facts, now time.Time) []lifecycle.Funding {
	out := []lifecycle.Funding{}
	for _, one := range lifecycle.EvaluateFunding(f, nil, now)[0].Funding {
		one.Estimated, one.Estimators, one.EstimatedProven, one.EstimatorsProven, one.Pending = 0, 0, 0, 0, 0
		if one != (lifecycle.Funding{Currency: one.Currency}) {
			out = append(out, one)
		}
	}
	return out
}

// The escrow copied what matters: an index that starts after every other record
// was edited or deleted shows the same money, and from an opening on the same
// stage.
func TestF2_TheEscrowsWordOutlivesAllOtherRecords(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFacts(rt, everybody...)
		for i := range f.Receipts {
			r := &f.Receipts[i]
			r.Proposal = rapid.SampledFrom([]syntax.ATURI{f.Proposal.URI, another}).Draw(rt, "pinned")
		}
		now := t0.Add(drawMoment(rt, "now"))
		later := lifecycle.Facts{Policy: f.Policy, Proposal: f.Proposal, Campaigns: f.Campaigns, Receipts: f.Receipts}
		later.Proposal.Subject = rapid.SampledFrom([]lifecycle.Subject{byProject, byAccount, byURL}).Draw(rt, "subject then")
		later.Proposal.CreatedAt = t0.Add(drawMoment(rt, "createdAt then"))
		addRecords(rt, &later, "x", everybody...)

		if diff := cmp.Diff(moneyOf(f, now), moneyOf(later, now)); diff != "" {
			rt.Fatalf("money (-saw everything +came later):\n%s", diff)
		}
		decided := []lifecycle.Stage{
			lifecycle.StageCompleted, lifecycle.StageSettling, lifecycle.StageDisputed,
			lifecycle.StageVerification, lifecycle.StageReleasing, lifecycle.StagePreview,
		}
		want, _ := lifecycle.StageAt(lifecycle.Evaluate(f), now)
		got, _ := lifecycle.StageAt(lifecycle.Evaluate(later), now)
		if !slices.Contains(decided, want.Stage) && !slices.Contains(decided, got.Stage) {
			return
		}
		if want.Stage != got.Stage || want.Attempt != got.Attempt {
			rt.Fatalf("%s of %s, later %s of %s", want.Stage, want.Attempt, got.Stage, got.Attempt)
		}
	})
}

func TestR18_EachReceiptStandsInOneSum(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFacts(rt, everybody...)
		now := t0.Add(drawMoment(rt, "now"))
		want := map[money.Currency]int64{}
		for _, p := range append(lifecycle.PledgesAt(f, now), lifecycle.DonationsAt(f, now)...) {
			kind := p.Subject.Collection()
			never := p.Status == "unheard-of" || kind == "fund.stratos.feature.pledge" && p.Status == lifecycle.ReceiptPaid ||
				kind == "fund.stratos.feature.donation" && slices.Contains(statuses[:3], p.Status)
			if p.Status != lifecycle.StatusPending && !never {
				want[p.Value.Currency] += p.Value.Amount
			}
		}
		got := map[money.Currency]int64{}
		for _, one := range moneyOf(f, now) {
			got[one.Currency] = one.Pledged + one.Donated + one.Releasing + one.Released + one.Refunding + one.Refunded + one.ChargedBack
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("(-lists +sums):\n%s", diff)
		}
		most := map[money.Currency]int64{}
		for _, r := range f.Receipts {
			if f.Policy.Trusts(r.Author) && (!r.Test || f.Policy.TestMoney) {
				most[r.Value.Currency] += r.Value.Amount
			}
		}
		for currency, amount := range got {
			if amount > most[currency] {
				rt.Errorf("%d %s count, but receipts say %d", amount, currency, most[currency])
			}
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
		begins := f.Proposal.CreatedAt.Add(-5 * time.Minute)
		for _, c := range deciding(f) {
			if opens := c.CreatedAt.Add(-5 * time.Minute); opens.Before(begins) && c.Proposal.URI == f.Proposal.URI {
				begins = opens
			}
		}
		if first := intervals[0].From; !first.Equal(begins) {
			rt.Errorf("the first begins at %s instead of %s", first, begins)
		}
		if last := intervals[len(intervals)-1].To; !last.Equal(lifecycle.End) {
			rt.Errorf("the last ends at %s", last)
		}
		for i, iv := range intervals {
			if !iv.From.Before(iv.To) || !iv.Stage.Valid() || (iv.Attempt == "") != (iv.Stage == proposed || iv.Stage == declined) {
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

// deciding are the campaigns that the operator goes by, the earliest of each
// attempt, oldest first.
func deciding(f lifecycle.Facts) []lifecycle.Campaign {
	all := slices.DeleteFunc(slices.Clone(f.Campaigns), func(c lifecycle.Campaign) bool {
		return c.Author == shady || c.Author == stranger || c.Test && !f.Policy.TestMoney || c.Phase == "unheard-of"
	})
	slices.SortFunc(all, func(a, b lifecycle.Campaign) int {
		return order.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.URI.String(), b.URI.String()))
	})
	seen := map[lifecycle.AttemptURI]bool{}
	return slices.DeleteFunc(all, func(c lifecycle.Campaign) bool {
		again := seen[c.Development.URI]
		seen[c.Development.URI] = true
		return again
	})
}

// modelDevelopers lists who may act at t (rules 3, 4).
func modelDevelopers(f lifecycle.Facts, t time.Time) []syntax.DID {
	exists := func(m lifecycle.Meta) bool { return m.CreatedAt.Sub(t) <= 5*time.Minute }
	switch f.Proposal.Subject {
	case byAccount:
		return []syntax.DID{owner}
	case byProject:
		if f.Project != nil && exists(f.Project.Meta) {
			return append(slices.Clone(f.Project.Maintainers), owner)
		}
		return []syntax.DID{owner}
	}
	for _, method := range []lifecycle.ClaimMethod{"repository", "host"} {
		var best *lifecycle.Claim
		for _, c := range f.Claims {
			holds := c.Method == method && exists(c.Project.Meta) && !t.Before(c.VerifiedAt) && t.Before(c.ExpiresAt)
			if holds && (best == nil || c.VerifiedAt.Before(best.VerifiedAt) ||
				c.VerifiedAt.Equal(best.VerifiedAt) && c.Project.URI < best.Project.URI) {
				best = &c
			}
		}
		if best != nil {
			return append(slices.Clone(best.Project.Maintainers), best.Project.Author)
		}
	}
	return nil
}

// model says what the rules say of one moment, in the words of the rules and
// without a thought of other moments. Of a campaign it leaves out what is next.
func model(f lifecycle.Facts, t time.Time) (at, bool) {
	exists := func(m lifecycle.Meta) bool { return m.CreatedAt.Sub(t) <= 5*time.Minute }
	older := func(a, b lifecycle.Meta) bool {
		return a.CreatedAt.Before(b.CreatedAt) || a.CreatedAt.Equal(b.CreatedAt) && a.URI < b.URI
	}
	developer := func(who syntax.DID) bool { return slices.Contains(modelDevelopers(f, t), who) }

	opened := map[lifecycle.AttemptURI]bool{}
	inPhase := func(phases ...lifecycle.Phase) (found []lifecycle.Campaign) {
		for _, c := range deciding(f) {
			if exists(c.Meta) && slices.Contains(phases, c.Phase) && c.Proposal.URI == f.Proposal.URI {
				found = append(found, c)
			}
		}
		return found
	}
	for _, c := range inPhase(lifecycle.Phases()...) {
		opened[c.Development.URI] = true
	}
	for _, c := range deciding(f) {
		if c.Proposal.URI != f.Proposal.URI {
			opened[c.Development.URI] = true // for another one, which stands (rule 8)
		}
	}
	if c := inPhase(released); len(c) > 0 {
		return at{Stage: lifecycle.StageCompleted, Attempt: c[0].Development.URI}, true
	}
	if c := inPhase(open, closed, checking, verifying, disputed, settling); len(c) > 0 {
		return at{Stage: map[lifecycle.Phase]lifecycle.Stage{
			open: "preview", closed: "releasing", checking: "releasing", verifying: "verification", disputed: "disputed", settling: "settling",
		}[c[0].Phase], Attempt: c[0].Development.URI}, true
	}
	if c := inPhase(refunding); len(c) > 0 {
		return at{Stage: lifecycle.StageCancelled, Attempt: c[len(c)-1].Development.URI}, true
	}
	ended := inPhase(refunded)
	if !exists(f.Proposal.Meta) && len(ended) == 0 {
		return at{}, false
	}

	var current *lifecycle.Development
	var next at
	for _, d := range f.Developments {
		if !developer(d.Author) || !exists(d.Meta) || opened[d.URI] {
			continue
		}
		cancelled, changed, opens := false, d.CreatedAt, time.Time{}
		if d.ExpectedAt != nil {
			opens = *d.ExpectedAt
		}
		event := lifecycle.NextPreviewExpected
		for _, c := range f.Cancellations {
			cancelled = cancelled || c.Attempt == d.URI && c.Author == d.Author && exists(c.Meta)
		}
		for _, p := range f.Previews {
			if p.Attempt == d.URI && p.Author == d.Author && exists(p.Meta) {
				opens, event = p.OpensAt, lifecycle.NextPreviewOpens
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
			next.Next, next.In = event, opens.Sub(t0)
		}
	}
	if current != nil {
		return next, true
	}
	if len(ended) > 0 {
		return at{Stage: lifecycle.StageCancelled, Attempt: ended[len(ended)-1].Development.URI}, true
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
			if !slices.Contains([]lifecycle.Stage{development, declined, proposed}, got.Stage) {
				got.Next, got.In = "", 0
			}
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
		for _, c := range lifecycle.CountEstimates(f, t0.Add(drawMoment(rt, "now"))) {
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

func TestR18_FundingIsTheSumOfItsListsAtAnyTime(t *testing.T) {
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

// sums adds up the lists as they count at t.
func sums(f lifecycle.Facts, stages []lifecycle.Interval, t time.Time) []lifecycle.Funding {
	out := []lifecycle.Funding{}
	stage, _ := lifecycle.StageAt(stages, t)
	pledges, donations := lifecycle.PledgesAt(f, t), lifecycle.DonationsAt(f, t)
	for _, currency := range []money.Currency{"CHF", "EUR", "USD"} {
		sum := lifecycle.Funding{Currency: currency}
		for _, c := range lifecycle.CountEstimates(f, t) {
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
		pledgers, donors := map[syntax.DID]bool{}, map[syntax.DID]bool{}
		var raised int64
		add := func(p lifecycle.Payment, places map[lifecycle.ReceiptStatus]*int64) {
			place := places[p.Status]
			if p.Value.Currency != currency || place == nil {
				return
			}
			*place += p.Value.Amount
			if p.Attempt == stage.Attempt && slices.Contains([]*int64{&sum.Pledged, &sum.Donated, &sum.Releasing, &sum.Released}, place) {
				raised += p.Value.Amount
			}
		}
		for _, p := range pledges {
			if p.Status == lifecycle.StatusPending && p.Value.Currency == currency {
				sum.Pending++
			}
			if p.Value.Currency == currency && p.Status == "held" {
				pledgers[p.Payer] = true
			}
			add(p, map[lifecycle.ReceiptStatus]*int64{
				"held": &sum.Pledged, "releasing": &sum.Releasing, "released": &sum.Released, "refunding": &sum.Refunding,
				"refund-failed": &sum.Refunding, "refunded": &sum.Refunded, "charged-back": &sum.ChargedBack, "reversed": &sum.ChargedBack,
			})
		}
		for _, p := range donations {
			if p.Value.Currency == currency && p.Status == "paid" {
				donors[p.Payer] = true
			}
			add(p, map[lifecycle.ReceiptStatus]*int64{
				"paid": &sum.Donated, "refunding": &sum.Refunding, "refund-failed": &sum.Refunding, "refunded": &sum.Refunded,
				"charged-back": &sum.ChargedBack, "reversed": &sum.ChargedBack,
			})
		}
		sum.Pledgers, sum.Donors = int64(len(pledgers)), int64(len(donors))
		for _, d := range f.Developments {
			if d.URI == stage.Attempt && stage.Stage != lifecycle.StageCancelled && d.Goal != nil && d.Goal.Currency == currency {
				sum.Goal, sum.Raised = &d.Goal.Amount, &raised
			}
		}
		if sum != (lifecycle.Funding{Currency: currency}) {
			out = append(out, sum)
		}
	}
	return out
}
