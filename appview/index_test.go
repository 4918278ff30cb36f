package appview_test

import (
	"encoding/json"
	"net/url"
	"strconv"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// Some more people of an offline index.
const (
	dave  syntax.DID = "did:plc:dave"
	shady syntax.DID = "did:plc:shady" // an escrow that nobody trusts
)

// hoursOn is some hours from the beginning of the clock.
func hoursOn(hours float64) string {
	return offlineBegins.Add(time.Duration(hours * float64(time.Hour))).Format(syntax.AtprotoDatetimeLayout)
}

// index is an offline index whose records are made of the generated types, and which
// comes to know them all at once.
type index struct{ *offline }

func newIndex(t *testing.T) *index {
	t.Helper()
	return &index{newOffline(t)}
}

// add gives a record to an account's repository; sync brings it into the index.
func (x *index) add(did syntax.DID, collection syntax.NSID, rkey syntax.RecordKey, record any) comatproto.RepoStrongRef {
	x.t.Helper()
	asJSON, err := json.Marshal(record)
	if err != nil {
		x.t.Fatal(err)
	}
	r := x.parse(did, collection, rkey, asJSON)
	x.write(r)
	return comatproto.RepoStrongRef{Uri: r.URI().String(), Cid: r.CID}
}

// sync makes the index hold what the repositories do.
func (x *index) sync() {
	x.t.Helper()
	for did := range x.repos {
		x.fetch(did)
	}
}

func usd(amount int64) stratos.Defs_Money {
	return stratos.Defs_Money{Amount: amount, Currency: "USD"}
}

func onAccount(did syntax.DID) stratos.FeatureProposal_Subject {
	return stratos.FeatureProposal_Subject{FeatureProposal_AccountSubject: &stratos.FeatureProposal_AccountSubject{Did: did.String()}}
}

func onURI(uri string) stratos.FeatureProposal_Subject {
	return stratos.FeatureProposal_Subject{FeatureProposal_UriSubject: &stratos.FeatureProposal_UriSubject{Uri: uri}}
}

func (x *index) proposal(by syntax.DID, n int, subject stratos.FeatureProposal_Subject) comatproto.RepoStrongRef {
	x.t.Helper()
	return x.add(by, lexicons.CollectionProposal, tid(n), &stratos.FeatureProposal{
		LexiconTypeID: "fund.stratos.feature.proposal", Title: "Dark mode", Description: "For eyes.", Subject: subject, CreatedAt: hoursOn(-90),
	})
}

func (x *index) estimate(by syntax.DID, n int, of comatproto.RepoStrongRef, hours float64) comatproto.RepoStrongRef {
	x.t.Helper()
	return x.add(by, lexicons.CollectionEstimate, tid(n), &stratos.FeatureEstimate{
		LexiconTypeID: "fund.stratos.feature.estimate", Proposal: of, Value: usd(1000), CreatedAt: hoursOn(hours),
	})
}

func (x *index) response(by syntax.DID, n int, of comatproto.RepoStrongRef, answer, duplicateOf string) {
	x.t.Helper()
	r := &stratos.WorkResponse{LexiconTypeID: "fund.stratos.work.response", Proposal: of, Answer: answer, CreatedAt: hoursOn(-80)}
	if duplicateOf != "" {
		r.DuplicateOf = &duplicateOf
	}
	x.add(by, lexicons.CollectionResponse, tid(n), r)
}

func (x *index) development(by syntax.DID, n int, of comatproto.RepoStrongRef, by2 syntax.DID) comatproto.RepoStrongRef {
	x.t.Helper()
	goal := usd(50_000)
	return x.add(by, lexicons.CollectionDevelopment, tid(n), &stratos.WorkDevelopment{
		LexiconTypeID: "fund.stratos.work.development", Proposal: of, Title: "Dark mode", Summary: "All of it.",
		Currency: "USD", Goal: &goal, Escrow: by2.String(), CreatedAt: hoursOn(-70),
	})
}

func (x *index) preview(by syntax.DID, n int, of comatproto.RepoStrongRef) comatproto.RepoStrongRef {
	x.t.Helper()
	return x.add(by, lexicons.CollectionPreview, tid(n), &stratos.WorkPreview{
		LexiconTypeID: "fund.stratos.work.preview", Development: of, Uri: "https://preview.example/", Instructions: "Look.",
		OpensAt: hoursOn(-48), ClosesAt: hoursOn(48), CreatedAt: hoursOn(-60),
	})
}

// campaign opened two days ago, and closes in two.
func (x *index) campaign(by syntax.DID, proposal, development, preview comatproto.RepoStrongRef, phase string, change func(*stratos.EscrowCampaign)) comatproto.RepoStrongRef {
	x.t.Helper()
	dev := syntax.ATURI(development.Uri).Authority().String()
	c := &stratos.EscrowCampaign{
		LexiconTypeID: "fund.stratos.escrow.campaign", Proposal: proposal, Development: development, Preview: preview,
		Terms: x.terms(by), Author: dev, Title: "Dark mode", Payees: []stratos.EscrowCampaign_Payee{{Did: dev, Share: 10_000}},
		Currency: "USD", Phase: phase, OpensAt: hoursOn(-48), ClosesAt: hoursOn(48), ReleaseBy: hoursOn(100), FinalAt: hoursOn(900),
		UpdatedAt: hoursOn(-1), CreatedAt: hoursOn(-48),
	}
	if change != nil {
		change(c)
	}
	return x.add(by, lexicons.CollectionCampaign, lexicons.DerivedKey(syntax.ATURI(development.Uri)), c)
}

// terms are what an escrow's campaigns and receipts point to.
func (x *index) terms(by syntax.DID) comatproto.RepoStrongRef {
	const anyCID = "bafyreiew3tj3dw3vf5lpo56lezuvcucfxhwrwuqvxrnazseqii3w2gn42q"
	return comatproto.RepoStrongRef{Uri: "at://" + by.String() + "/" + lexicons.CollectionTerms.String() + "/" + tid(1).String(), Cid: anyCID}
}

func (x *index) pledge(by syntax.DID, n int, proposal, development comatproto.RepoStrongRef, at syntax.DID) comatproto.RepoStrongRef {
	x.t.Helper()
	return x.add(by, lexicons.CollectionPledge, tid(n), &stratos.FeaturePledge{
		LexiconTypeID: "fund.stratos.feature.pledge", Proposal: proposal, Development: development, Value: usd(4000),
		Escrow: at.String(), CreatedAt: hoursOn(-24 + float64(n)),
	})
}

func (x *index) receipt(by, payer syntax.DID, subject, development comatproto.RepoStrongRef, status string) {
	x.t.Helper()
	x.add(by, lexicons.CollectionReceipt, lexicons.DerivedKey(syntax.ATURI(subject.Uri)), &stratos.EscrowReceipt{
		LexiconTypeID: "fund.stratos.escrow.receipt", Subject: subject, Development: development, Terms: x.terms(by),
		Payer: payer.String(), Value: usd(4000), Status: status, UpdatedAt: hoursOn(-10), CreatedAt: hoursOn(-10),
		History: []stratos.EscrowReceipt_Change{{Status: status, At: hoursOn(-10)}},
	})
}

// show is getProposal, asked by an account; by nobody if that is empty.
func (x *index) show(ref comatproto.RepoStrongRef, by syntax.DID) stratos.FeatureDefs_ProposalView {
	x.t.Helper()
	return mustGetAs[stratos.FeatureGetProposal_Output](x.offline, by, "fund.stratos.feature.getProposal", url.Values{"uri": {ref.Uri}}).Proposal
}

// list is listProposals, asked by an account; by nobody if that is empty.
func (x *index) list(by syntax.DID, sort string, limit int) []stratos.FeatureDefs_ProposalViewBasic {
	x.t.Helper()
	query := url.Values{"sort": {sort}, "limit": {strconv.Itoa(limit)}}
	return mustGetAs[stratos.FeatureListProposals_Output](x.offline, by, "fund.stratos.feature.listProposals", query).Proposals
}
