package appview

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/reposync"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

// The people of an index that is filled without a network.
const (
	alice  syntax.DID = "did:plc:alice"
	bob    syntax.DID = "did:plc:bob"
	carol  syntax.DID = "did:plc:carol"
	dave   syntax.DID = "did:plc:dave"
	escrow syntax.DID = "did:plc:escrow" // trusted
	shady  syntax.DID = "did:plc:shady"  // an escrow that nobody trusts
)

// moment is when everything is asked.
var moment = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// hoursOn is some hours from the moment.
func hoursOn(hours float64) string {
	return moment.Add(time.Duration(hours * float64(time.Hour))).Format(syntax.AtprotoDatetimeLayout)
}

// index is an API on a real index that is filled by records alone.
type index struct {
	*API
	t          *testing.T
	repos      map[syntax.DID]map[syntax.ATURI]store.Record
	statements int
	revs       int
}

func newIndex(t *testing.T) *index {
	t.Helper()
	x := &index{t: t, repos: map[syntax.DID]map[syntax.ATURI]store.Record{}}
	policy := lifecycle.Policy{TrustedEscrows: []syntax.DID{escrow}}
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "index.db"), Policy: policy}, store.Options{
		Log: slog.New(slog.DiscardHandler), Clock: func() time.Time { return moment },
		Query: func(string) { x.statements++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	x.API = New(st, policy)
	return x
}

// write gives a record to an account's repository; sync brings it into the index.
func (x *index) write(did syntax.DID, collection syntax.NSID, rkey syntax.RecordKey, record any) comatproto.RepoStrongRef {
	x.t.Helper()
	asJSON, err := json.Marshal(record)
	if err != nil {
		x.t.Fatal(err)
	}
	data, err := atdata.UnmarshalJSON(asJSON)
	if err != nil {
		x.t.Fatal(err)
	}
	raw, err := atdata.MarshalCBOR(data)
	if err != nil {
		x.t.Fatal(err)
	}
	c, err := cid.V1Builder{Codec: cid.DagCBOR, MhType: 0x12}.Sum(raw)
	if err != nil {
		x.t.Fatal(err)
	}
	r, err := store.ParseRecord(did, reposync.Record{Collection: collection, RKey: rkey, CID: c, Value: raw})
	if err != nil || r.Invalid != nil {
		x.t.Fatalf("%s of %s: %v %v", collection, did, err, r.Invalid)
	}
	if x.repos[did] == nil {
		x.repos[did] = map[syntax.ATURI]store.Record{}
	}
	x.repos[did][r.URI()] = r
	return comatproto.RepoStrongRef{Uri: r.URI().String(), Cid: c.String()}
}

// sync makes the index hold what the repositories do.
func (x *index) sync() {
	x.t.Helper()
	for did, records := range x.repos {
		x.revs++
		rev := syntax.NewTID(moment.UnixMicro()+int64(x.revs), 0)
		_, err := x.store.Apply(x.t.Context(), "wss://relay.example", int64(x.revs), []store.Change{
			{Kind: store.ChangeCommit, DID: did, Rev: rev, Data: rev.String(), PrevData: "unknown", Track: true},
		})
		if err != nil {
			x.t.Fatal(err)
		}
		whole := store.Replacement{DID: did, Rev: rev, Data: rev.String()}
		for _, r := range records {
			whole.Records = append(whole.Records, r)
		}
		_, more, err := x.store.ReplaceRepo(x.t.Context(), whole)
		for more && err == nil {
			more, err = x.store.DeriveStale(x.t.Context())
		}
		if err != nil {
			x.t.Fatal(err)
		}
	}
}

// key is the n-th record key.
func key(n int) syntax.RecordKey {
	return syntax.RecordKey(syntax.NewTID(1_780_000_000_000_000+int64(n), 0))
}

func dollars(amount int64) stratos.Defs_Money {
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
	return x.write(by, lexicons.CollectionProposal, key(n), &stratos.FeatureProposal{
		LexiconTypeID: "fund.stratos.feature.proposal", Title: "Dark mode", Description: "For eyes.", Subject: subject, CreatedAt: hoursOn(-90),
	})
}

func (x *index) estimate(by syntax.DID, n int, of comatproto.RepoStrongRef, hours float64) comatproto.RepoStrongRef {
	x.t.Helper()
	return x.write(by, lexicons.CollectionEstimate, key(n), &stratos.FeatureEstimate{
		LexiconTypeID: "fund.stratos.feature.estimate", Proposal: of, Value: dollars(1000), CreatedAt: hoursOn(hours),
	})
}

func (x *index) response(by syntax.DID, n int, of comatproto.RepoStrongRef, answer, duplicateOf string) {
	x.t.Helper()
	r := &stratos.WorkResponse{LexiconTypeID: "fund.stratos.work.response", Proposal: of, Answer: answer, CreatedAt: hoursOn(-80)}
	if duplicateOf != "" {
		r.DuplicateOf = &duplicateOf
	}
	x.write(by, lexicons.CollectionResponse, key(n), r)
}

func (x *index) development(by syntax.DID, n int, of comatproto.RepoStrongRef, by2 syntax.DID) comatproto.RepoStrongRef {
	x.t.Helper()
	goal := dollars(50_000)
	return x.write(by, lexicons.CollectionDevelopment, key(n), &stratos.WorkDevelopment{
		LexiconTypeID: "fund.stratos.work.development", Proposal: of, Title: "Dark mode", Summary: "All of it.",
		Currency: "USD", Goal: &goal, Escrow: by2.String(), CreatedAt: hoursOn(-70),
	})
}

func (x *index) preview(by syntax.DID, n int, of comatproto.RepoStrongRef) comatproto.RepoStrongRef {
	x.t.Helper()
	return x.write(by, lexicons.CollectionPreview, key(n), &stratos.WorkPreview{
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
		Terms: x.terms(by), Author: dev, Title: "Dark mode", Payees: []stratos.EscrowCampaign_Payee{{Did: dev, Share: wholeShare}},
		Currency: "USD", Phase: phase, OpensAt: hoursOn(-48), ClosesAt: hoursOn(48), ReleaseBy: hoursOn(100), FinalAt: hoursOn(900),
		UpdatedAt: hoursOn(-1), CreatedAt: hoursOn(-48),
	}
	if change != nil {
		change(c)
	}
	return x.write(by, lexicons.CollectionCampaign, lexicons.DerivedKey(syntax.ATURI(development.Uri)), c)
}

// terms are what an escrow's campaigns and receipts point to.
func (x *index) terms(by syntax.DID) comatproto.RepoStrongRef {
	const anyCID = "bafyreiew3tj3dw3vf5lpo56lezuvcucfxhwrwuqvxrnazseqii3w2gn42q"
	return comatproto.RepoStrongRef{Uri: "at://" + by.String() + "/" + lexicons.CollectionTerms.String() + "/" + key(1).String(), Cid: anyCID}
}

func (x *index) pledge(by syntax.DID, n int, proposal, development comatproto.RepoStrongRef, at syntax.DID) comatproto.RepoStrongRef {
	x.t.Helper()
	return x.write(by, lexicons.CollectionPledge, key(n), &stratos.FeaturePledge{
		LexiconTypeID: "fund.stratos.feature.pledge", Proposal: proposal, Development: development, Value: dollars(4000),
		Escrow: at.String(), CreatedAt: hoursOn(-24 + float64(n)),
	})
}

func (x *index) receipt(by, payer syntax.DID, subject, development comatproto.RepoStrongRef, status string) {
	x.t.Helper()
	x.write(by, lexicons.CollectionReceipt, lexicons.DerivedKey(syntax.ATURI(subject.Uri)), &stratos.EscrowReceipt{
		LexiconTypeID: "fund.stratos.escrow.receipt", Subject: subject, Development: development, Terms: x.terms(by),
		Payer: payer.String(), Value: dollars(4000), Status: status, UpdatedAt: hoursOn(-10), CreatedAt: hoursOn(-10),
		History: []stratos.EscrowReceipt_Change{{Status: status, At: hoursOn(-10)}},
	})
}

// show is getProposal, asked by an account; by nobody if that is empty.
func (x *index) show(ref comatproto.RepoStrongRef, by syntax.DID) stratos.FeatureDefs_ProposalView {
	x.t.Helper()
	out, err := x.getProposal(x.by(by), getProposalParams{URI: syntax.ATURI(ref.Uri)})
	if err != nil {
		x.t.Fatal(err)
	}
	return out.Proposal
}

// list is listProposals, asked by an account; by nobody if that is empty.
func (x *index) list(by syntax.DID, sort string, limit int64) []stratos.FeatureDefs_ProposalViewBasic {
	x.t.Helper()
	out, err := x.listProposals(x.by(by), listProposalsParams{Sort: sort, Limit: limit})
	if err != nil {
		x.t.Fatal(err)
	}
	encoded, err := xrpc.EncodeJSON(out)
	if err != nil {
		x.t.Fatal(err)
	}
	var list stratos.FeatureListProposals_Output
	if err := json.Unmarshal(encoded, &list); err != nil {
		x.t.Fatal(err)
	}
	return list.Proposals
}

func (x *index) by(did syntax.DID) context.Context {
	if did == "" {
		return x.t.Context()
	}
	return xrpc.WithViewer(x.t.Context(), did)
}
