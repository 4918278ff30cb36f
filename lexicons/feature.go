package lexicons

import (
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func checkProposal(_ origin, r *stratos.FeatureProposal) error {
	for _, link := range r.Links {
		if err := uriOf("links", link.Uri, "https", "http", "at"); err != nil {
			return err
		}
	}
	return first(checkSubject(r.Subject), uniqueTags(r.Tags))
}

// checkSubject refuses a subject that this version does not know: nobody here could
// say who may build the feature.
func checkSubject(s stratos.FeatureProposal_Subject) error {
	switch {
	case s.FeatureProposal_ProjectSubject != nil:
		return pointsTo("subject", s.FeatureProposal_ProjectSubject.Project, CollectionProject)
	case s.FeatureProposal_UriSubject != nil:
		return uriOf("subject", s.FeatureProposal_UriSubject.Uri, "https", "http")
	case s.FeatureProposal_AccountSubject != nil:
		return nil
	}
	return reject(ReasonSubject, "a subject of an unknown type")
}

func checkEstimate(_ origin, r *stratos.FeatureEstimate) error {
	return first(
		refersTo("proposal", r.Proposal, CollectionProposal),
		knownCurrency("value", r.Value.Currency),
	)
}

func checkPledge(_ origin, r *stratos.FeaturePledge) error {
	return first(
		refersTo("proposal", r.Proposal, CollectionProposal),
		refersTo("development", r.Development, CollectionDevelopment),
		knownCurrency("value", r.Value.Currency),
	)
}

func checkDonation(_ origin, r *stratos.FeatureDonation) error {
	return first(
		refersTo("proposal", r.Proposal, CollectionProposal),
		refersTo("development", r.Development, CollectionDevelopment),
		knownCurrency("value", r.Value.Currency),
	)
}

func checkDispute(_ origin, r *stratos.FeatureDispute) error {
	for _, e := range r.Evidence {
		if err := uriOf("evidence", e.Uri, "https", "http", "at"); err != nil {
			return err
		}
	}
	return first(
		refersTo("proposal", r.Proposal, CollectionProposal),
		refersTo("release", r.Release, CollectionRelease),
	)
}

func checkVerification(_ origin, r *stratos.FeatureVerification) error {
	return first(
		refersTo("release", r.Release, CollectionRelease),
		optionalURI("copy", r.Copy, "https", "http"),
	)
}
