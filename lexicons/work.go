package lexicons

import (
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const (
	sha1Hex   = 40
	sha256Hex = 64

	answerDuplicate = "duplicate"
)

func checkResponse(_ origin, r *stratos.WorkResponse) error {
	if err := refersTo("proposal", r.Proposal, CollectionProposal); err != nil {
		return err
	}
	if (r.Answer == answerDuplicate) != (r.DuplicateOf != nil) {
		return reject(ReasonDuplicate, "duplicateOf goes with the answer duplicate and with no other")
	}
	if r.DuplicateOf == nil {
		return nil
	}
	if *r.DuplicateOf == r.Proposal.Uri {
		return reject(ReasonDuplicate, "a proposal is no duplicate of itself")
	}
	return pointsTo("duplicateOf", *r.DuplicateOf, CollectionProposal)
}

func checkDevelopment(_ origin, r *stratos.WorkDevelopment) error {
	err := first(
		refersTo("proposal", r.Proposal, CollectionProposal),
		knownCurrency("currency", r.Currency),
	)
	if err != nil {
		return err
	}
	if r.Project != nil {
		if err := pointsTo("project", *r.Project, CollectionProject); err != nil {
			return err
		}
	}
	if r.Goal != nil {
		if err := sameCurrency("goal", r.Goal.Currency, r.Currency); err != nil {
			return err
		}
	}
	if r.Payees == nil {
		return nil // the author gets all
	}
	shares := make(payeeShares, 0, len(r.Payees))
	for _, p := range r.Payees {
		shares = append(shares, payeeShare{p.Did, p.Share})
	}
	return shares.check()
}

type payeeShare struct {
	did   string
	share int64
}

// payeeShares are the payees of a development, or of a campaign that froze them.
type payeeShares []payeeShare

// wholeShare is all of the money, in basis points.
const wholeShare = 10000

func (payees payeeShares) check() error {
	seen := make(map[string]bool, len(payees))
	var sum int64
	for _, p := range payees {
		if seen[p.did] {
			return reject(ReasonPayees, "%s twice", p.did)
		}
		seen[p.did] = true
		sum += p.share
	}
	if sum != wholeShare {
		return reject(ReasonShares, "shares add up to %d instead of %d", sum, wholeShare)
	}
	return nil
}

func checkConsent(_ origin, r *stratos.WorkConsent) error {
	return refersTo("development", r.Development, CollectionDevelopment)
}

func checkPreview(at origin, r *stratos.WorkPreview) error {
	return first(
		belongsTo(at, r.Development),
		uriOf("uri", r.Uri, "https"),
		inOrder("opensAt, closesAt", r.OpensAt, r.ClosesAt),
		checkCommitment(r.Commitment),
	)
}

// checkCommitment checks the tree against its algorithm. An algorithm that is not
// known here may have any length that the lexicon allows.
func checkCommitment(c *stratos.WorkPreview_Commitment) error {
	if c == nil {
		return nil
	}
	switch c.Algorithm {
	case "sha1":
		return hexOf("tree", c.Tree, sha1Hex)
	case "sha256":
		return hexOf("tree", c.Tree, sha256Hex)
	}
	return hexOf("tree", c.Tree, len(c.Tree))
}

func checkRelease(at origin, r *stratos.WorkRelease) error {
	err := first(
		belongsTo(at, r.Development),
		uriOf("repository", r.Repository, "https"),
		hexOf("commit", r.Commit, sha1Hex, sha256Hex),
	)
	if err != nil {
		return err
	}
	if r.PreviewCommit != nil {
		// Both are commits of one repository, which has one object format.
		return hexOf("previewCommit", *r.PreviewCommit, len(r.Commit))
	}
	return nil
}

func checkCancellation(at origin, r *stratos.WorkCancellation) error {
	return belongsTo(at, r.Development)
}
