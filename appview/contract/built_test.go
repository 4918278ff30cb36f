package contract_test

import (
	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// build writes a proposal whose attempt came to a dispute, with all that backers do
// on the way, twice each: once by the backer, whose word is the newer one, and once
// by the author, whose pledge went back.
func (w *world) build(n *narrator) {
	w.built = n.create(w.author, lexicons.CollectionProposal, &stratos.FeatureProposal{
		LexiconTypeID: "fund.stratos.feature.proposal", Title: "Shared calendars", Description: "For teams.", Tags: []string{"team"}, CreatedAt: n.at(0),
		Subject: stratos.FeatureProposal_Subject{FeatureProposal_AccountSubject: &stratos.FeatureProposal_AccountSubject{Did: w.dev.DID.String()}},
	})
	work := n.put(w.dev, lexicons.CollectionDevelopment, n.key(3), &stratos.WorkDevelopment{
		LexiconTypeID: "fund.stratos.work.development", Proposal: w.built, Title: "Calendars", Summary: "To share.",
		Currency: "USD", Escrow: w.escrow.DID.String(), CreatedAt: n.at(1),
	})
	preview := n.put(w.dev, lexicons.CollectionPreview, n.key(3), &stratos.WorkPreview{
		LexiconTypeID: "fund.stratos.work.preview", Development: work, Uri: "https://calendar.example/", Instructions: "Share one.",
		OpensAt: n.at(5), ClosesAt: n.at(10), CreatedAt: n.at(2),
	})
	release := n.put(w.dev, lexicons.CollectionRelease, n.key(3), &stratos.WorkRelease{
		LexiconTypeID: "fund.stratos.work.release", Development: work, Repository: "https://git.example/calendar",
		Commit: "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3", License: "MIT", CreatedAt: n.at(12),
	})
	terms := w.terms(n)
	w.back(n, w.author, 0, work, release, terms, "refunded")
	dispute := w.back(n, w.backer, 1, work, release, terms, "held")
	n.put(w.escrow, lexicons.CollectionCampaign, lexicons.DerivedKey(syntax.ATURI(work.Uri)), &stratos.EscrowCampaign{
		LexiconTypeID: "fund.stratos.escrow.campaign", Development: work, Preview: preview, Proposal: w.built, Terms: terms,
		Author: w.dev.DID.String(), Title: "Calendars", Payees: []stratos.EscrowCampaign_Payee{{Did: w.dev.DID.String(), Share: 10_000}},
		Currency: "USD", OpensAt: n.at(5), ClosesAt: n.at(10), ReleaseBy: n.at(24 * 60), FinalAt: n.at(79 * 24 * 60),
		Phase: "verifying", Pot: &stratos.Defs_Total{Amount: 4000, Currency: "USD"}, Release: &release, AcceptedAt: ref(n.at(13)),
		VerificationEndsAt: ref(n.at(14 * 24 * 60)), UpdatedAt: n.at(20), CreatedAt: n.at(5),
	})
	n.create(w.escrow, lexicons.CollectionRuling, &stratos.EscrowRuling{
		LexiconTypeID: "fund.stratos.escrow.ruling", Dispute: dispute, Outcome: "rejected", Rationale: "It is the same.", CreatedAt: n.at(20),
	})
}

// back writes all that one account does for the work, some minutes later than
// others, and returns its dispute.
func (w *world) back(n *narrator, by *atmosphere.Account, later int, work, release, terms comatproto.RepoStrongRef, status string) comatproto.RepoStrongRef {
	donation := n.create(by, lexicons.CollectionDonation, &stratos.FeatureDonation{
		LexiconTypeID: "fund.stratos.feature.donation", Proposal: w.built, Development: work, Value: usd(700),
		Escrow: w.escrow.DID.String(), CreatedAt: n.at(3 + later),
	})
	w.receiptOf(n, by, donation, work, terms, "paid", usd(700))
	pledge := n.create(by, lexicons.CollectionPledge, &stratos.FeaturePledge{
		LexiconTypeID: "fund.stratos.feature.pledge", Proposal: w.built, Development: work, Value: usd(4000),
		Escrow: w.escrow.DID.String(), CreatedAt: n.at(6 + later),
	})
	w.receiptOf(n, by, pledge, work, terms, status, usd(4000))
	n.create(by, lexicons.CollectionVerification, &stratos.FeatureVerification{
		LexiconTypeID: "fund.stratos.feature.verification", Release: release, Matches: true, CreatedAt: n.at(14 + later),
	})
	return n.create(by, lexicons.CollectionDispute, &stratos.FeatureDispute{
		LexiconTypeID: "fund.stratos.feature.dispute", Proposal: w.built, Release: release,
		Reason: "source-mismatch", Statement: "Another colour.", CreatedAt: n.at(15 + later),
	})
}
