package campaign

import (
	"fmt"
	"slices"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// ObstacleKind is a kind of thing that stands against an opening (rule 8).
type ObstacleKind string

// The kinds, in the order in which a developer hears of them.
const (
	// ObstacleProposal: the proposal is gone, or its account is hidden.
	ObstacleProposal ObstacleKind = "proposal"
	// ObstacleNotDeveloper: the author may not act for the proposal's subject.
	ObstacleNotDeveloper ObstacleKind = "not-developer"
	// ObstacleOver: the attempt was cancelled, or nothing happened to it for too long.
	ObstacleOver ObstacleKind = "over"
	// ObstacleCompleted: the proposal was released and paid before.
	ObstacleCompleted ObstacleKind = "completed"
	// ObstacleOtherCampaign: another attempt's campaign is under way.
	ObstacleOtherCampaign ObstacleKind = "other-campaign"
	// ObstacleForgotten: the escrow's repository has a campaign that this database lost.
	ObstacleForgotten ObstacleKind = "forgotten"
	// ObstacleCurrency: the terms do not name the currency.
	ObstacleCurrency ObstacleKind = "currency"
	// ObstacleTooShort, ObstacleTooLong: the terms allow no such preview.
	ObstacleTooShort ObstacleKind = "preview-too-short"
	ObstacleTooLong  ObstacleKind = "preview-too-long"
	// ObstacleConsent: a payee did not consent.
	ObstacleConsent ObstacleKind = "consent"
	// ObstaclePayee: a payee cannot be paid.
	ObstaclePayee ObstacleKind = "payee"
	// ObstacleProcessor: the processor does not say whether a payee can be paid.
	ObstacleProcessor ObstacleKind = "processor"
)

// ObstacleKinds lists all kinds.
func ObstacleKinds() []ObstacleKind {
	return []ObstacleKind{
		ObstacleProposal, ObstacleNotDeveloper, ObstacleOver, ObstacleCompleted, ObstacleOtherCampaign, ObstacleForgotten,
		ObstacleCurrency, ObstacleTooShort, ObstacleTooLong, ObstacleConsent, ObstaclePayee, ObstacleProcessor,
	}
}

// Obstacle stands against an opening.
type Obstacle struct {
	Kind ObstacleKind `json:"kind"`
	// Subject is whom or what it is about, as the kind needs.
	Subject string `json:"subject,omitempty"`
	// Why is what more the processor said.
	Why []payments.Obstacle `json:"why,omitempty"`
}

func (o Obstacle) equal(other Obstacle) bool {
	return o.Kind == other.Kind && o.Subject == other.Subject && slices.Equal(o.Why, other.Why)
}

// Sentence tells a developer what is in the way, and what to do.
func (o Obstacle) Sentence() string {
	switch o.Kind {
	case ObstacleProposal:
		return fmt.Sprintf("the proposal %s is gone, or its account is hidden", o.Subject)
	case ObstacleProcessor:
		return fmt.Sprintf("the payment processor does not say whether payee %s can be paid: it is asked again", o.Subject)
	case ObstacleNotDeveloper:
		return fmt.Sprintf("%s may not act for the proposal's subject: its owner has to list the account as a maintainer, or the project's claim on the address has to be verified", o.Subject)
	case ObstacleOver:
		return "the attempt was cancelled, or nothing happened to it for too long: begin another one"
	case ObstacleCompleted:
		return "the proposal was released and paid before"
	case ObstacleOtherCampaign:
		return "another attempt at the proposal has a campaign that is under way: wait until it is over"
	case ObstacleForgotten:
		return "the escrow had opened a campaign that its database lost: its operator has to look"
	case ObstacleCurrency:
		return fmt.Sprintf("the escrow's terms do not name the currency %s", o.Subject)
	case ObstacleTooShort:
		return fmt.Sprintf("what is left of the preview is shorter than the %s that the terms want: move closesAt", o.Subject)
	case ObstacleTooLong:
		return fmt.Sprintf("the preview is longer than the %s that the terms allow: move closesAt", o.Subject)
	case ObstacleConsent:
		return fmt.Sprintf("payee %s has not consented by a work.consent record", o.Subject)
	case ObstaclePayee:
		if len(o.Why) == 0 {
			return fmt.Sprintf("payee %s has no payout account here: createPayoutAccount begins one", o.Subject)
		}
		return fmt.Sprintf("payee %s cannot be paid by the processor (%v): createPayoutAccount goes on with it", o.Subject, o.Why)
	}
	return string(o.Kind)
}

// Candidate is an attempt whose preview should be open, as one look shows it.
type Candidate struct {
	// State is the attempt, Facts those of its proposal.
	State       lifecycle.AttemptState
	Facts       lifecycle.Facts
	Development *stratos.WorkDevelopment
	Preview     *stratos.WorkPreview
	// Terms are those that new campaigns get.
	TermsRef comatproto.RepoStrongRef
	Terms    *stratos.EscrowTerms
	// Rival is the phase of another campaign for the proposal that is under way or was
	// paid out; empty when there is none.
	Rival lifecycle.Phase
	// Payees says who can be paid, and where; who is not in it was not asked.
	Payees map[syntax.DID]Payable
}

// Payable is what the processor says of a payee.
type Payable struct {
	Account payments.AccountID // empty when the payee cannot be paid
	Against []payments.Obstacle
}

// wholeShare is all of the money, in basis points.
const wholeShare = 10_000

// shares of the payees: the author gets all when nobody is named.
func (a Candidate) shares() []Payee {
	if len(a.Development.Payees) == 0 {
		return []Payee{{DID: a.State.Author, Share: wholeShare}}
	}
	list := make([]Payee, len(a.Development.Payees))
	for i, p := range a.Development.Payees {
		list[i] = Payee{DID: syntax.DID(p.Did), Share: p.Share}
	}
	return list
}

// Plan decides whether an attempt opens at a moment (rule 8): the campaign, whole and
// with every deadline, or everything that stands against it. It depends on its arguments
// alone.
//
// The campaign opens when it does, be the preview announced for earlier: what the terms
// say of its length is about the time in which people can pledge. The final date is the
// last that the terms allow; since terms are only valid if the longest preview and all
// that may follow it fit in before, with a margin, so does each preview that they allow.
func Plan(a Candidate, now time.Time) (Campaign, []Obstacle) {
	now = now.UTC().Truncate(time.Millisecond)
	p := a.State.Preview
	opensAt, closesAt := now, p.ClosesAt
	if p.OpensAt.After(now) {
		opensAt = p.OpensAt
	}
	against := slices.Concat(a.attempt(), a.terms(closesAt.Sub(opensAt)), a.payees())
	if len(against) > 0 {
		return Campaign{}, against
	}
	payees := a.shares()
	for i := range payees {
		payees[i].Account = a.Payees[payees[i].DID].Account
	}
	return Campaign{
		Attempt:     ledger.AttemptOf(a.State.URI),
		Development: refOf(a.State.Development.Meta), Preview: refOf(p.Meta), Proposal: refOf(a.Facts.Proposal.Meta), Terms: a.TermsRef,
		Author: a.State.Author, Title: a.Development.Title, Payees: payees,
		Currency: money.Currency(a.Development.Currency), Fee: a.Terms.FeeBasisPoints, Commitment: a.Preview.Commitment,
		OpensAt: opensAt, ClosesAt: closesAt,
		ReleaseBy:    closesAt.Add(seconds(a.Terms.ReleaseSeconds)),
		FinalAt:      opensAt.Add(seconds(a.Terms.MaximumHoldSeconds)),
		Verification: seconds(a.Terms.VerificationSeconds), Ruling: seconds(a.Terms.RulingSeconds), Reserve: seconds(a.Terms.DisputeReserveSeconds),
		Phase: lifecycle.PhaseOpen,
	}, nil
}

func (a Candidate) attempt() (against []Obstacle) {
	if !a.State.Authorized {
		against = append(against, Obstacle{Kind: ObstacleNotDeveloper, Subject: a.State.Author.String()})
	}
	if a.State.Over {
		against = append(against, Obstacle{Kind: ObstacleOver})
	}
	switch {
	case a.State.Campaign != nil:
		against = append(against, Obstacle{Kind: ObstacleForgotten})
	case a.Rival == lifecycle.PhaseReleased:
		against = append(against, Obstacle{Kind: ObstacleCompleted})
	case a.Rival != "":
		against = append(against, Obstacle{Kind: ObstacleOtherCampaign})
	}
	return against
}

func (a Candidate) terms(length time.Duration) (against []Obstacle) {
	taken := slices.ContainsFunc(a.Terms.Currencies, func(c stratos.EscrowTerms_Currency) bool { return c.Currency == a.Development.Currency })
	if !taken {
		against = append(against, Obstacle{Kind: ObstacleCurrency, Subject: a.Development.Currency})
	}
	if least := seconds(a.Terms.PreviewSeconds.Minimum); length < least {
		against = append(against, Obstacle{Kind: ObstacleTooShort, Subject: least.String()})
	}
	if most := seconds(a.Terms.PreviewSeconds.Maximum); length > most {
		against = append(against, Obstacle{Kind: ObstacleTooLong, Subject: most.String()})
	}
	return against
}

func (a Candidate) payees() (against []Obstacle) {
	for _, p := range a.shares() {
		if p.DID != a.State.Author && !slices.Contains(a.State.Consents, p.DID) {
			against = append(against, Obstacle{Kind: ObstacleConsent, Subject: p.DID.String()})
		}
		if can := a.Payees[p.DID]; can.Account == "" {
			against = append(against, Obstacle{Kind: ObstaclePayee, Subject: p.DID.String(), Why: can.Against})
		}
	}
	return against
}

func refOf(m lifecycle.Meta) comatproto.RepoStrongRef {
	return comatproto.RepoStrongRef{Uri: m.URI.String(), Cid: m.CID.String()}
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }
