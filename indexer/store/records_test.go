package store

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"

	"github.com/stratosfund/stratosfund/indexer/reposync"
	"github.com/stratosfund/stratosfund/lexicons"
)

// The people of the tests.
const (
	alice  syntax.DID = "did:plc:alice"
	bob    syntax.DID = "did:plc:bob"
	carol  syntax.DID = "did:plc:carol"
	dave   syntax.DID = "did:plc:dave"
	escrow syntax.DID = "did:plc:escrow" // trusted
	shady  syntax.DID = "did:plc:shady"  // an escrow that nobody trusts
)

// anyCID stands where a record pins another one: only the uri decides (F4).
const anyCID = "bafyreiew3tj3dw3vf5lpo56lezuvcucfxhwrwuqvxrnazseqii3w2gn42q"

type fields map[string]any

// with returns a copy with some fields set.
func (f fields) with(more fields) fields {
	out := maps.Clone(f)
	maps.Copy(out, more)
	return out
}

// tid is the n-th record key, and the n-th rev.
func tid(n int) syntax.TID { return syntax.NewTID(1_780_000_000_000_000+int64(n), 0) }

func key(n int) syntax.RecordKey { return syntax.RecordKey(tid(n)) }

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func ref(uri syntax.ATURI) fields { return fields{"uri": uri.String(), "cid": anyCID} }

func value(amount int64, currency string) fields {
	return fields{"amount": amount, "currency": currency}
}

// mustRecord makes a proven record as reposync would hand it over. createdAt is
// the clock's beginning unless the fields say otherwise.
func mustRecord(t tester, did syntax.DID, collection syntax.NSID, rkey syntax.RecordKey, f fields) Record {
	t.Helper()
	r := maybeInvalid(t, did, collection, rkey, f)
	if r.Invalid != nil {
		t.Fatalf("the test made an invalid record: %v", r.Invalid)
	}
	return r
}

func maybeInvalid(t tester, did syntax.DID, collection syntax.NSID, rkey syntax.RecordKey, f fields) Record {
	t.Helper()
	f = fields{"$type": collection.String(), "createdAt": stamp(start)}.with(f)
	asJSON, err := json.Marshal(f)
	if err != nil {
		t.Fatalf("encode a record: %v", err)
	}
	data, err := atdata.UnmarshalJSON(asJSON)
	if err != nil {
		t.Fatalf("read a record: %v", err)
	}
	raw, err := atdata.MarshalCBOR(data)
	if err != nil {
		t.Fatalf("encode a record: %v", err)
	}
	c, err := cid.V1Builder{Codec: cid.DagCBOR, MhType: 0x12}.Sum(raw)
	if err != nil {
		t.Fatalf("hash a record: %v", err)
	}
	r, err := ParseRecord(did, reposync.Record{Collection: collection, RKey: rkey, CID: c, Value: raw})
	if err != nil {
		t.Fatalf("parse a record: %v", err)
	}
	return r
}

func project(t tester, owner syntax.DID, slug string, maintainers ...syntax.DID) Record {
	t.Helper()
	list := []fields{}
	for _, m := range maintainers {
		list = append(list, fields{"did": m.String()})
	}
	return mustRecord(t, owner, lexicons.CollectionProject, syntax.RecordKey(slug), fields{"name": slug, "maintainers": list})
}

func projectURI(owner syntax.DID, slug string) syntax.ATURI {
	return recordURI(owner, lexicons.CollectionProject, syntax.RecordKey(slug))
}

func onProject(uri syntax.ATURI) fields {
	return fields{"$type": "fund.stratos.feature.proposal#projectSubject", "project": uri.String()}
}

func onAccount(did syntax.DID) fields {
	return fields{"$type": "fund.stratos.feature.proposal#accountSubject", "did": did.String()}
}

func onURI(uri string) fields {
	return fields{"$type": "fund.stratos.feature.proposal#uriSubject", "uri": uri}
}

func proposal(t tester, author syntax.DID, n int, subject fields, more fields) Record {
	t.Helper()
	return mustRecord(t, author, lexicons.CollectionProposal, key(n),
		fields{"title": "Dark mode", "description": "My eyes hurt.", "subject": subject}.with(more))
}

func proposalURI(author syntax.DID, n int) syntax.ATURI {
	return recordURI(author, lexicons.CollectionProposal, key(n))
}

func estimate(t tester, author syntax.DID, n int, proposal syntax.ATURI, amount int64, currency string, more fields) Record {
	t.Helper()
	return mustRecord(t, author, lexicons.CollectionEstimate, key(n),
		fields{"proposal": ref(proposal), "value": value(amount, currency)}.with(more))
}

func pledge(t tester, author syntax.DID, n int, proposal, development syntax.ATURI, by syntax.DID, more fields) Record {
	t.Helper()
	return mustRecord(t, author, lexicons.CollectionPledge, key(n), fields{
		"proposal": ref(proposal), "development": ref(development), "value": value(1000, "USD"), "escrow": by.String(),
	}.with(more))
}

func donation(t tester, author syntax.DID, n int, proposal, development syntax.ATURI, by syntax.DID, more fields) Record {
	t.Helper()
	return mustRecord(t, author, lexicons.CollectionDonation, key(n), fields{
		"proposal": ref(proposal), "development": ref(development), "value": value(700, "USD"), "escrow": by.String(),
	}.with(more))
}

// dispute is about the release of an attempt.
func dispute(t tester, author syntax.DID, n int, proposal, development syntax.ATURI, more fields) Record {
	t.Helper()
	return mustRecord(t, author, lexicons.CollectionDispute, key(n), fields{
		"proposal": ref(proposal), "release": ref(releaseURI(development)),
		"reason": "source-mismatch", "statement": "It is another program.",
	}.with(more))
}

func verification(t tester, author syntax.DID, n int, development syntax.ATURI, matches bool, more fields) Record {
	t.Helper()
	return mustRecord(t, author, lexicons.CollectionVerification, key(n),
		fields{"release": ref(releaseURI(development)), "matches": matches}.with(more))
}

func releaseURI(development syntax.ATURI) syntax.ATURI {
	return recordURI(syntax.DID(development.Authority()), lexicons.CollectionRelease, development.RecordKey())
}

func ruling(t tester, by syntax.DID, n int, dispute syntax.ATURI, outcome string, more fields) Record {
	t.Helper()
	return mustRecord(t, by, lexicons.CollectionRuling, key(n),
		fields{"dispute": ref(dispute), "outcome": outcome, "rationale": "We compared them."}.with(more))
}

func response(t tester, author syntax.DID, n int, proposal syntax.ATURI, answer string, more fields) Record {
	t.Helper()
	return mustRecord(t, author, lexicons.CollectionResponse, key(n),
		fields{"proposal": ref(proposal), "answer": answer}.with(more))
}

func development(t tester, author syntax.DID, n int, proposal syntax.ATURI, more fields) Record {
	t.Helper()
	return mustRecord(t, author, lexicons.CollectionDevelopment, key(n), fields{
		"proposal": ref(proposal), "title": "Dark mode", "summary": "Every page.",
		"currency": "USD", "escrow": escrow.String(),
	}.with(more))
}

func developmentURI(author syntax.DID, n int) syntax.ATURI {
	return recordURI(author, lexicons.CollectionDevelopment, key(n))
}

// payees shares the money in equal parts.
func payees(dids ...syntax.DID) []fields {
	out := make([]fields, len(dids))
	for i, did := range dids {
		out[i] = fields{"did": did.String(), "share": 10000 / len(dids)}
	}
	return out
}

func preview(t tester, author syntax.DID, n int, opens time.Time, more fields) Record {
	t.Helper()
	return mustRecord(t, author, lexicons.CollectionPreview, key(n), fields{
		"development": ref(developmentURI(author, n)), "uri": "https://preview.example/", "instructions": "Look.",
		"opensAt": stamp(opens), "closesAt": stamp(opens.Add(14 * 24 * time.Hour)),
	}.with(more))
}

func release(t tester, author syntax.DID, n int, more fields) Record {
	t.Helper()
	return mustRecord(t, author, lexicons.CollectionRelease, key(n), fields{
		"development": ref(developmentURI(author, n)), "repository": "https://git.example/it",
		"commit": "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3", "license": "MIT",
	}.with(more))
}

func cancellation(t tester, author syntax.DID, n int, more fields) Record {
	t.Helper()
	return mustRecord(t, author, lexicons.CollectionCancellation, key(n),
		fields{"development": ref(developmentURI(author, n))}.with(more))
}

func consent(t tester, payee syntax.DID, n int, development syntax.ATURI, more fields) Record {
	t.Helper()
	return mustRecord(t, payee, lexicons.CollectionConsent, key(n), fields{"development": ref(development)}.with(more))
}

func campaign(t tester, by syntax.DID, development, proposal syntax.ATURI, pinned []fields) Record {
	t.Helper()
	return campaignAs(t, by, development, proposal, fields{"payees": pinned})
}

// campaignAs is a campaign with other fields than most have.
func campaignAs(t tester, by syntax.DID, development, proposal syntax.ATURI, more fields) Record {
	t.Helper()
	dev := development.Authority().String()
	return mustRecord(t, by, lexicons.CollectionCampaign, lexicons.DerivedKey(development), fields{
		"development": ref(development), "proposal": ref(proposal),
		"preview":  ref(syntax.ATURI("at://" + dev + "/fund.stratos.work.preview/" + development.RecordKey().String())),
		"terms":    ref(recordURI(by, lexicons.CollectionTerms, key(1))),
		"author":   dev,
		"title":    "Dark mode",
		"payees":   payees(syntax.DID(dev)),
		"currency": "USD", "phase": "open",
		"opensAt": stamp(start), "closesAt": stamp(start.Add(1 * time.Hour)),
		"releaseBy": stamp(start.Add(2 * time.Hour)), "finalAt": stamp(start.Add(3 * time.Hour)),
		"updatedAt": stamp(start),
	}.with(more))
}

func receipt(t tester, by, payer syntax.DID, n int, development syntax.ATURI, amount int64, currency, status string, more fields) Record {
	t.Helper()
	return receiptFor(t, by, recordURI(payer, lexicons.CollectionPledge, key(n)), development, amount, currency, status, more)
}

// receiptFor is the receipt for a pledge or a donation.
func receiptFor(t tester, by syntax.DID, subject, development syntax.ATURI, amount int64, currency, status string, more fields) Record {
	t.Helper()
	return mustRecord(t, by, lexicons.CollectionReceipt, lexicons.DerivedKey(subject), fields{
		"subject": ref(subject), "development": ref(development),
		"terms": ref(recordURI(by, lexicons.CollectionTerms, key(1))),
		"payer": subject.Authority().String(), "value": value(amount, currency), "status": status,
		"history":   []fields{{"status": status, "at": stamp(start)}},
		"updatedAt": stamp(start),
	}.with(more))
}
