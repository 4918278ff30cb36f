package store

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// peer is a repository as its PDS has it.
type peer struct {
	did     syntax.DID
	rev     int
	data    string
	records map[syntax.ATURI]Record
}

// commit is the next commit of the repository.
func (p *peer) commit(puts []Record, deletes ...syntax.ATURI) Change {
	for _, r := range puts {
		p.records[r.URI()] = r
	}
	for _, uri := range deletes {
		delete(p.records, uri)
	}
	c := Change{Kind: ChangeCommit, DID: p.did, PrevData: p.data, Puts: puts, Deletes: deletes, Track: len(puts)+len(deletes) > 0}
	p.rev++
	p.data = fmt.Sprintf("root %d", p.rev)
	c.Rev, c.Data = tid(p.rev), p.data
	return c
}

// snapshot is the whole repository now.
func (p *peer) snapshot(wanted int64) Replacement {
	return Replacement{
		DID: p.did, Rev: tid(p.rev), Data: p.data, Wanted: wanted,
		Records: slices.Collect(maps.Values(p.records)),
	}
}

// world is a network of repositories and a store that follows it.
type world struct {
	t     tester
	s     *testStore
	seq   int64
	peers map[syntax.DID]*peer
	// behind: more changes always wait; somebody else drains.
	behind bool
}

func newWorld(t tester, s *testStore) *world {
	return &world{t: t, s: s, peers: map[syntax.DID]*peer{}}
}

// join returns the repository of an account, which the store follows.
func (w *world) join(did syntax.DID) *peer {
	w.t.Helper()
	if p := w.peers[did]; p != nil {
		return p
	}
	p := &peer{did: did, records: map[syntax.ATURI]Record{}}
	w.peers[did] = p
	c := p.commit(nil)
	c.Track = true
	w.want(OutcomeTracked, c)
	w.resync(did)
	return p
}

// apply gives changes to the store and drains what they made stale.
func (w *world) apply(changes ...Change) Applied {
	w.t.Helper()
	w.seq++
	write := w.s.Apply
	if w.behind {
		write = w.s.ApplyBehind
	}
	out, err := write(w.t.Context(), upstream, w.seq, changes)
	if err != nil {
		w.t.Fatalf("apply: %v", err)
	}
	if out.MoreStale && !w.behind {
		mustDrain(w.t, w.s)
	}
	return out
}

func (w *world) want(want Outcome, c Change) {
	w.t.Helper()
	if got := w.apply(c).Outcomes; len(got) != 1 || got[0] != want {
		w.t.Fatalf("%s of %s: outcomes %v, want %s", c.Kind, c.DID, got, want)
	}
}

// put commits each record to the repository that it belongs to.
func (w *world) put(records ...Record) {
	w.t.Helper()
	for _, r := range records {
		w.want(OutcomeApplied, w.join(r.DID).commit([]Record{r}))
	}
}

func (w *world) delete(uris ...syntax.ATURI) {
	w.t.Helper()
	for _, uri := range uris {
		w.want(OutcomeApplied, w.join(syntax.DID(uri.Authority())).commit(nil, uri))
	}
}

// status announces an account's status. One that comes back is fetched whole; of
// a deletion its PDS is asked.
func (w *world) status(did syntax.DID, status AccountStatus) {
	w.t.Helper()
	p := w.join(did)
	if status == AccountDeleted {
		clear(p.records)
	}
	w.apply(Change{Kind: ChangeAccount, DID: did, Status: status})
	switch status {
	case AccountActive:
		w.resync(did)
	case AccountDeleted:
		w.sweep(did, AccountDeleted, "")
	}
}

// sweep does what the sweep does for one account whose PDS gives that answer.
func (w *world) sweep(did syntax.DID, status AccountStatus, rev syntax.TID) (missed bool) {
	w.t.Helper()
	missed, err := w.s.Sweep(w.t.Context(), mustDueSweep(w.t, w.s, did), Swept{Status: status, Rev: rev})
	if err != nil {
		w.t.Fatalf("sweep %s: %v", did, err)
	}
	return missed
}

// resync does what the resyncer does for one account.
func (w *world) resync(did syntax.DID) (synchronized bool) {
	w.t.Helper()
	synchronized, more, err := w.s.ReplaceRepo(w.t.Context(), w.join(did).snapshot(w.wanted(did)))
	if err != nil {
		w.t.Fatalf("replace %s: %v", did, err)
	}
	if more {
		mustDrain(w.t, w.s)
	}
	return synchronized
}

func (w *world) wanted(did syntax.DID) int64 {
	w.t.Helper()
	row := w.row(did)
	return row.wanted
}

// row is what the store holds of a repository.
func (w *world) row(did syntax.DID) repoRow {
	w.t.Helper()
	var row repoRow
	err := w.s.update(w.t.Context(), "look", func(ctx context.Context, tx *tx) error {
		var ok bool
		var err error
		row, ok, err = tx.repo(w.t.Context(), did)
		if err == nil && !ok {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		w.t.Fatalf("read the repo of %s: %v", did, err)
	}
	return row
}

// indexed lists the uris that the store has of an account.
func (w *world) indexed(did syntax.DID) []syntax.ATURI {
	w.t.Helper()
	rows, err := collect(w.t.Context(), w.s.read, `SELECT uri FROM record WHERE did = $1 ORDER BY uri`, scanString, did)
	if err != nil {
		w.t.Fatalf("list the records of %s: %v", did, err)
	}
	out := make([]syntax.ATURI, len(rows))
	for i, uri := range rows {
		out[i] = syntax.ATURI(uri)
	}
	return out
}

// state is what was derived of a proposal; nil when it is not visible now.
func (w *world) state(uri syntax.ATURI) *ProposalState {
	w.t.Helper()
	var out *ProposalState
	mustRead(w.t, w.s, func(r *Reader) error {
		states, err := r.ProposalStates(w.t.Context(), []syntax.ATURI{uri})
		out = states[uri]
		return err
	})
	return out
}

// list returns the uris of a whole list of proposals.
func (w *world) list(f ProposalFilter) []syntax.ATURI {
	w.t.Helper()
	var out []syntax.ATURI
	mustRead(w.t, w.s, func(r *Reader) error {
		keys, err := r.ListProposals(w.t.Context(), f, nil, 1000)
		for _, k := range keys {
			out = append(out, k.URI)
		}
		return err
	})
	return out
}
