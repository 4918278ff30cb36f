package appview

import (
	"github.com/bluesky-social/indigo/atproto/lexicon"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/xrpc"
)

// ServiceID and ServiceType stand for the AppView in its DID document.
const (
	ServiceID   = "stratos_appview"
	ServiceType = "StratosAppView"
)

// API answers queries from an index.
type API struct {
	store  *store.Store
	policy lifecycle.Policy
	stats  *statsKeeper
	parts  *parts // nil keeps none
}

// New makes the API of an index. The policy is the one the store was opened
// with. A nil registry means no metrics.
func New(st *store.Store, policy lifecycle.Policy, registry prometheus.Registerer) (*API, error) {
	a := &API{store: st, policy: policy, stats: newStatsKeeper(), parts: newParts(st)}
	if registry != nil {
		if err := a.parts.register(registry); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Methods lists the queries and procedures that an AppView declares, those of
// the escrow left out.
func Methods() []syntax.NSID {
	var out []syntax.NSID
	for _, file := range lexicons.Schemas() {
		nsid := syntax.NSID(file.ID)
		if nsid.Authority() == escrowAuthority {
			continue
		}
		switch file.Defs["main"].Inner.(type) {
		case lexicon.SchemaQuery, lexicon.SchemaProcedure:
			out = append(out, nsid)
		}
	}
	return out
}

const escrowAuthority = "escrow.stratos.fund"

// Register adds the methods to a server.
func (a *API) Register(s *xrpc.Server) {
	xrpc.Query(s, "fund.stratos.feature.getProposal", a.getProposal)
	xrpc.Query(s, "fund.stratos.feature.getProposals", a.getProposals)
	xrpc.Query(s, "fund.stratos.feature.listProposals", a.listProposals)
	xrpc.Query(s, "fund.stratos.feature.listEstimates", a.listEstimates)
	xrpc.Query(s, "fund.stratos.feature.getFunding", a.getFunding)
	xrpc.Query(s, "fund.stratos.actor.getStanding", a.getStanding)
	xrpc.Query(s, "fund.stratos.feature.listPledges", a.listPledges)
	xrpc.Query(s, "fund.stratos.feature.listDonations", a.listDonations)
	xrpc.Query(s, "fund.stratos.feature.listDisputes", a.listDisputes)
	xrpc.Query(s, "fund.stratos.feature.listVerifications", a.listVerifications)
	xrpc.Query(s, "fund.stratos.feature.getTimeline", a.getTimeline)
	xrpc.Query(s, "fund.stratos.feature.searchProposals", a.searchProposals)
	xrpc.Query(s, "fund.stratos.feature.searchSimilar", a.searchSimilar)
	xrpc.Query(s, "fund.stratos.actor.getActor", a.getActor)
	xrpc.Query(s, methodGetStats, a.getStats)
	xrpc.Query(s, "fund.stratos.project.getProject", a.getProject)
	xrpc.Query(s, "fund.stratos.project.listProjects", a.listProjects)
}
