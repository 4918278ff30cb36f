package web

import (
	"context"

	"github.com/bluesky-social/indigo/atproto/syntax"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// Queries are the AppView's methods. Whoever [xrpc.Viewer] names in the context is the one
// who asks. What a client of the API would be told comes back as an *xrpc.Error; any other
// error is the AppView's own trouble.
type Queries interface {
	Proposals(context.Context, ProposalsQuery) (*stratos.FeatureListProposals_Output, error)
	Proposal(context.Context, syntax.ATURI) (*stratos.FeatureDefs_ProposalView, error)
	Estimates(context.Context, About) (*stratos.FeatureListEstimates_Output, error)
	Pledges(context.Context, About) (*stratos.FeatureListPledges_Output, error)
	Donations(context.Context, About) (*stratos.FeatureListDonations_Output, error)
	Disputes(context.Context, About) (*stratos.FeatureListDisputes_Output, error)
	Verifications(context.Context, About) (*stratos.FeatureListVerifications_Output, error)
	Timeline(context.Context, About) (*stratos.FeatureGetTimeline_Output, error)
	Project(context.Context, syntax.ATURI) (*stratos.ProjectDefs_ProjectView, error)
	Projects(context.Context, ProjectsQuery) (*stratos.ProjectListProjects_Output, error)
	Actor(context.Context, syntax.AtIdentifier) (*stratos.ActorDefs_ProfileView, error)
	Stats(context.Context) (*stratos.GetStats_Output, error)
	// Record is any record that the AppView shows, as its author signed it.
	Record(context.Context, syntax.ATURI) (*stratos.FeatureDefs_RecordView, error)
	// Statement is the newest one of an escrow, as it signed it.
	Statement(ctx context.Context, escrow syntax.DID) (*stratos.FeatureDefs_RecordView, error)
}

// Escrows tell what no record of theirs says. Only those are asked that are trusted.
type Escrows interface {
	// Campaign is what an escrow says of an attempt, soon or not at all. What it refuses to
	// say is an *xrpc.Error with its words; any other error means that it does not answer.
	Campaign(ctx context.Context, escrow syntax.DID, development syntax.ATURI) (*stratos.EscrowDefs_CampaignView, error)
}

// ProposalsQuery narrows and orders a list of proposals. With Words it is a search.
type ProposalsQuery struct {
	Words   string
	Stages  []string
	Project syntax.ATURI
	Subject string
	Author  syntax.AtIdentifier
	Backer  syntax.AtIdentifier
	Tag     string
	Sort    string
	Limit   int64
	Cursor  string
}

// About asks for a page of what belongs to one proposal.
type About struct {
	URI    syntax.ATURI
	Limit  int64
	Cursor string
}

// ProjectsQuery asks for projects, of one owner unless that is empty.
type ProjectsQuery struct {
	Owner  syntax.AtIdentifier
	Limit  int64
	Cursor string
}
