package main

import (
	"crypto/sha1"
	"encoding/hex"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// attempt is a developer's work on a proposal, as far as it has come.
type attempt struct {
	by                             *atmosphere.Account
	escrow                         playedEscrow
	rkey                           syntax.RecordKey
	proposal, development, preview comatproto.RepoStrongRef
	release                        comatproto.RepoStrongRef
	title, currency                string
	payees                         []stratos.WorkDevelopment_Payee
	commitment                     *stratos.WorkPreview_Commitment
	opensAt, closesAt              time.Time
}

// plan is what a developer announces.
type plan struct {
	title, summary string
	currency       string
	goal           int64
	// with gets a share of it, in basis points; nil when the author works alone.
	with  *atmosphere.Account
	share int64
	// expected is so many days ago, and ahead when below zero.
	expected int
}

// wholeShare is all of the money, in basis points.
const wholeShare = 10000

func (t *teller) develop(by *atmosphere.Account, daysAgo int, proposal comatproto.RepoStrongRef, e playedEscrow, p plan) *attempt {
	a := &attempt{by: by, escrow: e, rkey: t.key(), proposal: proposal, title: p.title, currency: p.currency}
	record := &stratos.WorkDevelopment{
		LexiconTypeID: lexicons.CollectionDevelopment.String(),
		Proposal:      proposal, Title: p.title, Summary: p.summary, Currency: p.currency,
		Goal:   &stratos.Defs_Money{Amount: p.goal, Currency: p.currency},
		Escrow: e.DID.String(), ExpectedAt: ref(t.date(p.expected)), CreatedAt: t.date(daysAgo),
	}
	a.payees = []stratos.WorkDevelopment_Payee{{Did: by.DID.String(), Share: wholeShare}}
	if p.with != nil {
		a.payees[0].Share -= p.share
		a.payees = append(a.payees, stratos.WorkDevelopment_Payee{Did: p.with.DID.String(), Share: p.share})
		record.Payees = a.payees
	}
	a.development = t.putAs(by, a.rkey, record)
	return a
}

func (t *teller) consent(by *atmosphere.Account, daysAgo int, a *attempt) {
	t.put(by, &stratos.WorkConsent{
		LexiconTypeID: lexicons.CollectionConsent.String(), Development: a.development, CreatedAt: t.date(daysAgo),
	})
}

func (t *teller) answer(by *atmosphere.Account, daysAgo int, proposal comatproto.RepoStrongRef, answer, statement string) {
	t.put(by, &stratos.WorkResponse{
		LexiconTypeID: lexicons.CollectionResponse.String(),
		Proposal:      proposal, Answer: answer, Statement: &statement, CreatedAt: t.date(daysAgo),
	})
}

func (t *teller) callDuplicate(by *atmosphere.Account, daysAgo int, proposal, of comatproto.RepoStrongRef, statement string) {
	t.put(by, &stratos.WorkResponse{
		LexiconTypeID: lexicons.CollectionResponse.String(),
		Proposal:      proposal, Answer: "duplicate", DuplicateOf: &of.Uri, Statement: &statement, CreatedAt: t.date(daysAgo),
	})
}

// announce says that the preview opens and closes so many days ago. It commits to
// the tree that the release will have.
func (t *teller) announce(daysAgo int, a *attempt, opens, closes int, instructions string) {
	a.opensAt, a.closesAt = t.on(opens), t.on(closes)
	a.commitment = &stratos.WorkPreview_Commitment{Tree: objectID(a, "tree"), Algorithm: "sha1"}
	a.preview = t.putAs(a.by, a.rkey, &stratos.WorkPreview{
		LexiconTypeID: lexicons.CollectionPreview.String(),
		Development:   a.development, Uri: "https://preview." + a.by.Handle.String() + "/", Instructions: instructions,
		OpensAt: stamp(a.opensAt), ClosesAt: stamp(a.closesAt), Commitment: a.commitment, CreatedAt: t.date(daysAgo),
	})
}

func (t *teller) publish(daysAgo int, a *attempt, license string) {
	a.release = t.putAs(a.by, a.rkey, &stratos.WorkRelease{
		LexiconTypeID: lexicons.CollectionRelease.String(),
		Development:   a.development, Repository: "https://git." + a.by.Handle.String() + "/project.git",
		Commit: objectID(a, "commit"), Ref: ref("main"), License: license, CreatedAt: t.date(daysAgo),
	})
}

func (t *teller) cancel(daysAgo int, a *attempt, reason string) {
	t.putAs(a.by, a.rkey, &stratos.WorkCancellation{
		LexiconTypeID: lexicons.CollectionCancellation.String(),
		Development:   a.development, Reason: &reason, CreatedAt: t.date(daysAgo),
	})
}

// objectID makes up the id of a git object. No repository is behind the story.
func objectID(a *attempt, kind string) string {
	sum := sha1.Sum([]byte(kind + " of " + a.title))
	return hex.EncodeToString(sum[:])
}
