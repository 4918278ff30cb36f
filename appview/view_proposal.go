package appview

import (
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// proposalBasic is the view of a proposal in lists; ok is false for one that is
// not visible.
func (f *facts) proposalBasic(uri syntax.ATURI) (view stratos.FeatureDefs_ProposalViewBasic, ok bool) {
	rec, found := f.records[uri]
	state := f.states[uri]
	if !found || state == nil {
		return view, false
	}
	return stratos.FeatureDefs_ProposalViewBasic{
		Uri:       uri.String(),
		Cid:       rec.CID.String(),
		Author:    f.profile(rec.Author),
		Record:    rec.json,
		IndexedAt: datetime(rec.IndexedAt),
		Stage:     string(state.Stage.Stage),
		Next:      nextView(state.Stage.Next),
		Funding:   fundingViews(state.Funding),
		Project:   f.projectBasic(f.projects[uri]),
		Account:   f.account(state.Subject.Account),
		Viewer:    f.viewer.basic(uri),
	}, true
}

// proposal is the full view: the basic one, and what detail brings.
func (f *facts) proposal(uri syntax.ATURI, d *detail, policy lifecycle.Policy) (view stratos.FeatureDefs_ProposalView, ok bool, err error) {
	basic, ok := f.proposalBasic(uri)
	if !ok || d == nil {
		return view, false, nil
	}
	view = stratos.FeatureDefs_ProposalView{
		Uri: basic.Uri, Cid: basic.Cid, Author: basic.Author, Record: basic.Record, IndexedAt: basic.IndexedAt,
		Stage: basic.Stage, Next: basic.Next, Funding: basic.Funding, Project: basic.Project, Account: basic.Account,
		Warnings: []stratos.FeatureDefs_Warning{},
	}
	for _, a := range d.attempts {
		v, ok := f.attempt(a, policy)
		if !ok {
			continue
		}
		if v.Current {
			view.Attempt = &v
		}
		view.Attempts = append(view.Attempts, v)
	}
	for _, duplicate := range d.duplicates {
		if v := f.recordView(duplicate); v != nil {
			view.Duplicates = append(view.Duplicates, *v)
		}
	}
	for _, w := range d.warnings {
		view.Warnings = append(view.Warnings, warningView(w))
	}
	view.Answer, err = f.answer(d.answer)
	return view, true, err
}

func (f *facts) answer(r *lifecycle.Response) (*stratos.FeatureDefs_AnswerView, error) {
	if r == nil {
		return nil, nil
	}
	response, err := readRecord[stratos.WorkResponse](f, r.URI)
	if err != nil || response == nil {
		return nil, err
	}
	rec := f.records[r.URI]
	return &stratos.FeatureDefs_AnswerView{
		Uri: r.URI.String(), Cid: rec.CID.String(), Author: f.profile(rec.Author), Record: rec.json,
		IndexedAt: datetime(rec.IndexedAt), Answer: response.Answer, DuplicateOf: response.DuplicateOf,
	}, nil
}

func (f *facts) recordView(uri syntax.ATURI) *stratos.FeatureDefs_RecordView {
	rec, ok := f.records[uri]
	if !ok {
		return nil
	}
	return &stratos.FeatureDefs_RecordView{
		Uri: uri.String(), Cid: rec.CID.String(), Record: rec.json, IndexedAt: datetime(rec.IndexedAt),
	}
}

func (f *facts) account(did syntax.DID) *stratos.ActorDefs_ProfileBasic {
	if did == "" {
		return nil
	}
	p := f.profile(did)
	return &p
}

func datetime(t time.Time) string { return t.UTC().Format(syntax.AtprotoDatetimeLayout) }
