package store

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// paid says of pledges and donations where their money is, of those that are more
// than wishes. It asks lifecycle, as the derivation of funding does, so that sums
// are those of lists.
//
// Receipts that pin their proposal, as they should, are all that it takes. For the
// others it has to be found out for what their attempts are.
func (r *Reader) paid(ctx context.Context, pledges []about[lifecycle.Pledge], donations []about[lifecycle.Donation]) (map[syntax.ATURI]lifecycle.Payment, error) {
	l := newLoading(r.tx)
	var subjects []syntax.ATURI
	named := func(proposal, subject syntax.ATURI) {
		subjects = append(subjects, subject)
		l.facts[proposal] = &lifecycle.Facts{Policy: r.policy, Proposal: lifecycle.Proposal{Meta: lifecycle.Meta{URI: proposal}}}
	}
	for _, p := range pledges {
		named(p.proposal, p.fact.URI)
	}
	for _, d := range donations {
		named(d.proposal, d.fact.URI)
	}
	if len(subjects) == 0 {
		return nil, nil
	}
	l.sharePledges(pledges)
	l.shareDonations(donations)
	list := listOf(subjects)
	receipts, err := collect(ctx, r.tx, list.many(receiptsFor), scanReceipt, list.arg, jsonList(r.policy.TrustedEscrows))
	if err != nil {
		return nil, fmt.Errorf("load receipts for %d payments: %w", len(subjects), err)
	}
	l.shareReceipts(receipts)
	if err := l.attemptsPaid(ctx, receipts, r.policy); err != nil {
		return nil, err
	}
	out := make(map[syntax.ATURI]lifecycle.Payment, len(receipts))
	for _, f := range l.facts {
		for _, p := range append(lifecycle.PledgesAt(*f, r.now), lifecycle.DonationsAt(*f, r.now)...) {
			if p.Recorded && p.Status != lifecycle.StatusPending {
				out[p.Subject] = p
			}
		}
	}
	return out, nil
}

// receiptOf is what the row of a list says of a payment; nothing of a wish.
func receiptOf(p lifecycle.Payment) (uri syntax.ATURI, status lifecycle.ReceiptStatus, test bool) {
	if p.Receipt == nil {
		return "", "", false
	}
	return p.Receipt.URI, p.Status, p.Receipt.Test
}

// attemptsPaid adds what decides for which proposal the receipts are that pin none:
// the attempts that they are for, and who may act for the subjects. Of a proposal
// that is hidden, only what campaigns froze is its own.
func (l *loading) attemptsPaid(ctx context.Context, receipts []lifecycle.Receipt, policy lifecycle.Policy) error {
	var attempts []lifecycle.AttemptURI
	for _, r := range receipts {
		if r.Proposal == "" {
			attempts = append(attempts, r.Attempt)
		}
	}
	if len(attempts) == 0 {
		return nil
	}
	visible, err := loadProposals(ctx, l.q, policy, slices.Sorted(maps.Keys(l.facts)))
	if err != nil {
		return err
	}
	for uri, f := range visible.facts {
		l.facts[uri].Proposal, l.facts[uri].Project = f.Proposal, f.Project
	}
	l.list, l.has = visible.list, visible.has
	wanted := jsonList(attempts)
	return loadThose(ctx, []part{
		{l.has.maintainers || l.has.claims, l.authority},
		{l.has.developments, func(ctx context.Context) error {
			return l.addDevelopments(ctx, ` AND d.uri IN (SELECT value FROM json_each($2))`, wanted)
		}},
		{true, func(ctx context.Context) error {
			return l.addCampaigns(ctx, ` AND c.development_uri IN (SELECT value FROM json_each($2))`, wanted)
		}},
	})
}

// paidAttempts is attemptsPaid for the receipts of an account, but for campaigns.
func (l *loading) paidAttempts(ctx context.Context, payer syntax.DID) error {
	if !l.has.developments || !l.has.pledges {
		return nil
	}
	err := l.addDevelopments(ctx, ` AND EXISTS (
		SELECT 1 FROM receipt t WHERE t.payer = $2 AND t.development_uri = d.uri AND t.proposal_uri IS NULL)`, payer)
	if err != nil {
		return err
	}
	return loadThose(ctx, []part{{len(l.attempts) > 0 && (l.has.maintainers || l.has.claims), l.authority}})
}
