package oracle

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/lexicons"
)

// pledge is a backer's record, and everything that its author did about it.
type pledge struct {
	backer  *person
	attempt *attempt
	rkey    syntax.RecordKey
	// versions are those that the record had, the newest last.
	versions []version
	// deletedAt is when its author took it back; zero for never.
	deletedAt time.Time
	offers    []*offer
	// paid: its author has seen that the processor took the money.
	paid bool
	// sentAgain: the operator ordered a refund again that a bank had returned.
	sentAgain bool
	// paidOtherwise: the operator paid back from elsewhere what a bank had returned.
	paidOtherwise bool
}

// version is a pledge as its author signed it once.
type version struct {
	ref
	amount   int64
	currency string
	at       time.Time
}

// offer is what the escrow answered to somebody who wanted to pay.
type offer struct {
	payment, page string
	version       version
	session       string // at the processor, once its page was seen
	// over: somebody has seen that nobody can pay it any more.
	over bool
}

func (p *pledge) uri() syntax.ATURI { return p.versions[len(p.versions)-1].URI }

func (p *pledge) newest() version { return p.versions[len(p.versions)-1] }

func (p *pledge) gone() bool { return !p.deletedAt.IsZero() }

// pledge lets somebody write one.
func (w *World) pledge(backer *person, a *attempt) error {
	p := &pledge{backer: backer, attempt: a, rkey: w.rkey()}
	if err := w.write(p); err != nil {
		return err
	}
	w.pledges = append(w.pledges, p)
	return nil
}

// write writes the pledge's record, or another version of it. Some are not payable.
func (w *World) write(p *pledge) error {
	v := version{amount: leastPledge + w.Int64N(20_000), currency: currency, at: w.clock.Now()}
	switch w.IntN(12) {
	case 0:
		v.amount = leastPledge
	case 1:
		v.amount = mostPledge
	case 2:
		v.amount = pick(w.dice, []int64{1, leastPledge - 1, mostPledge + 1, 1_000_000_000_000})
	case 3:
		v.currency = "EUR"
	}
	var err error
	v.ref, err = w.put(p.backer, lexicons.CollectionPledge, p.rkey, fields{
		"proposal": p.attempt.proposal, "development": p.attempt.development,
		"value": fields{"amount": v.amount, "currency": v.currency}, "escrow": w.escrow.account.DID,
	})
	p.versions = append(p.versions, v)
	w.note("%s pledges %d %s for %s", p.backer.name, v.amount, v.currency, p.attempt.author.name)
	return err
}

// takeBack deletes the pledge (rule 9).
func (w *World) takeBack(p *pledge) error {
	if p.gone() {
		return nil
	}
	w.note("%s takes the pledge of %d back", p.backer.name, p.newest().amount)
	p.deletedAt = w.clock.Now()
	if err := p.backer.Delete(lexicons.CollectionPledge, p.rkey); err != nil || !w.one(4) {
		return err
	}
	return w.doomNow(crashpoint.AfterProof, crashpoint.AfterEnding)
}

// payable reports whether a version is one that the terms allow.
func (v version) payable() bool {
	return v.currency == currency && v.amount >= leastPledge && v.amount <= mostPledge
}

// support lets some people pledge for each attempt who mean it: without them there would be
// little to release.
func (w *World) support(ctx context.Context) error {
	for _, a := range w.attempts {
		for range 1 + w.IntN(3) {
			if err := w.pledge(pick(w.dice, w.people), a); err != nil {
				return err
			}
			if err := w.payAtLast(ctx, w.pledges[len(w.pledges)-1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// paysTries is how often somebody tries to pay who means it.
const paysTries = 8

func (w *World) payAtLast(ctx context.Context, p *pledge) error {
	for range paysTries {
		if p.paid {
			return nil
		}
		if !p.newest().payable() {
			if err := w.write(p); err != nil {
				return err
			}
		}
		if err := w.escrow.start(); err != nil {
			return err
		}
		if err := w.ready(ctx); err != nil {
			return err
		}
		if err := w.followPledge(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// refusals are those of a checkout that a person of this world can meet.
var refusals = []string{
	"SubjectNotFound", "SubjectChanged", "SubjectUnproven", "CampaignNotFound", "CampaignNotOpen", "CampaignClosing",
	"CurrencyMismatch", "AmountOutOfRange", "AlreadyPaid", "FloatExhausted", "ProcessorUnavailable",
}

// checkout asks the escrow to be allowed to pay a version of the pledge.
func (w *World) checkout(ctx context.Context, p *pledge, v version) error {
	var out struct{ URL, Payment, Acknowledgement string }
	err := w.xrpc(ctx, p.backer, "fund.stratos.escrow.createCheckout", nil,
		fields{"subject": v.ref, "returnUri": "https://app.example/back"}, &out)
	if err != nil {
		w.note("%s cannot pay %d: %v", p.backer.name, v.amount, err)
		return w.tolerate(err, refusals...)
	}
	w.note("%s is offered to pay %d: %s", p.backer.name, v.amount, out.Payment)
	if out.Acknowledgement == "" {
		return fmt.Errorf("%w: payment %s without an acknowledgement", ErrWrong, out.Payment)
	}
	for _, o := range p.offers {
		if o.payment == out.Payment {
			if o.version.ref != v.ref {
				return fmt.Errorf("%w: %s and %s have one payment %s", ErrWrong, o.version.CID, v.CID, out.Payment)
			}
			return nil
		}
	}
	p.offers = append(p.offers, &offer{payment: out.Payment, page: out.URL, version: v})
	return nil
}

// agree submits the escrow's page, and goes on to the processor's.
func (w *World) agree(ctx context.Context, p *pledge, o *offer) error {
	shown, err := w.visit(ctx, o.page, nil)
	if err != nil {
		return nil // a kill broke the connection
	}
	form, ok := formOf(shown.body)
	if !ok {
		w.note("%s sees that %s cannot be paid", p.backer.name, o.payment)
		o.over = true
		return nil
	}
	sent, err := w.visit(ctx, o.page, form)
	if err != nil || sent.location == "" {
		return nil
	}
	at, err := url.Parse(sent.location)
	if err != nil {
		return fmt.Errorf("%w: %s is sent to %q to pay", ErrWrong, p.backer.name, sent.location)
	}
	if session, ok := strings.CutPrefix(at.Path, "/checkout/"); ok {
		if o.session != "" && o.session != session {
			return fmt.Errorf("%w: payment %s has sessions %s and %s", ErrWrong, o.payment, o.session, session)
		}
		o.session = session
	}
	return nil
}

// cards are those that people have, with what they do at the simulator: most just pay.
var cards = []string{
	"4242424242424242", "4242424242424242", "4242424242424242", "5555555555554444", "4000000000003055", "4000000000000077", "4000000000000077",
	"4000002500003155", "4000000000000002", "4000000000009995", "4000008260003178",
	"4000000000000259", "4000000000001976", "4000000000005423", "4000000000007726", "4000000000005126",
}

// pay pays on the processor's page, or tries to.
func (w *World) pay(ctx context.Context, p *pledge, o *offer) error {
	result, err := w.processor.Pay(ctx, o.session, simulator.Payment{
		Card: pick(w.dice, cards), Email: p.backer.name + "@example.org", FailChallenge: w.one(8),
	})
	if err != nil {
		return err
	}
	w.note("%s pays %d in %s: %s", p.backer.name, o.version.amount, o.session, result.Outcome)
	switch result.Outcome {
	case "paid":
		p.paid = true
	case "closed":
		o.over = true
	}
	return nil
}

// followPledge lets the backer go one step on, or several.
func (w *World) followPledge(ctx context.Context, p *pledge) error {
	v := p.newest()
	if len(p.versions) > 1 && w.one(4) {
		v = pick(w.dice, p.versions)
	}
	var errs []error
	if len(p.offers) == 0 || p.offers[len(p.offers)-1].over || w.one(3) {
		errs = append(errs, w.checkout(ctx, p, v))
	}
	if len(p.offers) > 0 && !w.one(5) {
		o := p.offers[len(p.offers)-1]
		if w.one(6) {
			o = pick(w.dice, p.offers)
		}
		if o.session == "" || w.one(4) {
			errs = append(errs, w.agree(ctx, p, o))
		}
		if o.session != "" && !w.one(3) {
			errs = append(errs, w.pay(ctx, p, o))
		}
	}
	return errors.Join(errs...)
}
