package lexicons

import (
	"github.com/bluesky-social/indigo/atproto/syntax"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// kind is what ParseRecord has to know about a record type.
type kind struct {
	new   func() Record
	check func(at origin, r Record) error
}

// kinds has the check of every record. What holds for a format wherever it occurs is
// checked by knownFields, before these run.
var kinds = map[syntax.NSID]kind{
	CollectionProject:      kindOf(checkProject),
	CollectionProposal:     kindOf(checkProposal),
	CollectionEstimate:     kindOf(checkEstimate),
	CollectionPledge:       kindOf(checkPledge),
	CollectionDonation:     kindOf(checkDonation),
	CollectionDispute:      kindOf(checkDispute),
	CollectionVerification: kindOf(checkVerification),
	CollectionResponse:     kindOf(checkResponse),
	CollectionDevelopment:  kindOf(checkDevelopment),
	CollectionConsent:      kindOf(checkConsent),
	CollectionPreview:      kindOf(checkPreview),
	CollectionRelease:      kindOf(checkRelease),
	CollectionCancellation: kindOf(checkCancellation),
	CollectionService:      kindOf(checkService),
	CollectionTerms:        kindOf(checkTerms),
	CollectionCampaign:     kindOf(checkCampaign),
	CollectionReceipt:      kindOf(checkReceipt),
	CollectionRuling:       kindOf(checkRuling),
	CollectionStatement:    kindOf(checkStatement),
}

// kindOf ties a check to its record type. P is *T: only pointers are records.
func kindOf[T any, P interface {
	*T
	Record
}](check func(at origin, r *T) error) kind {
	return kind{
		new:   func() Record { return P(new(T)) },
		check: func(at origin, r Record) error { return check(at, (*T)(r.(P))) },
	}
}

var _ Record = (*stratos.FeatureProposal)(nil)
