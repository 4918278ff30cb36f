package escrow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/admin"
	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/journal"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

// resolveDispute answers fund.stratos.escrow.resolveDispute, for the escrow's own account
// and the operators that its terms name.
func (s *Service) resolveDispute(ctx context.Context, in stratos.EscrowResolveDispute_Input) (*stratos.EscrowResolveDispute_Output, error) {
	did, _ := xrpc.Viewer(ctx)
	if in.Outcome != string(lifecycle.OutcomeUpheld) && in.Outcome != string(lifecycle.OutcomeRejected) {
		return nil, xrpc.InvalidRequest("outcome: upheld or rejected, and not %q", in.Outcome)
	}
	var ruling comatproto.RepoStrongRef
	err := s.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, terms, err := s.repo.Offer(ctx, tx)
		if err != nil {
			return err
		}
		operates := did == s.cfg.DID || slices.ContainsFunc(terms.Operators, func(o stratos.EscrowTerms_Operator) bool { return o.Did == did.String() })
		if !operates {
			return xrpc.Named("NotOperator", "%s is no operator of this escrow: its terms name them", did)
		}
		d, err := rule(ctx, tx, campaign.Ruling{Dispute: in.Dispute, Outcome: lifecycle.Outcome(in.Outcome), Rationale: in.Rationale}, did.String())
		if err != nil {
			return err
		}
		ruling, err = s.repo.Ruling(ctx, tx, d.Ruling)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &stratos.EscrowResolveDispute_Output{Ruling: ruling, Outcome: in.Outcome}, nil
}

// rule ends a dispute, with its line in the journal, unless it was ruled on like that
// before.
func rule(ctx context.Context, tx *store.Tx, r campaign.Ruling, by string) (campaign.Dispute, error) {
	before, err := campaign.LoadDispute(ctx, tx, syntax.ATURI(r.Dispute.Uri))
	if err != nil {
		return before, disputeError(err)
	}
	d, err := campaign.Rule(ctx, tx, r)
	if err != nil || before.Ruling != "" {
		return d, disputeError(err)
	}
	return d, journal.Write(ctx, tx, journal.Line{
		Action: "rule", Subject: d.URI.String(), Because: shortened(r.Rationale), Outcome: fmt.Sprintf("%s %s the dispute.", by, r.Outcome),
	})
}

// mostBecause is how many bytes of a rationale the journal repeats; all of it is published.
const mostBecause = 1000

func shortened(rationale string) string {
	return strings.ToValidUTF8(rationale[:min(len(rationale), mostBecause)], "")
}

// disputeError is what a client hears of a ruling that cannot be.
func disputeError(err error) error {
	switch {
	case errors.Is(err, campaign.ErrNotFound):
		return xrpc.Named("DisputeNotFound", "dispute: it never stopped a payout here")
	case errors.Is(err, campaign.ErrDisputeChanged):
		return xrpc.Named("DisputeChanged", "dispute: another version of it stands")
	case errors.Is(err, campaign.ErrNotStanding):
		return xrpc.Named("DisputeNotStanding", "dispute: it was withdrawn, or the campaign is over")
	case errors.Is(err, campaign.ErrRuled):
		return xrpc.Named("AlreadyRuled", "dispute: it was ruled on with another outcome")
	}
	return err
}

// ruleByHand is what `escrow rule` asks for: the version of the dispute that stands.
func (s *Service) ruleByHand(ctx context.Context, in admin.RuleInput) (sentence string, err error) {
	err = s.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		d, err := campaign.LoadDispute(ctx, tx, in.Dispute)
		if err != nil {
			return disputeError(err)
		}
		d, err = rule(ctx, tx, campaign.Ruling{Dispute: d.Ref(), Outcome: in.Outcome, Rationale: in.Rationale}, admin.User)
		if err != nil {
			return err
		}
		ref, err := s.repo.Ruling(ctx, tx, d.Ruling)
		sentence = fmt.Sprintf("The dispute %s is %s. The ruling is published as %s.", d.URI, d.Outcome(), ref.Uri)
		return err
	})
	return sentence, err
}
