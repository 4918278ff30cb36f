package main

import (
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// campaign is what an escrow says of an attempt. The story leads it from the
// opening as far as it came; keep writes what stands then, as an escrow would have
// step by step.
type campaign struct {
	*teller
	attempt  *attempt
	record   stratos.EscrowCampaign
	ends     time.Time // of the verification, pauses included
	payments []*payment
}

// transferTakes is how long money is on its way.
const transferTakes = 10 * day

// open freezes what the developer announced, when the preview opens.
func (t *teller) open(a *attempt) *campaign {
	agreed := terms()
	c := &campaign{teller: t, attempt: a, record: stratos.EscrowCampaign{
		LexiconTypeID: lexicons.CollectionCampaign.String(),
		Development:   a.development, Preview: a.preview, Proposal: a.proposal, Terms: a.escrow.terms,
		Author: a.by.DID.String(), Title: a.title, Currency: a.currency, Commitment: a.commitment,
		OpensAt: stamp(a.opensAt), ClosesAt: stamp(a.closesAt),
		ReleaseBy: stamp(a.closesAt.Add(lasts(agreed.ReleaseSeconds))),
		FinalAt:   stamp(a.opensAt.Add(lasts(agreed.MaximumHoldSeconds))),
		Test:      ref(true), CreatedAt: stamp(a.opensAt),
	}}
	for _, p := range a.payees {
		c.record.Payees = append(c.record.Payees, stratos.EscrowCampaign_Payee{Did: p.Did, Share: p.Share})
	}
	c.enters(lifecycle.PhaseOpen, a.opensAt)
	return c
}

func (c *campaign) enters(phase lifecycle.Phase, at time.Time) {
	c.record.Phase, c.record.UpdatedAt = string(phase), stamp(at)
}

// takes lets somebody pledge and pay.
func (c *campaign) takes(by *atmosphere.Account, daysAgo int, amount int64) *payment {
	p := &payment{
		subject: c.pledge(by, daysAgo, c.attempt, amount), payer: by,
		value:     stratos.Defs_Money{Amount: amount, Currency: c.attempt.currency},
		heldUntil: &c.record.FinalAt,
	}
	p.becomes(lifecycle.ReceiptHeld, c.on(daysAgo), "")
	c.payments = append(c.payments, p)
	return p
}

// withdraws a pledge: its author deletes the record, and the money goes back.
func (c *campaign) withdraws(p *payment, daysAgo int) {
	c.takeBack(p.payer, p.subject)
	p.becomes(lifecycle.ReceiptRefunding, c.on(daysAgo), "withdrawn")
	p.expectedAt = ref(stamp(c.on(daysAgo).Add(transferTakes)))
}

// closes makes the pot final.
func (c *campaign) closes() {
	c.enters(lifecycle.PhaseClosed, c.attempt.closesAt)
	c.record.Pot = &stratos.Defs_Total{Currency: c.attempt.currency}
	for _, p := range c.payments {
		if p.is(lifecycle.ReceiptHeld) {
			c.record.Pot.Amount += p.value.Amount
		}
	}
}

// releaseChecks are what an escrow looks at, in the order in which it does.
var releaseChecks = []string{
	"repository-public", "repository-cloneable", "commit-present", "license-open", "license-matches", "tree-matches",
}

// finds notes what the checks of the release showed. The failed one, if any, has
// the evidence.
func (c *campaign) finds(daysAgo int, failed, evidence string) {
	c.enters(lifecycle.PhaseChecking, c.on(daysAgo))
	c.record.Checks = nil
	for _, name := range releaseChecks {
		check := stratos.EscrowCampaign_Check{Name: name, Passed: name != failed, CheckedAt: c.date(daysAgo)}
		if name == failed {
			check.Evidence = &evidence
		}
		c.record.Checks = append(c.record.Checks, check)
	}
}

// accepts the release, which all checks passed: verification begins.
func (c *campaign) accepts(daysAgo int) {
	c.finds(daysAgo, "", "")
	c.enters(lifecycle.PhaseVerifying, c.on(daysAgo))
	c.record.Release, c.record.AcceptedAt = &c.attempt.release, ref(c.date(daysAgo))
	c.record.Mirror = ref("https://" + c.attempt.escrow.Handle.String() + "/mirror/" + objectID(c.attempt, "commit") + ".git")
	c.verifiesUntil(c.on(daysAgo).Add(lasts(terms().VerificationSeconds)))
}

func (c *campaign) verifiesUntil(at time.Time) {
	c.ends, c.record.VerificationEndsAt = at, ref(stamp(at))
}

// stops the clock for a dispute.
func (c *campaign) stops(daysAgo int, dispute comatproto.RepoStrongRef) {
	c.enters(lifecycle.PhaseDisputed, c.on(daysAgo))
	c.record.Pauses = append(c.record.Pauses, stratos.EscrowCampaign_Pause{
		Dispute: dispute, From: c.date(daysAgo),
		RulingBy: ref(stamp(c.on(daysAgo).Add(lasts(terms().RulingSeconds)))),
	})
}

// rules on the dispute that stopped the clock. Rejected, the clock goes on; upheld,
// everybody is refunded.
func (c *campaign) rules(daysAgo int, outcome lifecycle.Outcome, rationale string) {
	pause := &c.record.Pauses[len(c.record.Pauses)-1]
	c.rule(c.attempt.escrow, daysAgo, pause.Dispute, outcome, rationale)
	stopped, err := syntax.ParseDatetimeTime(pause.From)
	if err != nil && c.err == nil {
		c.err = err
	}
	pause.To = ref(c.date(daysAgo))
	c.verifiesUntil(c.ends.Add(c.on(daysAgo).Sub(stopped)))
	if outcome == lifecycle.OutcomeUpheld {
		c.refunds(daysAgo, "dispute-upheld")
		return
	}
	c.enters(lifecycle.PhaseVerifying, c.on(daysAgo))
}

// settles sends all that is held to the payees.
func (c *campaign) settles(daysAgo int) {
	c.moves(lifecycle.ReceiptHeld, lifecycle.ReceiptReleasing, c.on(daysAgo), "")
	c.enters(lifecycle.PhaseSettling, c.on(daysAgo))
}

// pays ends the settlement: the payees have their money.
func (c *campaign) pays(daysAgo int) {
	c.moves(lifecycle.ReceiptReleasing, lifecycle.ReceiptReleased, c.on(daysAgo), "")
	c.enters(lifecycle.PhaseReleased, c.on(daysAgo))
}

// refunds sends all that is held back.
func (c *campaign) refunds(daysAgo int, reason string) {
	c.moves(lifecycle.ReceiptHeld, lifecycle.ReceiptRefunding, c.on(daysAgo), reason)
	c.enters(lifecycle.PhaseRefunding, c.on(daysAgo))
	c.record.Reason = &reason
}

// refunded: everybody has their money back.
func (c *campaign) refunded(daysAgo int) {
	c.moves(lifecycle.ReceiptRefunding, lifecycle.ReceiptRefunded, c.on(daysAgo), *c.record.Reason)
	c.enters(lifecycle.PhaseRefunded, c.on(daysAgo))
}

// moves all payments of one status to another one.
func (c *campaign) moves(from, to lifecycle.ReceiptStatus, at time.Time, reason string) {
	for _, p := range c.payments {
		if !p.is(from) {
			continue
		}
		p.becomes(to, at, reason)
		if to == lifecycle.ReceiptReleasing || to == lifecycle.ReceiptRefunding {
			p.expectedAt = ref(stamp(at.Add(transferTakes)))
		}
	}
}

// keep writes the campaign and the receipts of its pledges.
func (c *campaign) keep() {
	for _, p := range c.payments {
		c.receipt(c.attempt, p)
	}
	c.record.Totals = c.totals()
	c.putAs(c.attempt.escrow.Account, lexicons.DerivedKey(uriOf(c.attempt.development)), &c.record)
}

func (c *campaign) totals() *stratos.EscrowCampaign_Totals {
	sums := &stratos.EscrowCampaign_Totals{}
	pledgers := map[*atmosphere.Account]bool{}
	for _, p := range c.payments {
		switch {
		case p.is(lifecycle.ReceiptHeld):
			sums.Held += p.value.Amount
			pledgers[p.payer] = true
		case p.is(lifecycle.ReceiptReleasing, lifecycle.ReceiptReleased):
			sums.Released += p.value.Amount
			sums.Fee += p.fee()
		case p.is(lifecycle.ReceiptRefunding, lifecycle.ReceiptRefunded, lifecycle.ReceiptRefundFailed):
			sums.Refunded += p.value.Amount
		case p.is(lifecycle.ReceiptChargedBack, lifecycle.ReceiptReversed):
			sums.ChargedBack += p.value.Amount
		}
	}
	sums.Pledgers = int64(len(pledgers))
	return sums
}

func uriOf(r comatproto.RepoStrongRef) syntax.ATURI { return syntax.ATURI(r.Uri) }
