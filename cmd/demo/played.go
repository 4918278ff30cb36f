package main

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// playedEscrow is an account that plays an escrow: it writes what one would write. It
// holds nothing, and all its money is marked as test money.
type playedEscrow struct {
	*atmosphere.Account
	terms comatproto.RepoStrongRef
}

// termsText is what the terms' hash is of.
const termsText = "This account plays an escrow for a demonstration. No money exists, and nothing is owed to anybody."

// terms are those of a real escrow, the longest that the rules allow.
func terms() *stratos.EscrowTerms {
	hash := sha256.Sum256([]byte(termsText))
	seconds := func(days int64) int64 { return days * int64(day/time.Second) }
	return &stratos.EscrowTerms{
		LexiconTypeID: lexicons.CollectionTerms.String(),
		Currencies: []stratos.EscrowTerms_Currency{
			{Currency: "EUR", Minimum: 100, Maximum: 100_000},
			{Currency: "USD", Minimum: 100, Maximum: 100_000},
		},
		FeeBasisPoints: 500, PreviewSeconds: stratos.EscrowTerms_Range{Minimum: seconds(7), Maximum: seconds(14)},
		ReleaseSeconds: seconds(14), VerificationSeconds: seconds(14), RulingSeconds: seconds(10),
		DisputeReserveSeconds: seconds(14), MaximumHoldSeconds: seconds(80),
		TextHash: hex.EncodeToString(hash[:]), Test: ref(true), CreatedAt: stamp(storyEpoch),
	}
}

func lasts(seconds int64) time.Duration { return time.Duration(seconds) * time.Second }

func (t *teller) establish(by *atmosphere.Account, name string) playedEscrow {
	agreed := t.put(by, terms())
	t.putAs(by, "self", &stratos.EscrowService{
		LexiconTypeID: lexicons.CollectionService.String(),
		Name:          name, Uri: "https://" + by.Handle.String() + "/", Terms: agreed,
		CreatedAt: stamp(t.now.Add(-serviceAge * day)),
	})
	return playedEscrow{by, agreed}
}

// payment is a pledge or donation, and what became of its money.
type payment struct {
	subject    comatproto.RepoStrongRef
	payer      *atmosphere.Account
	value      stratos.Defs_Money
	history    []stratos.EscrowReceipt_Change
	expectedAt *string
	heldUntil  *string
}

func (p *payment) becomes(status lifecycle.ReceiptStatus, at time.Time, reason string) {
	change := stratos.EscrowReceipt_Change{Status: string(status), At: stamp(at)}
	if reason != "" {
		change.Reason = &reason
	}
	p.history = append(p.history, change)
	p.expectedAt = nil
}

func (p *payment) last() stratos.EscrowReceipt_Change { return p.history[len(p.history)-1] }

func (p *payment) is(statuses ...lifecycle.ReceiptStatus) bool {
	return slices.Contains(statuses, lifecycle.ReceiptStatus(p.last().Status))
}

// fee is the escrow's part of what is paid out.
func (p *payment) fee() int64 {
	if !p.is(lifecycle.ReceiptReleasing, lifecycle.ReceiptReleased) {
		return 0
	}
	return p.value.Amount * terms().FeeBasisPoints / wholeShare
}

func (t *teller) receipt(a *attempt, p *payment) {
	record := &stratos.EscrowReceipt{
		LexiconTypeID: lexicons.CollectionReceipt.String(),
		Subject:       p.subject, Development: a.development, Proposal: &a.proposal, Terms: a.escrow.terms,
		Payer: p.payer.DID.String(), Value: p.value, Status: p.last().Status, Reason: p.last().Reason, History: p.history,
		ExpectedAt: p.expectedAt, HeldUntil: p.heldUntil, Test: ref(true),
		CreatedAt: p.history[0].At, UpdatedAt: p.last().At,
	}
	if fee := p.fee(); fee > 0 {
		record.Fee = &stratos.Defs_Total{Amount: fee, Currency: p.value.Currency}
	}
	t.putAs(a.escrow.Account, lexicons.DerivedKey(uriOf(p.subject)), record)
}

func (t *teller) rule(e playedEscrow, daysAgo int, dispute comatproto.RepoStrongRef, outcome lifecycle.Outcome, rationale string) {
	t.put(e.Account, &stratos.EscrowRuling{
		LexiconTypeID: lexicons.CollectionRuling.String(),
		Dispute:       dispute, Outcome: string(outcome), Rationale: rationale, CreatedAt: t.date(daysAgo),
	})
}
