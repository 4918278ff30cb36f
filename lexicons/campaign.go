package lexicons

import (
	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func checkCampaign(at origin, r *stratos.EscrowCampaign) error {
	err := first(
		refersTo("development", r.Development, CollectionDevelopment),
		checkDerivedKey(at, r.Development.Uri),
		refersTo("proposal", r.Proposal, CollectionProposal),
		ofAttempt("preview", r.Preview, CollectionPreview, r.Development),
		refersHome(at, "terms", r.Terms, CollectionTerms),
		knownCurrency("currency", r.Currency),
		inOrder("opensAt, closesAt, releaseBy, finalAt", r.OpensAt, r.ClosesAt, r.ReleaseBy, r.FinalAt),
		checkCheckoutsUntil(r),
		checkCommitment(r.Commitment),
		optionalOwnURI("mirror", r.Mirror),
	)
	if err != nil {
		return err
	}
	if author := authorOf(r.Development); author.String() != r.Author {
		return reject(ReasonForeignRepo, "author %s did not write %s", r.Author, r.Development.Uri)
	}
	if r.Release != nil {
		if err := ofAttempt("release", *r.Release, CollectionRelease, r.Development); err != nil {
			return err
		}
	}
	if r.Pot != nil {
		if err := sameCurrency("pot", r.Pot.Currency, r.Currency); err != nil {
			return err
		}
	}
	return first(checkFrozenPayees(r.Payees), checkPauses(r.Pauses))
}

// ofAttempt wants a record that shares repo and key with the development.
func ofAttempt(name string, ref comatproto.RepoStrongRef, collection syntax.NSID, development comatproto.RepoStrongRef) error {
	if err := refersTo(name, ref, collection); err != nil {
		return err
	}
	if !sameKey(syntax.ATURI(ref.Uri), syntax.ATURI(development.Uri)) {
		return reject(ReasonAttemptKey, "%s: %s does not belong to %s", name, ref.Uri, development.Uri)
	}
	return nil
}

func checkFrozenPayees(payees []stratos.EscrowCampaign_Payee) error {
	shares := make(payeeShares, 0, len(payees))
	for _, p := range payees {
		shares = append(shares, payeeShare{p.Did, p.Share})
	}
	return shares.check()
}

func checkPauses(pauses []stratos.EscrowCampaign_Pause) error {
	for _, p := range pauses {
		if err := refersTo("pauses", p.Dispute, CollectionDispute); err != nil {
			return err
		}
		if p.To == nil {
			continue
		}
		if err := notBackwards(ReasonWindow, "pauses", p.From, *p.To); err != nil {
			return err
		}
	}
	return nil
}

// checkCheckoutsUntil: only campaigns of test money take checkouts until another time
// than the rules say.
func checkCheckoutsUntil(r *stratos.EscrowCampaign) error {
	if r.CheckoutsUntil == nil {
		return nil
	}
	if !isTest(r.Test) {
		return reject(ReasonWindow, "checkoutsUntil is for test money")
	}
	return notBackwards(ReasonWindow, "checkoutsUntil, closesAt", *r.CheckoutsUntil, r.ClosesAt)
}
