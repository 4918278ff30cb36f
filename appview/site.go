package appview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/appview/web/acts"
	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// site lets the pages ask the methods of an API in the same process. It checks no
// parameter against a lexicon, which the edge does for clients: the pages bound what they
// ask for.
type site struct{ *API }

var (
	_ web.Queries  = site{}
	_ acts.Queries = site{}
)

// Queries are the API's methods for the pages.
func (a *API) Queries() web.Queries { return site{a} }

// forms are the API's methods for what visitors do.
func (a *API) forms() acts.Queries { return site{a} }

// told is a method's answer. What a client would be told of a failure, the pages are as
// well.
func told[O any](out O, err error) (O, error) {
	if wire := WireError(err); err != nil && wire != nil {
		var none O
		return none, wire
	}
	return out, err
}

// Proposals implements [web.Queries]. The views of proposals in lists are kept encoded.
func (s site) Proposals(ctx context.Context, q web.ProposalsQuery) (*stratos.FeatureListProposals_Output, error) {
	p := listProposalsParams{
		Stage: q.Stages, Project: q.Project, Subject: q.Subject, Author: q.Author, Backer: q.Backer, Tag: q.Tag, Sort: q.Sort,
		Limit: q.Limit, Cursor: q.Cursor,
	}
	var list *listOfProposals
	var err error
	if q.Words == "" {
		list, err = s.listProposals(ctx, p)
	} else {
		list, err = s.searchProposals(ctx, searchProposalsParams{Q: q.Words, listProposalsParams: p})
	}
	if list, err = told(list, err); err != nil {
		return nil, err
	}
	proposals, err := decoded(list)
	if err != nil {
		return nil, err
	}
	return &stratos.FeatureListProposals_Output{Cursor: list.Cursor, Proposals: proposals}, nil
}

// decoded are the views of a list, which are kept encoded.
func decoded(list *listOfProposals) ([]stratos.FeatureDefs_ProposalViewBasic, error) {
	out := make([]stratos.FeatureDefs_ProposalViewBasic, len(list.Proposals))
	for i, encoded := range list.Proposals {
		if err := json.Unmarshal(encoded, &out[i]); err != nil {
			return nil, fmt.Errorf("appview: read a kept view: %w", err)
		}
	}
	return out, nil
}

// Similar implements [acts.Queries].
func (s site) Similar(ctx context.Context, title, subject string, limit int64) (*stratos.FeatureSearchSimilar_Output, error) {
	list, err := told(s.searchSimilar(ctx, searchSimilarParams{Title: title, Subject: subject, Limit: limit}))
	if err != nil {
		return nil, err
	}
	proposals, err := decoded(list)
	if err != nil {
		return nil, err
	}
	return &stratos.FeatureSearchSimilar_Output{Proposals: proposals}, nil
}

// Backings implements [acts.Queries].
func (s site) Backings(ctx context.Context, of syntax.DID, after *acts.After, limit int) (out []acts.Backing, err error) {
	err = s.store.Read(ctx, func(r *store.Reader) error {
		rows, err := r.ListOwn(ctx, of, keyOf(after), limit)
		for _, row := range rows {
			out = append(out, acts.Backing{
				Collection: row.Collection, URI: row.URI, Proposal: row.Proposal, At: time.UnixMilli(row.Value).UTC(),
				Money: row.Money, Receipt: row.Receipt, Status: row.Status, Test: row.Test, Deleted: row.Deleted, Moved: row.Moved,
			})
		}
		return err
	})
	return out, err
}

// keyOf is where a page of what is the visitor's begins; nil for the first.
func keyOf(after *acts.After) *store.Key {
	if after == nil {
		return nil
	}
	return &store.Key{Value: after.At.UnixMilli(), URI: after.URI}
}

// Earnings implements [acts.Queries].
func (s site) Earnings(ctx context.Context, of syntax.DID, after *acts.After, limit int) (out []acts.Earning, err error) {
	err = s.store.Read(ctx, func(r *store.Reader) error {
		rows, err := r.ListPayouts(ctx, of, keyOf(after), limit)
		for _, row := range rows {
			out = append(out, acts.Earning{
				URI: row.URI, At: time.UnixMilli(row.Value).UTC(), Development: row.Development, Proposal: row.Proposal, Phase: row.Phase, Share: row.Share,
				Held: row.Held, Releasing: row.Releasing, Released: row.Released, Fee: row.Fee, Expected: row.Expected, Test: row.Test,
			})
		}
		return err
	})
	return out, err
}

// Built implements [acts.Queries].
func (s site) Built(ctx context.Context, by syntax.DID, limit int) (uris []syntax.ATURI, err error) {
	err = s.store.Read(ctx, func(r *store.Reader) error {
		uris, err = r.ListBuilt(ctx, by, limit)
		return err
	})
	return uris, err
}

// Paying implements [acts.Queries].
func (s site) Paying(ctx context.Context, whom syntax.DID, limit int) (uris []syntax.ATURI, err error) {
	err = s.store.Read(ctx, func(r *store.Reader) error {
		uris, err = r.ListPaying(ctx, whom, limit)
		return err
	})
	return uris, err
}

// Maintained implements [acts.Queries].
func (s site) Maintained(ctx context.Context, by syntax.DID, limit int) (views []stratos.ProjectDefs_ProjectView, err error) {
	err = s.store.Read(ctx, func(r *store.Reader) error {
		uris, err := r.ListMaintained(ctx, by, limit)
		if err != nil {
			return err
		}
		views, err = projects(ctx, r, uris)
		return err
	})
	return views, err
}

// Proposal implements [web.Queries].
func (s site) Proposal(ctx context.Context, uri syntax.ATURI) (*stratos.FeatureDefs_ProposalView, error) {
	out, err := told(s.getProposal(ctx, getProposalParams{URI: uri}))
	if err != nil {
		return nil, err
	}
	return &out.Proposal, nil
}

// Estimates implements [web.Queries].
func (s site) Estimates(ctx context.Context, q web.About) (*stratos.FeatureListEstimates_Output, error) {
	return told(s.listEstimates(ctx, listEstimatesParams{URI: q.URI, Limit: q.Limit, Cursor: q.Cursor}))
}

// Pledges implements [web.Queries].
func (s site) Pledges(ctx context.Context, q web.About) (*stratos.FeatureListPledges_Output, error) {
	return told(s.listPledges(ctx, aboutProposalParams(q)))
}

// Donations implements [web.Queries].
func (s site) Donations(ctx context.Context, q web.About) (*stratos.FeatureListDonations_Output, error) {
	return told(s.listDonations(ctx, aboutProposalParams(q)))
}

// Disputes implements [web.Queries].
func (s site) Disputes(ctx context.Context, q web.About) (*stratos.FeatureListDisputes_Output, error) {
	return told(s.listDisputes(ctx, aboutProposalParams(q)))
}

// Verifications implements [web.Queries].
func (s site) Verifications(ctx context.Context, q web.About) (*stratos.FeatureListVerifications_Output, error) {
	return told(s.listVerifications(ctx, aboutProposalParams(q)))
}

// Timeline implements [web.Queries].
func (s site) Timeline(ctx context.Context, q web.About) (*stratos.FeatureGetTimeline_Output, error) {
	return told(s.getTimeline(ctx, aboutProposalParams(q)))
}

// Project implements [web.Queries].
func (s site) Project(ctx context.Context, uri syntax.ATURI) (*stratos.ProjectDefs_ProjectView, error) {
	out, err := told(s.getProject(ctx, getProjectParams{URI: uri}))
	if err != nil {
		return nil, err
	}
	return &out.Project, nil
}

// Projects implements [web.Queries].
func (s site) Projects(ctx context.Context, q web.ProjectsQuery) (*stratos.ProjectListProjects_Output, error) {
	return told(s.listProjects(ctx, listProjectsParams{Owner: q.Owner, Limit: q.Limit, Cursor: q.Cursor}))
}

// Actor implements [web.Queries].
func (s site) Actor(ctx context.Context, actor syntax.AtIdentifier) (*stratos.ActorDefs_ProfileView, error) {
	out, err := told(s.getActor(ctx, getActorParams{Actor: actor}))
	if err != nil {
		return nil, err
	}
	return &out.Actor, nil
}

// Stats implements [web.Queries]. No page waits for numbers while there are older ones.
func (s site) Stats(ctx context.Context) (*stratos.GetStats_Output, error) {
	return told(s.stats.seen(ctx, s.store.Now, s.countStats))
}

// Record implements [web.Queries]. Records of hidden accounts are not found.
func (s site) Record(ctx context.Context, uri syntax.ATURI) (*stratos.FeatureDefs_RecordView, error) {
	var view *stratos.FeatureDefs_RecordView
	err := s.store.Read(ctx, func(r *store.Reader) error {
		resolved, err := recordURI(ctx, r, uri)
		if err != nil {
			return err
		}
		f := newFacts()
		if err := f.loadRecords(ctx, r, []syntax.ATURI{resolved}); err != nil {
			return err
		}
		if view = f.recordView(resolved); view == nil {
			return errRecordNotFound
		}
		return nil
	})
	return told(view, err)
}

// Statement implements [web.Queries].
func (s site) Statement(ctx context.Context, escrow syntax.DID) (*stratos.FeatureDefs_RecordView, error) {
	var view *stratos.FeatureDefs_RecordView
	err := s.store.Read(ctx, func(r *store.Reader) error {
		uri, err := r.NewestStatement(ctx, escrow)
		if errors.Is(err, store.ErrNotFound) {
			return errStatementNotFound
		}
		if err != nil {
			return err
		}
		f := newFacts()
		if err := f.loadRecords(ctx, r, []syntax.ATURI{uri}); err != nil {
			return err
		}
		if view = f.recordView(uri); view == nil {
			return errStatementNotFound
		}
		return nil
	})
	return told(view, err)
}
