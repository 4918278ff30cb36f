package appview

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// facts are what views are made of: the rows that a skeleton needs, read in
// batches from one snapshot.
type facts struct {
	records map[syntax.ATURI]record
	states  map[syntax.ATURI]*store.ProposalState
	handles map[syntax.DID]syntax.Handle
}

// record is a stored record with its JSON, verbatim but for the encoding.
type record struct {
	store.RecordRow
	json json.RawMessage
}

func newFacts() *facts {
	return &facts{
		records: map[syntax.ATURI]record{},
		states:  map[syntax.ATURI]*store.ProposalState{},
		handles: map[syntax.DID]syntax.Handle{},
	}
}

// loadRecords adds records; those that are missing, invalid or hidden stay out.
func (f *facts) loadRecords(ctx context.Context, r *store.Reader, uris []syntax.ATURI) error {
	if len(uris) == 0 {
		return nil
	}
	rows, err := r.Records(ctx, uris)
	if err != nil {
		return err
	}
	for uri, row := range rows {
		b, err := asJSON(row)
		if err != nil {
			return err
		}
		f.records[uri] = record{RecordRow: row, json: b}
	}
	return nil
}

// loadHandles adds the handles of all accounts that the views name.
func (f *facts) loadHandles(ctx context.Context, r *store.Reader, more ...syntax.DID) error {
	set := map[syntax.DID]bool{}
	for _, did := range more {
		set[did] = true
	}
	for _, rec := range f.records {
		set[rec.Author] = true
	}
	for _, s := range f.states {
		if s.Subject.Account != "" {
			set[s.Subject.Account] = true
		}
	}
	dids := make([]syntax.DID, 0, len(set))
	for did := range set {
		dids = append(dids, did)
	}
	handles, err := r.Handles(ctx, dids)
	if err != nil {
		return err
	}
	f.handles = handles
	return nil
}

// hydrateProposals reads what the basic views of proposals need: five
// statements, whatever their number.
func hydrateProposals(ctx context.Context, r *store.Reader, uris []syntax.ATURI) (*facts, error) {
	f, err := loadProposals(ctx, r, uris)
	if err != nil {
		return nil, err
	}
	return f, f.loadHandles(ctx, r)
}

// loadProposals is hydrateProposals without the handles, for views that name more
// accounts.
func loadProposals(ctx context.Context, r *store.Reader, uris []syntax.ATURI) (*facts, error) {
	f := newFacts()
	var err error
	if f.states, err = r.ProposalStates(ctx, uris); err != nil {
		return nil, err
	}
	needed := append([]syntax.ATURI(nil), uris...)
	for _, s := range f.states {
		if s.Subject.Project != "" {
			needed = append(needed, s.Subject.Project)
		}
	}
	return f, f.loadRecords(ctx, r, needed)
}

// profile names an account. Without a proven handle it is shown with
// handle.invalid, as everywhere in atproto.
func (f *facts) profile(did syntax.DID) stratos.ActorDefs_ProfileBasic {
	handle, ok := f.handles[did]
	if !ok {
		handle = syntax.HandleInvalid
	}
	return stratos.ActorDefs_ProfileBasic{Did: did.String(), Handle: handle.String()}
}

// detail is what the full view of one proposal needs beside the basic facts.
type detail struct {
	lifecycle.Facts
	attempts     []lifecycle.AttemptState
	developments map[syntax.ATURI]stratos.WorkDevelopment
	answer       *lifecycle.Response
}

// loadDetail gathers the rest of a proposal and the records that its full view
// shows.
func (f *facts) loadDetail(ctx context.Context, r *store.Reader, uri syntax.ATURI) (*detail, error) {
	lf, err := r.Facts(ctx, uri)
	if err != nil {
		return nil, err
	}
	d := &detail{Facts: lf, attempts: lifecycle.AttemptsAt(lf, r.Now())}
	var needed []syntax.ATURI
	for _, a := range d.attempts {
		needed = append(needed, a.URI)
		if a.Preview != nil {
			needed = append(needed, a.Preview.URI)
		}
		if a.Release != nil {
			needed = append(needed, a.Release.URI)
		}
		if a.Cancellation != nil {
			needed = append(needed, a.Cancellation.URI)
		}
	}
	if answer, ok := lifecycle.AnswerAt(lf, r.Now()); ok {
		d.answer = &answer
		needed = append(needed, answer.URI)
	}
	if err := f.loadRecords(ctx, r, needed); err != nil {
		return nil, err
	}
	d.developments = make(map[syntax.ATURI]stratos.WorkDevelopment, len(d.attempts))
	for _, a := range d.attempts {
		rec, ok := f.records[a.URI]
		if !ok {
			continue
		}
		var dev stratos.WorkDevelopment
		if err := json.Unmarshal(rec.json, &dev); err != nil {
			return nil, fmt.Errorf("appview: read %s: %w", a.URI, err)
		}
		d.developments[a.URI] = dev
	}
	return d, nil
}

// payees lists the accounts that the attempts would pay.
func (d *detail) payees() []syntax.DID {
	var out []syntax.DID
	for _, dev := range d.developments {
		for _, p := range dev.Payees {
			out = append(out, syntax.DID(p.Did))
		}
	}
	return out
}
