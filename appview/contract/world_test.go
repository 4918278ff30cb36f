package contract_test

import (
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// world is what the cases ask for. The backer is who asks.
type world struct {
	dev, author, backer, escrow *atmosphere.Account
	// project has everything that a project can have, quiet nothing but a name.
	project, quiet comatproto.RepoStrongRef
	// rich has every kind of record about it, bare none.
	rich, bare comatproto.RepoStrongRef
}

// makeAccounts comes first: an AppView is told whom to trust when it starts.
func makeAccounts(t *testing.T, network *atmosphere.Network) *world {
	t.Helper()
	return &world{
		dev:    atmospheretest.NewAccount(t, network, "dev"),
		author: atmospheretest.NewAccount(t, network, "author"),
		backer: atmospheretest.NewAccount(t, network, "backer"),
		escrow: atmospheretest.NewAccount(t, network, "escrow"),
	}
}

// live writes the records.
func (w *world) live(t *testing.T) {
	t.Helper()
	n := &narrator{t: t, now: time.Now().UTC()}
	w.projects(n)
	w.proposals(n)
	attempt := w.attempts(n)
	w.money(n, attempt)
}

func (w *world) projects(n *narrator) {
	w.project = n.put(w.dev, lexicons.CollectionProject, "tool", &stratos.ProjectProfile{
		LexiconTypeID: "fund.stratos.project.profile", Name: "Tool", Tags: []string{"cli"}, CreatedAt: n.at(0),
		Uris:        []stratos.ProjectProfile_Uri{{Uri: "https://tool.example/", Kind: "website"}},
		Maintainers: []stratos.ProjectProfile_Maintainer{{Did: w.author.DID.String()}},
	})
	w.quiet = n.put(w.dev, lexicons.CollectionProject, "quiet", &stratos.ProjectProfile{
		LexiconTypeID: "fund.stratos.project.profile", Name: "Quiet", CreatedAt: n.at(0),
	})
}

func (w *world) proposals(n *narrator) {
	w.rich = n.create(w.author, lexicons.CollectionProposal, &stratos.FeatureProposal{
		LexiconTypeID: "fund.stratos.feature.proposal", Title: "Dark mode", Description: "For *eyes*.", Tags: []string{"ui"}, CreatedAt: n.at(0),
		Subject: stratos.FeatureProposal_Subject{FeatureProposal_ProjectSubject: &stratos.FeatureProposal_ProjectSubject{Project: w.project.Uri}},
	})
	w.bare = n.create(w.author, lexicons.CollectionProposal, &stratos.FeatureProposal{
		LexiconTypeID: "fund.stratos.feature.proposal", Title: "Offline maps", Description: "Everywhere.", CreatedAt: n.at(0),
		Subject: stratos.FeatureProposal_Subject{FeatureProposal_UriSubject: &stratos.FeatureProposal_UriSubject{Uri: "https://maps.example/"}},
	})
	for _, by := range []*atmosphere.Account{w.author, w.backer} {
		n.create(by, lexicons.CollectionEstimate, &stratos.FeatureEstimate{
			LexiconTypeID: "fund.stratos.feature.estimate", Proposal: w.rich, Value: usd(1500), CreatedAt: n.at(0),
		})
	}
	n.create(w.dev, lexicons.CollectionResponse, &stratos.WorkResponse{
		LexiconTypeID: "fund.stratos.work.response", Proposal: w.rich, Answer: "planned", CreatedAt: n.at(0),
	})
}

// attempts writes one that was cancelled and one that goes on, which it returns. The
// latter was announced for another version of the proposal.
func (w *world) attempts(n *narrator) comatproto.RepoStrongRef {
	develop := func(rkey syntax.RecordKey, minute int, proposal comatproto.RepoStrongRef) comatproto.RepoStrongRef {
		return n.put(w.dev, lexicons.CollectionDevelopment, rkey, &stratos.WorkDevelopment{
			LexiconTypeID: "fund.stratos.work.development", Proposal: proposal, Title: "Dark mode", Summary: "All of it.",
			Currency: "USD", Goal: ref(usd(50_000)), Escrow: w.escrow.DID.String(), CreatedAt: n.at(minute),
			Payees: []stratos.WorkDevelopment_Payee{{Did: w.dev.DID.String(), Share: 7500}, {Did: w.author.DID.String(), Share: 2500}},
		})
	}
	dropped := develop(n.key(1), 1, w.rich)
	n.put(w.dev, lexicons.CollectionCancellation, n.key(1), &stratos.WorkCancellation{
		LexiconTypeID: "fund.stratos.work.cancellation", Development: dropped, CreatedAt: n.at(2),
	})
	edited := w.rich
	edited.Cid = dropped.Cid // the version before an edit: a CID of nothing that stands
	attempt := develop(n.key(2), 3, edited)
	n.create(w.author, lexicons.CollectionConsent, &stratos.WorkConsent{
		LexiconTypeID: "fund.stratos.work.consent", Development: attempt, CreatedAt: n.at(4),
	})
	n.put(w.dev, lexicons.CollectionPreview, n.key(2), &stratos.WorkPreview{
		LexiconTypeID: "fund.stratos.work.preview", Development: attempt, Uri: "https://preview.example/", Instructions: "Look.",
		OpensAt: n.at(24 * 60), ClosesAt: n.at(8 * 24 * 60), CreatedAt: n.at(4),
	})
	release := n.put(w.dev, lexicons.CollectionRelease, n.key(2), &stratos.WorkRelease{
		LexiconTypeID: "fund.stratos.work.release", Development: attempt, Repository: "https://git.example/tool",
		Commit: "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3", License: "MIT", CreatedAt: n.at(5),
	})
	n.create(w.author, lexicons.CollectionVerification, &stratos.FeatureVerification{
		LexiconTypeID: "fund.stratos.feature.verification", Release: release, Matches: true, CreatedAt: n.at(6),
	})
	n.create(w.backer, lexicons.CollectionDispute, &stratos.FeatureDispute{
		LexiconTypeID: "fund.stratos.feature.dispute", Proposal: w.rich, Release: release,
		Reason: "source-mismatch", Statement: "Another colour.", CreatedAt: n.at(6),
	})
	return attempt
}

// money writes a pledge and a donation with their receipts.
func (w *world) money(n *narrator, attempt comatproto.RepoStrongRef) {
	terms := n.create(w.escrow, lexicons.CollectionTerms, &stratos.EscrowTerms{
		LexiconTypeID:  "fund.stratos.escrow.terms",
		Currencies:     []stratos.EscrowTerms_Currency{{Currency: "USD", Minimum: 100, Maximum: 100_000}},
		FeeBasisPoints: 500, PreviewSeconds: stratos.EscrowTerms_Range{Minimum: 7 * day, Maximum: 14 * day},
		ReleaseSeconds: 14 * day, VerificationSeconds: 14 * day, RulingSeconds: 10 * day, DisputeReserveSeconds: 14 * day,
		MaximumHoldSeconds: 80 * day, TextHash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", CreatedAt: n.at(0),
	})
	pledge := n.create(w.backer, lexicons.CollectionPledge, &stratos.FeaturePledge{
		LexiconTypeID: "fund.stratos.feature.pledge", Proposal: w.rich, Development: attempt, Value: usd(4000),
		Escrow: w.escrow.DID.String(), CreatedAt: n.at(5),
	})
	w.receipt(n, pledge, attempt, terms, "released", usd(4000))
	donation := n.create(w.backer, lexicons.CollectionDonation, &stratos.FeatureDonation{
		LexiconTypeID: "fund.stratos.feature.donation", Proposal: w.rich, Development: attempt, Value: usd(700),
		Escrow: w.escrow.DID.String(), CreatedAt: n.at(5),
	})
	w.receipt(n, donation, attempt, terms, "paid", usd(700))
}

func (w *world) receipt(n *narrator, subject, attempt, terms comatproto.RepoStrongRef, status string, value stratos.Defs_Money) {
	n.put(w.escrow, lexicons.CollectionReceipt, lexicons.DerivedKey(syntax.ATURI(subject.Uri)), &stratos.EscrowReceipt{
		LexiconTypeID: "fund.stratos.escrow.receipt", Subject: subject, Development: attempt, Terms: terms,
		Payer: w.backer.DID.String(), Value: value, Status: status, UpdatedAt: n.at(6), CreatedAt: n.at(6),
		History: []stratos.EscrowReceipt_Change{{Status: status, At: n.at(6)}},
	})
}

// day is in seconds.
const day = 24 * 60 * 60

func usd(amount int64) stratos.Defs_Money { return stratos.Defs_Money{Amount: amount, Currency: "USD"} }

func ref[T any](v T) *T { return &v }

// narrator writes records, the first an hour ago.
type narrator struct {
	t   *testing.T
	now time.Time
}

// at is some minutes into the story.
func (n *narrator) at(minute int) string {
	return n.now.Add(-time.Hour + time.Duration(minute)*time.Minute).Format(syntax.AtprotoDatetimeLayout)
}

// key is the record key of an attempt and of what belongs to it.
func (n *narrator) key(attempt int) syntax.RecordKey {
	return syntax.RecordKey(syntax.NewTIDFromTime(n.now.Add(time.Duration(attempt)*time.Second), 0))
}

func (n *narrator) create(by *atmosphere.Account, collection syntax.NSID, record any) comatproto.RepoStrongRef {
	n.t.Helper()
	uri, cid, err := by.CreateRecord(n.t.Context(), collection, record)
	if err != nil {
		n.t.Fatal(err)
	}
	return comatproto.RepoStrongRef{Uri: uri.String(), Cid: cid}
}

func (n *narrator) put(by *atmosphere.Account, collection syntax.NSID, rkey syntax.RecordKey, record any) comatproto.RepoStrongRef {
	n.t.Helper()
	uri, cid, err := by.PutRecord(n.t.Context(), collection, rkey, record)
	if err != nil {
		n.t.Fatal(err)
	}
	return comatproto.RepoStrongRef{Uri: uri.String(), Cid: cid}
}
