package appview

import (
	"encoding/json"
	"fmt"
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
		Project:   f.projectBasic(state.Subject.Project),
		Account:   f.account(state.Subject.Account),
	}, true
}

// proposal is the full view: the basic one, and what detail brings.
func (f *facts) proposal(uri syntax.ATURI, d *detail, policy lifecycle.Policy) (view stratos.FeatureDefs_ProposalView, ok bool, err error) {
	basic, ok := f.proposalBasic(uri)
	if !ok {
		return view, false, nil
	}
	view = stratos.FeatureDefs_ProposalView{
		Uri: basic.Uri, Cid: basic.Cid, Author: basic.Author, Record: basic.Record, IndexedAt: basic.IndexedAt,
		Stage: basic.Stage, Next: basic.Next, Funding: basic.Funding, Project: basic.Project, Account: basic.Account,
		Warnings: []stratos.FeatureDefs_Warning{},
	}
	current := f.states[uri].Stage.Attempt
	for _, a := range d.attempts {
		if !a.Authorized {
			continue
		}
		dev, ok := d.developments[a.URI]
		if !ok {
			continue
		}
		v := f.attempt(a, dev, policy)
		if v.Current = a.URI == current; v.Current {
			view.Attempt = &v
			view.Warnings = append(view.Warnings, attemptWarnings(v, dev, basic.Cid)...)
		}
		view.Attempts = append(view.Attempts, v)
	}
	view.Answer, err = f.answer(d.answer)
	return view, true, err
}

// attempt is the view of one attempt.
func (f *facts) attempt(a lifecycle.AttemptState, dev stratos.WorkDevelopment, policy lifecycle.Policy) stratos.FeatureDefs_AttemptView {
	rec := f.records[a.URI]
	v := stratos.FeatureDefs_AttemptView{
		Uri:        a.URI.String(),
		Cid:        rec.CID.String(),
		Author:     f.profile(rec.Author),
		Record:     rec.json,
		IndexedAt:  datetime(rec.IndexedAt),
		Authorized: a.Authorized,
		Over:       a.Over,
		Escrow:     dev.Escrow,
		Trusted:    policy.Trusts(syntax.DID(dev.Escrow)),
		Currency:   dev.Currency,
		Payees:     f.payees(a, dev),
	}
	if a.Preview != nil {
		v.Preview = f.recordView(a.Preview.URI)
		opens, closes := datetime(a.Preview.OpensAt), datetime(a.Preview.ClosesAt)
		v.OpensAt, v.ClosesAt = &opens, &closes
	}
	if a.Release != nil {
		v.Release = f.recordView(a.Release.URI)
	}
	if a.Cancellation != nil {
		v.Cancellation = f.recordView(a.Cancellation.URI)
	}
	return v
}

// attemptWarnings says what does not fit together in the current attempt.
func attemptWarnings(v stratos.FeatureDefs_AttemptView, dev stratos.WorkDevelopment, proposalCID string) []stratos.FeatureDefs_Warning {
	if dev.Proposal.Cid == proposalCID {
		return nil
	}
	return []stratos.FeatureDefs_Warning{{
		Code: "cid-mismatch", Uri: &v.Uri,
		Message: "The development was announced for an earlier version of the proposal.",
	}}
}

// payees lists who would get the money: without a list, the author all of it.
func (f *facts) payees(a lifecycle.AttemptState, dev stratos.WorkDevelopment) []stratos.FeatureDefs_PayeeView {
	if len(dev.Payees) == 0 {
		return []stratos.FeatureDefs_PayeeView{{Actor: f.profile(a.Author), Share: wholeShare, Consented: true}}
	}
	consented := map[string]bool{a.Author.String(): true}
	for _, did := range a.Consents {
		consented[did.String()] = true
	}
	out := make([]stratos.FeatureDefs_PayeeView, 0, len(dev.Payees))
	for _, p := range dev.Payees {
		out = append(out, stratos.FeatureDefs_PayeeView{
			Actor: f.profile(syntax.DID(p.Did)), Share: p.Share, Consented: consented[p.Did],
		})
	}
	return out
}

// wholeShare is all of the money in basis points.
const wholeShare = 10_000

func (f *facts) answer(r *lifecycle.Response) (*stratos.FeatureDefs_AnswerView, error) {
	if r == nil {
		return nil, nil
	}
	rec, ok := f.records[r.URI]
	if !ok {
		return nil, nil
	}
	var response stratos.WorkResponse
	if err := json.Unmarshal(rec.json, &response); err != nil {
		return nil, fmt.Errorf("appview: read %s: %w", r.URI, err)
	}
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

func nextView(n *lifecycle.Next) *stratos.FeatureDefs_Next {
	if n == nil {
		return nil
	}
	at := datetime(n.At)
	v := &stratos.FeatureDefs_Next{Event: string(n.Event), At: &at}
	if text, ok := nextText[n.Event]; ok {
		v.Description = &text
	}
	return v
}

// nextText says for people what the clock brings.
var nextText = map[lifecycle.NextEvent]string{
	lifecycle.NextPreviewOpens:  "The announced public preview opens.",
	lifecycle.NextAttemptLapses: "The attempt is over unless its developer gives a sign of life.",
}

// fundingViews shows funding by currency. What is pledged, donated, released and
// refunded comes from receipts of escrows and is nothing before a campaign.
func fundingViews(funding []lifecycle.Funding) []stratos.FeatureDefs_Funding {
	out := make([]stratos.FeatureDefs_Funding, 0, len(funding))
	for _, f := range funding {
		out = append(out, stratos.FeatureDefs_Funding{
			Currency:         string(f.Currency),
			Estimated:        f.Estimated,
			Estimators:       f.Estimators,
			EstimatedProven:  f.EstimatedProven,
			EstimatorsProven: f.EstimatorsProven,
			Pending:          f.Pending,
			Goal:             f.Goal,
		})
	}
	return out
}

func datetime(t time.Time) string { return t.UTC().Format(syntax.AtprotoDatetimeLayout) }
