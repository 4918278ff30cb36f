package checkout

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	index "github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// examinePledge compares a pledge with the campaign as it was frozen (rule 9).
func (d *Desk) examinePledge(ctx context.Context, w *wish, r *stratos.FeaturePledge) error {
	if err := w.named(d.cfg.DID, r.Development, r.Escrow, r.Value); err != nil {
		return err
	}
	var c campaign.Campaign
	var terms repo.Agreed
	now := d.Clock()
	err := d.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		c, terms, err = d.takes(ctx, q, w.Attempt, now)
		return err
	})
	if err != nil {
		return err
	}
	switch {
	case r.Proposal.Uri != c.Proposal.Uri:
		return refuse(InvalidSubject, "The pledge names another proposal than the campaign. Write it anew.")
	case w.Value.Currency != c.Currency:
		return refuse(CurrencyMismatch, "This campaign is in %s, and the pledge in %s.", c.Currency, w.Value.Currency)
	}
	if err := w.within(terms); err != nil {
		return err
	}
	if err := d.eligible(ctx, w.Payer, c, now); err != nil {
		return err
	}
	w.Account, w.Title = payments.Platform, c.Title
	w.ExpiresAt = earlier(now.Add(offerLife), terms.CheckoutsUntil(c.ClosesAt))
	w.pin.Development, w.pin.Proposal, w.pin.Terms, w.pin.HeldUntil = c.Development, c.Proposal, c.Terms, c.FinalAt
	w.Cost, err = d.cfg.Costs.Of(w.Value)
	return err
}

// takes returns the campaign of an attempt with its terms, or says by a *Refusal why a
// checkout for it cannot begin now (rules 9, 10).
func (d *Desk) takes(ctx context.Context, q sqlite.Querier, attempt ledger.AttemptKey, now time.Time) (campaign.Campaign, repo.Agreed, error) {
	c, err := campaign.Load(ctx, q, attempt)
	switch {
	case errors.Is(err, campaign.ErrNotFound):
		return c, repo.Agreed{}, refuse(CampaignNotFound, "This escrow has no campaign for this work. Its preview has not opened here.")
	case err != nil:
		return c, repo.Agreed{}, err
	case c.Phase != lifecycle.PhaseOpen || now.Before(c.OpensAt) || !now.Before(c.ClosesAt):
		return c, repo.Agreed{}, refuse(CampaignNotOpen, "This campaign takes no pledges now. It was open from %s to %s.", day(c.OpensAt), day(c.ClosesAt))
	}
	terms, err := d.Repo.TermsByKey(ctx, q, syntax.ATURI(c.Terms.Uri).RecordKey())
	if err == nil && !now.Before(terms.CheckoutsUntil(c.ClosesAt)) {
		err = refuse(CampaignClosing, "This campaign closes at %s, too soon for a payment to finish.", day(c.ClosesAt))
	}
	return c, terms, err
}

// day is a moment as people read it.
func day(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// eligible keeps who worked on it, gets the money, or decides about the project from
// paying for it. What the campaign froze stands; who maintains the project now, the index
// says as long as the proposal is there.
func (d *Desk) eligible(ctx context.Context, payer syntax.DID, c campaign.Campaign, now time.Time) error {
	own := payer == c.Author || slices.ContainsFunc(c.Payees, func(p campaign.Payee) bool { return p.DID == payer })
	if !own {
		facts, err := d.facts(ctx, syntax.ATURI(c.Proposal.Uri))
		switch {
		case errors.Is(err, index.ErrNotFound):
		case err != nil:
			return err
		default:
			own = slices.Contains(lifecycle.DevelopersAt(facts, now), payer)
		}
	}
	if own {
		return refuse(NotEligible, "Nobody can pledge on their own work: you wrote it, are paid for it, or maintain the project.")
	}
	return nil
}

func (d *Desk) facts(ctx context.Context, proposal syntax.ATURI) (facts lifecycle.Facts, err error) {
	err = d.Index.Read(ctx, func(r *index.Reader) error {
		facts, err = r.Facts(ctx, proposal)
		return err
	})
	return facts, err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
