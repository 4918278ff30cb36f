package oracle

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// The outcomes of rulings, in the words of fund.stratos.escrow.ruling.
const (
	outcomeUpheld   = "upheld"
	outcomeRejected = "rejected"
)

// dispute is a claim that a release is not what the preview showed.
type dispute struct {
	ref
	author  *person
	attempt *attempt
	reason  string
	at      time.Time
	// deletedAt is when its author took it back; zero for never.
	deletedAt time.Time
	// ordered are the outcomes that the operator wanted, whatever the answers were.
	ordered []string
}

// reasonOfPreview is the one that the watch's evidence decides.
const reasonOfPreview = "preview-unavailable"

// dispute lets somebody dispute a release that was accepted: mostly who has paid.
func (w *World) dispute(a *attempt) error {
	c := a.published()
	if c == nil || c.Release == nil {
		return nil
	}
	author := pick(w.dice, w.people)
	if payers := a.payers(w.pledges); len(payers) > 0 && !w.one(4) {
		author = pick(w.dice, payers)
	}
	_, err := w.disputeAs(author, a, c)
	return err
}

// disputeAs lets a person dispute the release that a campaign has accepted.
func (w *World) disputeAs(author *person, a *attempt, c *stratos.EscrowCampaign) (*dispute, error) {
	d := &dispute{
		author: author, attempt: a, at: w.clock.Now(),
		reason: pick(w.dice, []string{"source-mismatch", "source-unavailable", "license-not-open", reasonOfPreview, "other"}),
	}
	var err error
	d.ref, err = w.put(author, lexicons.CollectionDispute, w.rkey(), fields{
		"proposal": a.proposal, "release": fields{"uri": c.Release.Uri, "cid": c.Release.Cid}, "reason": d.reason, "statement": "It does not work for me.",
	})
	w.fired.fire(FaultDisputed)
	w.note("%s disputes the release of %s: %s", author.name, a.author.name, d.reason)
	w.disputes = append(w.disputes, d)
	return d, err
}

// payers are those who have seen that the processor took their money for an attempt.
func (a *attempt) payers(pledges []*pledge) (list []*person) {
	for _, p := range pledges {
		if p.attempt == a && p.paid && !slices.Contains(list, p.backer) {
			list = append(list, p.backer)
		}
	}
	return list
}

// goOnWithClaim lets something become of a dispute: its author thinks better of it, or
// the operator rules.
func (w *World) goOnWithClaim(ctx context.Context, d *dispute) error {
	switch w.IntN(4) {
	case 0:
		if !d.deletedAt.IsZero() {
			return nil
		}
		w.note("%s takes the dispute back", d.author.name)
		w.fired.fire(FaultDisputeWithdrawn)
		d.deletedAt = w.clock.Now()
		return d.author.Delete(lexicons.CollectionDispute, d.URI.RecordKey())
	case 1, 2:
		outcome := outcomeRejected
		if w.one(4) {
			outcome = outcomeUpheld
		}
		return w.rule(ctx, d, outcome)
	}
	return nil // the operator has no time
}

// rule lets the operator rule on a dispute, by one of two ways.
func (w *World) rule(ctx context.Context, d *dispute, outcome string) error {
	d.ordered = append(d.ordered, outcome)
	w.note("the operator rules on the dispute of %s: %s", d.author.name, outcome)
	if w.one(2) {
		_, _, err := w.escrow.admin(ctx, "rule", fields{"dispute": d.URI, "outcome": outcome, "rationale": "We have looked at it."})
		return err
	}
	var out struct{ Outcome string }
	err := w.xrpc(ctx, &person{w.escrow.account, "the operator"}, "fund.stratos.escrow.resolveDispute", nil,
		fields{"dispute": d.ref, "outcome": outcome, "rationale": "We have looked at it."}, &out)
	if err != nil {
		return w.tolerate(err, "DisputeNotFound", "DisputeNotStanding", "AlreadyRuled")
	}
	w.fired.fire(FaultRuled)
	if out.Outcome != outcome {
		return fmt.Errorf("%w: who wanted %s was told %s", ErrWrong, outcome, out.Outcome)
	}
	return nil
}

// disputesOf are those about an attempt's release, in the order in which they were written.
func (w *World) disputesOf(a *attempt) (list []*dispute) {
	for _, d := range w.disputes {
		if d.attempt == a {
			list = append(list, d)
		}
	}
	return list
}

// scrutiny is the time in which people look at what was released, and after it.
func (w *World) scrutiny(ctx context.Context) error {
	for range scrutinyActs {
		if err := w.act(ctx); err != nil {
			return err
		}
		for range 2 {
			if err := w.actAsUser(ctx); err != nil {
				return err
			}
		}
		if w.one(2) {
			if err := w.linger(ctx); err != nil {
				return err
			}
		}
		pass := w.between(time.Hour, 2*(verification+disputeReserve)/scrutinyActs)
		if w.one(2) {
			if err := w.lastMinute(ctx, pass); err != nil {
				return err
			}
			continue
		}
		if err := w.leap(ctx, pass); err != nil {
			return err
		}
	}
	if err := w.survey(ctx); err != nil {
		return err
	}
	// The clock may be stopped for a while yet.
	for w.inScrutiny() {
		if err := w.leap(ctx, day); err != nil {
			return err
		}
		if err := w.linger(ctx); err != nil {
			return err
		}
		if w.one(2) {
			if err := w.survey(ctx); err != nil {
				return err
			}
		}
	}
	return w.survey(ctx) // what is released has to be paid long before the final date
}

// lastMinute lets time pass. Where verification would end meanwhile somebody who paid disputes
// when there is hardly any of it left, and the operator rejects that: others have time to look
// then (rule 13).
func (w *World) lastMinute(ctx context.Context, pass time.Duration) error {
	for _, a := range w.attempts {
		c := a.published()
		if c == nil || c.Phase != phaseVerifying {
			continue
		}
		left := momentOf(*c.VerificationEndsAt).Sub(w.clock.Now())
		payers := slices.DeleteFunc(a.payers(w.pledges), func(p *person) bool {
			return slices.ContainsFunc(w.disputesOf(a), func(d *dispute) bool { return d.author == p })
		})
		if left <= 0 || left > pass || len(payers) == 0 {
			continue
		}
		if err := w.leap(ctx, max(0, left-w.between(time.Hour, afterRejection))); err != nil {
			return err
		}
		d, err := w.disputeAs(pick(w.dice, payers), a, c)
		if err != nil {
			return err
		}
		if err := w.linger(ctx); err != nil {
			return err
		}
		return w.rule(ctx, d, outcomeRejected)
	}
	return w.leap(ctx, pass)
}

// inScrutiny reports whether people may still dispute some release.
func (w *World) inScrutiny() bool {
	return slices.ContainsFunc(w.attempts, func(a *attempt) bool {
		c := a.published()
		return c != nil && (c.Phase == phaseVerifying || c.Phase == phaseDisputed)
	})
}

// actAsUser lets somebody do something about a release.
func (w *World) actAsUser(ctx context.Context) error {
	a := pick(w.dice, w.attempts)
	c := a.published()
	if c == nil || c.Release == nil {
		return nil
	}
	if open := w.disputesOf(a); len(open) > 0 && w.one(2) {
		return w.goOnWithClaim(ctx, pick(w.dice, open))
	}
	if !w.one(3) {
		return nil
	}
	return w.dispute(a)
}

// rulings are those of the escrow's repository, by dispute.
func (w *World) rulings() (map[string][]*stratos.EscrowRuling, error) {
	out := map[string][]*stratos.EscrowRuling{}
	err := w.published(lexicons.CollectionRuling, func(_ syntax.RecordKey, record lexicons.Record) error {
		r := record.(*stratos.EscrowRuling)
		out[r.Dispute.Uri] = append(out[r.Dispute.Uri], r)
		return nil
	})
	return out, err
}
