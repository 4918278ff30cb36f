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
	f := lifecycle.Facts{Proposal: lifecycle.Proposal{Meta: meta(backer, "feature.proposal", "p", 0), Subject: subject}}
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
		f.Developments = append(f.Developments, lifecycle.Development{Meta: meta(author, "work.development", rkey, at)})
	}
}

func goal(author syntax.DID, rkey string, at time.Duration, amount int64, currency money.Currency) part {
	return func(f *lifecycle.Facts) {
		f.Developments = append(f.Developments, lifecycle.Development{
			Meta: meta(author, "work.development", rkey, at), Goal: &money.Money{Amount: amount, Currency: currency},
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

func clone(f lifecycle.Facts) lifecycle.Facts {
	f.Responses = slices.Clone(f.Responses)
	f.Developments = slices.Clone(f.Developments)
	f.Previews = slices.Clone(f.Previews)
	f.Releases = slices.Clone(f.Releases)
	f.Cancellations = slices.Clone(f.Cancellations)
	f.Estimates = slices.Clone(f.Estimates)
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
