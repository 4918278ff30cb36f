package lifecycle_test

import (
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

const (
	owner      syntax.DID = "did:plc:owner"
	maintainer syntax.DID = "did:plc:maintainer"
	backer     syntax.DID = "did:plc:backer"
	stranger   syntax.DID = "did:plc:stranger"
	escrow     syntax.DID = "did:plc:escrow"
	second     syntax.DID = "did:plc:second" // another trusted escrow
	shady      syntax.DID = "did:plc:shady"  // one that nobody trusts

	projectURI syntax.ATURI = "at://did:plc:owner/fund.stratos.project.profile/app"
)

var (
	byProject = lifecycle.Subject{Project: projectURI}
	byAccount = lifecycle.Subject{Account: owner}
	byURL     = lifecycle.Subject{URI: "https://example.com/app"}
)

// t0 is when the proposals of the tests are created.
var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	day = 24 * time.Hour
	ms  = time.Millisecond
)

func meta(author syntax.DID, collection, rkey string, at time.Duration) lifecycle.Meta {
	return lifecycle.Meta{
		URI:       syntax.ATURI("at://" + author.String() + "/fund.stratos." + collection + "/" + rkey),
		Author:    author,
		CreatedAt: t0.Add(at),
	}
}

// part adds something to the facts of a proposal.
type part func(*lifecycle.Facts)

// facts are those of a proposal of t0 about the subject, whose project record,
// if the subject is one, has no maintainers.
func facts(subject lifecycle.Subject, parts ...part) lifecycle.Facts {
	f := lifecycle.Facts{Policy: lifecycle.Policy{TrustedEscrows: []syntax.DID{escrow, second}}, Proposal: lifecycle.Proposal{Meta: meta(backer, "feature.proposal", "p", 0), Subject: subject}}
	if subject.Project != "" {
		project(-day)(&f)
	}
	for _, p := range parts {
		p(&f)
	}
	return f
}

func project(at time.Duration, maintainers ...syntax.DID) part {
	return func(f *lifecycle.Facts) {
		f.Project = &lifecycle.Project{Meta: meta(owner, "project.profile", "app", at), Maintainers: maintainers}
	}
}

func noProject(f *lifecycle.Facts) { f.Project = nil }

func attemptURI(author syntax.DID, rkey string) lifecycle.AttemptURI {
	return meta(author, "work.development", rkey, 0).URI
}

func develop(author syntax.DID, rkey string, at time.Duration) part {
	return func(f *lifecycle.Facts) {
		f.Developments = append(f.Developments, lifecycle.Development{Meta: meta(author, "work.development", rkey, at), Escrow: escrow})
	}
}

func goal(author syntax.DID, rkey string, at time.Duration, amount int64, currency money.Currency) part {
	return func(f *lifecycle.Facts) {
		f.Developments = append(f.Developments, lifecycle.Development{
			Meta: meta(author, "work.development", rkey, at), Escrow: escrow, Goal: &money.Money{Amount: amount, Currency: currency},
		})
	}
}

func preview(author syntax.DID, rkey string, at, opens time.Duration) part {
	return previewOf(author, author, rkey, at, opens)
}

// previewOf is somebody's preview of another's attempt.
func previewOf(author, developer syntax.DID, rkey string, at, opens time.Duration) part {
	return func(f *lifecycle.Facts) {
		f.Previews = append(f.Previews, lifecycle.Preview{
			Meta: meta(author, "work.preview", rkey, at), Attempt: attemptURI(developer, rkey),
			OpensAt: t0.Add(opens), ClosesAt: t0.Add(opens + 14*day),
		})
	}
}

func release(author syntax.DID, rkey string, at time.Duration) part {
	return func(f *lifecycle.Facts) {
		f.Releases = append(f.Releases, lifecycle.Release{Meta: meta(author, "work.release", rkey, at), Attempt: attemptURI(author, rkey)})
	}
}

func cancel(author syntax.DID, rkey string, at time.Duration) part {
	return cancelOf(author, author, rkey, at)
}

func cancelOf(author, developer syntax.DID, rkey string, at time.Duration) part {
	return func(f *lifecycle.Facts) {
		f.Cancellations = append(f.Cancellations, lifecycle.Cancellation{
			Meta: meta(author, "work.cancellation", rkey, at), Attempt: attemptURI(developer, rkey),
		})
	}
}

func answer(author syntax.DID, rkey string, at time.Duration, a lifecycle.Answer) part {
	return func(f *lifecycle.Facts) {
		f.Responses = append(f.Responses, lifecycle.Response{Meta: meta(author, "work.response", rkey, at), Answer: a})
	}
}

func estimate(author syntax.DID, rkey string, at time.Duration, amount int64, currency money.Currency, largest int64) part {
	return func(f *lifecycle.Facts) {
		f.Estimates = append(f.Estimates, lifecycle.Estimate{
			Meta: meta(author, "feature.estimate", rkey, at), Value: money.Money{Amount: amount, Currency: currency}, Largest: largest,
		})
	}
}

// campaignOf is the trusted escrow's campaign of an attempt, created at at. It is
// open for 14 days, gives 14 more for the release, and ends after 80.
func campaignOf(developer syntax.DID, rkey string, at time.Duration, phase lifecycle.Phase, changes ...func(*lifecycle.Campaign)) part {
	return func(f *lifecycle.Facts) {
		c := lifecycle.Campaign{
			Meta:        meta(escrow, "escrow.campaign", developer.String()[8:]+rkey, at),
			Development: lifecycle.Ref{URI: attemptURI(developer, rkey)},
			Preview:     lifecycle.Ref{URI: meta(developer, "work.preview", rkey, 0).URI},
			Proposal:    lifecycle.Ref{URI: f.Proposal.URI},
			Developer:   developer, Payees: []syntax.DID{developer}, Currency: "USD",
			OpensAt: t0.Add(at), ClosesAt: t0.Add(at + 14*day), ReleaseBy: t0.Add(at + 28*day), FinalAt: t0.Add(at + 80*day),
			Phase: phase,
		}
		for _, change := range changes {
			change(&c)
		}
		f.Campaigns = append(f.Campaigns, c)
	}
}

func by(did syntax.DID) func(*lifecycle.Campaign) {
	return func(c *lifecycle.Campaign) {
		c.URI = meta(did, "escrow.campaign", c.URI.RecordKey().String(), 0).URI
		c.Author = did
	}
}

func inTest(c *lifecycle.Campaign) { c.Test = true }

func counting(f *lifecycle.Facts) { f.Policy.TestMoney = true }

func pledge(author syntax.DID, rkey string, at time.Duration, attempt lifecycle.AttemptURI, amount int64) part {
	return func(f *lifecycle.Facts) {
		f.Pledges = append(f.Pledges, lifecycle.Pledge{
			Meta: meta(author, "feature.pledge", rkey, at), Attempt: attempt, Escrow: escrow,
			Value: money.Money{Amount: amount, Currency: "USD"},
		})
	}
}

func donation(author syntax.DID, rkey string, at time.Duration, attempt lifecycle.AttemptURI, amount int64) part {
	return func(f *lifecycle.Facts) {
		f.Donations = append(f.Donations, lifecycle.Donation{
			Meta: meta(author, "feature.donation", rkey, at), Attempt: attempt, Escrow: escrow,
			Value: money.Money{Amount: amount, Currency: "USD"},
		})
	}
}

// receipt is the trusted escrow's for a pledge.
func receipt(payer syntax.DID, rkey string, at time.Duration, attempt lifecycle.AttemptURI, amount int64, status lifecycle.ReceiptStatus, changes ...func(*lifecycle.Receipt)) part {
	return func(f *lifecycle.Facts) {
		r := lifecycle.Receipt{
			Meta:    meta(escrow, "escrow.receipt", payer.String()[8:]+rkey, at),
			Subject: lifecycle.Ref{URI: meta(payer, "feature.pledge", rkey, 0).URI},
			Attempt: attempt, Payer: payer, Value: money.Money{Amount: amount, Currency: "USD"}, Status: status,
		}
		for _, change := range changes {
			change(&r)
		}
		f.Receipts = append(f.Receipts, r)
	}
}

func forDonation(r *lifecycle.Receipt) {
	r.URI += "d"
	r.Subject.URI = meta(r.Payer, "feature.donation", r.Subject.URI.RecordKey().String(), 0).URI
}

func receiptBy(did syntax.DID) func(*lifecycle.Receipt) {
	return func(r *lifecycle.Receipt) {
		r.URI = meta(did, "escrow.receipt", r.URI.RecordKey().String(), 0).URI
		r.Author = did
	}
}

func claim(project, owner syntax.DID, method lifecycle.ClaimMethod, verified, expires time.Duration, maintainers ...syntax.DID) part {
	return func(f *lifecycle.Facts) {
		f.Claims = append(f.Claims, lifecycle.Claim{
			URI:     f.Proposal.Subject.URI,
			Project: lifecycle.Project{Meta: meta(owner, "project.profile", project.String()[8:], -lapse), Maintainers: maintainers},
			Method:  method, VerifiedAt: t0.Add(verified), ExpiresAt: t0.Add(expires),
		})
	}
}

func consent(author syntax.DID, attempt lifecycle.AttemptURI, at time.Duration) part {
	return func(f *lifecycle.Facts) {
		f.Consents = append(f.Consents, lifecycle.Consent{Meta: meta(author, "work.consent", "c", at), Attempt: attempt})
	}
}

func releaseURI(author syntax.DID, rkey string) syntax.ATURI {
	return meta(author, "work.release", rkey, 0).URI
}

func dispute(author syntax.DID, rkey string, at time.Duration, release syntax.ATURI) part {
	return func(f *lifecycle.Facts) {
		f.Disputes = append(f.Disputes, lifecycle.Dispute{Meta: meta(author, "feature.dispute", rkey, at), Release: lifecycle.Ref{URI: release}})
	}
}

func ruling(author syntax.DID, rkey string, at time.Duration, dispute syntax.ATURI, outcome lifecycle.Outcome) part {
	return func(f *lifecycle.Facts) {
		f.Rulings = append(f.Rulings, lifecycle.Ruling{Meta: meta(author, "escrow.ruling", rkey, at), Dispute: lifecycle.Ref{URI: dispute}, Outcome: outcome})
	}
}

func verification(author syntax.DID, rkey string, at time.Duration, release syntax.ATURI) part {
	return func(f *lifecycle.Facts) {
		f.Verifications = append(f.Verifications, lifecycle.Verification{
			Meta: meta(author, "feature.verification", rkey, at), Release: lifecycle.Ref{URI: release}, Matches: true,
		})
	}
}

func clone(f lifecycle.Facts) lifecycle.Facts {
	f.Claims = slices.Clone(f.Claims)
	f.Responses = slices.Clone(f.Responses)
	f.Developments = slices.Clone(f.Developments)
	f.Previews = slices.Clone(f.Previews)
	f.Releases = slices.Clone(f.Releases)
	f.Cancellations = slices.Clone(f.Cancellations)
	f.Consents = slices.Clone(f.Consents)
	f.Estimates = slices.Clone(f.Estimates)
	f.Pledges = slices.Clone(f.Pledges)
	f.Donations = slices.Clone(f.Donations)
	f.Campaigns = slices.Clone(f.Campaigns)
	f.Receipts = slices.Clone(f.Receipts)
	f.Disputes = slices.Clone(f.Disputes)
	f.Rulings = slices.Clone(f.Rulings)
	f.Verifications = slices.Clone(f.Verifications)
	return f
}

// at is what an interval says, with its times as distances from t0.
type at struct {
	Stage   lifecycle.Stage
	Attempt lifecycle.AttemptURI
	Next    lifecycle.NextEvent
	In      time.Duration // from t0 until Next
}

func stageAt(t testing.TB, f lifecycle.Facts, when time.Duration) (at, bool) {
	t.Helper()
	iv, ok := lifecycle.StageAt(lifecycle.Evaluate(f), t0.Add(when))
	if !ok {
		return at{}, false
	}
	got := at{Stage: iv.Stage, Attempt: iv.Attempt}
	if iv.Next != nil {
		got.Next, got.In = iv.Next.Event, iv.Next.At.Sub(t0)
	}
	return got, true
}
