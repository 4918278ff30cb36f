package lexicons

import (
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// The collections of fund.stratos.*: the NSID of each record lexicon.
const (
	CollectionProject      syntax.NSID = "fund.stratos.project.profile"
	CollectionProposal     syntax.NSID = "fund.stratos.feature.proposal"
	CollectionEstimate     syntax.NSID = "fund.stratos.feature.estimate"
	CollectionPledge       syntax.NSID = "fund.stratos.feature.pledge"
	CollectionDonation     syntax.NSID = "fund.stratos.feature.donation"
	CollectionDispute      syntax.NSID = "fund.stratos.feature.dispute"
	CollectionVerification syntax.NSID = "fund.stratos.feature.verification"
	CollectionResponse     syntax.NSID = "fund.stratos.work.response"
	CollectionDevelopment  syntax.NSID = "fund.stratos.work.development"
	CollectionConsent      syntax.NSID = "fund.stratos.work.consent"
	CollectionPreview      syntax.NSID = "fund.stratos.work.preview"
	CollectionRelease      syntax.NSID = "fund.stratos.work.release"
	CollectionCancellation syntax.NSID = "fund.stratos.work.cancellation"
	CollectionService      syntax.NSID = "fund.stratos.escrow.service"
	CollectionTerms        syntax.NSID = "fund.stratos.escrow.terms"
	CollectionCampaign     syntax.NSID = "fund.stratos.escrow.campaign"
	CollectionReceipt      syntax.NSID = "fund.stratos.escrow.receipt"
	CollectionRuling       syntax.NSID = "fund.stratos.escrow.ruling"
	CollectionStatement    syntax.NSID = "fund.stratos.escrow.statement"
)

// Collections returns the NSIDs of all records that ParseRecord knows, sorted.
func Collections() []syntax.NSID {
	nsids := make([]syntax.NSID, 0, len(kinds))
	for nsid := range kinds {
		nsids = append(nsids, nsid)
	}
	slices.Sort(nsids)
	return nsids
}
