package repo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/checks"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// campaign is what was frozen for a development, and where it stands, as a record. It
// depends on the campaign's rows and its terms alone, so the same phase makes the same
// bytes: totals are those of the moment at which the phase began.
func (r *Repo) campaign(ctx context.Context, q sqlite.Querier, development syntax.ATURI) (*record, error) {
	c, err := campaign.LoadByDevelopment(ctx, q, development)
	if err != nil {
		return nil, err
	}
	content := &stratos.EscrowCampaign{
		LexiconTypeID: lexicons.CollectionCampaign.String(),
		Development:   c.Development, Preview: c.Preview, Proposal: c.Proposal, Terms: c.Terms,
		Author: c.Author.String(), Title: c.Title, Currency: string(c.Currency), Commitment: c.Commitment,
		OpensAt: stamp(c.OpensAt), ClosesAt: stamp(c.ClosesAt), ReleaseBy: stamp(c.ReleaseBy), FinalAt: stamp(c.FinalAt),
		Phase: string(c.Phase), Totals: totalsRecord(c.Totals), Test: r.test(),
		CreatedAt: stamp(c.OpenedAt), UpdatedAt: stamp(c.UpdatedAt),
	}
	for _, p := range c.Payees {
		account := string(p.Account)
		content.Payees = append(content.Payees, stratos.EscrowCampaign_Payee{Did: p.DID.String(), Share: p.Share, Account: &account})
	}
	if c.Pot != nil {
		content.Pot = &stratos.Defs_Total{Amount: *c.Pot, Currency: string(c.Currency)}
	}
	if c.Reason != "" {
		reason := string(c.Reason)
		content.Reason = &reason
	}
	for _, check := range c.Checks {
		content.Checks = append(content.Checks, stratos.EscrowCampaign_Check{
			Name: string(check.Name), Passed: check.Passed, Evidence: optional(check.Evidence), CheckedAt: stamp(check.CheckedAt),
		})
	}
	if a := c.Accepted; a != nil {
		content.Release, content.Mirror = &a.Release, &a.Mirror
		content.AcceptedAt, content.VerificationEndsAt = optional(stamp(a.At)), optional(stamp(a.EndsAt))
	}
	if content.Pauses, err = pausesOf(ctx, q, c); err != nil {
		return nil, err
	}
	if content.CheckoutsUntil, err = r.checkoutsUntil(ctx, q, c); err != nil {
		return nil, err
	}
	return newRecord(r.did, lexicons.DerivedKey(development), content)
}

// disputeOf is what a pause tells of its dispute. Why it was written, and whether it was
// ruled on, is in other records; without a ruling one that ended was withdrawn.
func disputeOf(attempt ledger.AttemptKey, p stratos.EscrowCampaign_Pause) (campaign.Dispute, error) {
	uri, err := syntax.ParseATURI(p.Dispute.Uri)
	if err != nil {
		return campaign.Dispute{}, err
	}
	author, err := uri.Authority().AsDID()
	if err != nil {
		return campaign.Dispute{}, err
	}
	d := campaign.Dispute{URI: uri, CID: syntax.CID(p.Dispute.Cid), Attempt: attempt, Author: author, Reason: reasonOther}
	times := map[*time.Time]*string{&d.SeenAt: &p.From, &d.RulingBy: p.RulingBy, &d.EndedAt: p.To}
	for at, text := range times {
		if text == nil {
			continue
		}
		said, err := syntax.ParseDatetime(*text)
		if err != nil {
			return d, err
		}
		*at = said.Time()
	}
	if p.RulingBy == nil {
		d.RulingBy = d.SeenAt.Add(lifecycle.RulingTime)
	}
	if p.To != nil {
		d.Ended = campaign.EndedWithdrawn
	}
	return d, nil
}

// reasonOther is the reason of a dispute of which no more is known.
const reasonOther = "other"

// mostPauses is how many the lexicon lists.
const mostPauses = 32

// pausesOf are the times in which disputes stopped the clock, those that stand and the
// newest first when there are too many.
func pausesOf(ctx context.Context, q sqlite.Querier, c campaign.Campaign) (list []stratos.EscrowCampaign_Pause, err error) {
	disputes, err := campaign.DisputesOf(ctx, q, c.Attempt)
	if err != nil {
		return nil, err
	}
	if over := len(disputes) - mostPauses; over > 0 {
		slices.SortStableFunc(disputes, func(a, b campaign.Dispute) int {
			if a.Stands() != b.Stands() {
				if a.Stands() {
					return 1
				}
				return -1
			}
			return a.SeenAt.Compare(b.SeenAt)
		})
		disputes = disputes[over:]
	}
	for _, d := range disputes {
		p := stratos.EscrowCampaign_Pause{Dispute: d.Ref(), From: stamp(d.SeenAt), RulingBy: optional(stamp(d.RulingBy))}
		if !d.Stands() {
			p.To = optional(stamp(d.EndedAt))
		}
		list = append(list, p)
	}
	return list, nil
}

// optional is nil for nothing.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// checkoutsUntil is when the last checkout of a campaign begins, where its terms say so.
func (r *Repo) checkoutsUntil(ctx context.Context, q sqlite.Querier, c campaign.Campaign) (*string, error) {
	terms, err := r.TermsByKey(ctx, q, syntax.ATURI(c.Terms.Uri).RecordKey())
	if errors.Is(err, ErrNoTerms) || err == nil && terms.Numbers.CheckoutMarginSeconds == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	until := stamp(terms.CheckoutsUntil(c.ClosesAt))
	return &until, nil
}

func totalsRecord(t campaign.Totals) *stratos.EscrowCampaign_Totals {
	return &stratos.EscrowCampaign_Totals{
		Pledgers: t.Pledgers, Held: t.Held, Released: t.Released, Refunded: t.Refunded, ChargedBack: t.ChargedBack, Fee: t.Fee,
	}
}

// campaignOf reads a campaign's record. It does not say the fee, which its terms do.
func campaignOf(content *stratos.EscrowCampaign) (campaign.Campaign, error) {
	c := campaign.Campaign{
		Attempt:     ledger.AttemptOf(syntax.ATURI(content.Development.Uri)),
		Development: content.Development, Preview: content.Preview, Proposal: content.Proposal, Terms: content.Terms,
		Author: syntax.DID(content.Author), Title: content.Title, Currency: money.Currency(content.Currency), Commitment: content.Commitment,
		Phase: lifecycle.Phase(content.Phase),
	}
	for _, p := range content.Payees {
		if p.Account == nil {
			return c, fmt.Errorf("repo: the campaign of %s names no account of %s", content.Development.Uri, p.Did)
		}
		c.Payees = append(c.Payees, campaign.Payee{DID: syntax.DID(p.Did), Share: p.Share, Account: payments.AccountID(*p.Account)})
	}
	if content.Pot != nil {
		c.Pot = &content.Pot.Amount
	}
	if content.Reason != nil {
		c.Reason = campaign.Reason(*content.Reason)
	}
	if t := content.Totals; t != nil {
		c.Totals = campaign.Totals{Pledgers: t.Pledgers, Held: t.Held, Released: t.Released, Refunded: t.Refunded, ChargedBack: t.ChargedBack, Fee: t.Fee}
	}
	for _, check := range content.Checks {
		at, err := syntax.ParseDatetime(check.CheckedAt)
		if err != nil {
			return c, err
		}
		evidence := ""
		if check.Evidence != nil {
			evidence = *check.Evidence
		}
		c.Checks = append(c.Checks, checks.Check{Name: checks.Name(check.Name), Passed: check.Passed, Evidence: evidence, CheckedAt: at.Time()})
	}
	for _, pause := range content.Pauses {
		d, err := disputeOf(c.Attempt, pause)
		if err != nil {
			return c, err
		}
		c.Stopped = append(c.Stopped, d)
	}
	var errs []error
	if content.Release != nil && content.AcceptedAt != nil && content.VerificationEndsAt != nil && content.Mirror != nil {
		at, err := syntax.ParseDatetime(*content.AcceptedAt)
		ends, endsErr := syntax.ParseDatetime(*content.VerificationEndsAt)
		errs = append(errs, err, endsErr)
		c.Accepted = &campaign.Accepted{Release: *content.Release, At: at.Time(), Mirror: *content.Mirror, EndsAt: ends.Time()}
	}
	for at, text := range map[*time.Time]string{
		&c.OpensAt: content.OpensAt, &c.ClosesAt: content.ClosesAt, &c.ReleaseBy: content.ReleaseBy, &c.FinalAt: content.FinalAt,
		&c.OpenedAt: content.CreatedAt, &c.UpdatedAt: content.UpdatedAt,
	} {
		said, err := syntax.ParseDatetime(text)
		errs = append(errs, err)
		*at = said.Time()
	}
	return c, errors.Join(errs...)
}
