package oracle

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/store"
)

// held is what an index says of one repository.
type held struct {
	status  store.AccountStatus
	state   store.RepoState
	rev     syntax.TID
	sweptAt time.Time
	// records: uri and CID of each, sorted.
	records []string
}

// snapshot is what an index holds at one moment.
type snapshot struct {
	repos   map[syntax.DID]*held
	cursors map[string]int64 // by the URL of the upstream
}

// read takes what the index holds.
func (db database) read(ctx context.Context) (snapshot, error) {
	out := snapshot{map[syntax.DID]*held{}, map[string]int64{}}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return out, fmt.Errorf("oracle: read the index: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	repos, err := query(ctx, tx, `SELECT did, status, state, coalesce(rev, ''), swept_at FROM repo`)
	if err != nil {
		return out, err
	}
	for _, r := range repos {
		sweptAt, err := integer(r[4])
		if err != nil {
			return out, err
		}
		out.repos[syntax.DID(r[0])] = &held{
			status: store.AccountStatus(r[1]), state: store.RepoState(r[2]), rev: syntax.TID(r[3]), sweptAt: time.UnixMilli(sweptAt),
		}
	}
	cursors, err := query(ctx, tx, `SELECT upstream, seq FROM cursor`)
	if err != nil {
		return out, err
	}
	for _, r := range cursors {
		if out.cursors[r[0]], err = integer(r[1]); err != nil {
			return out, err
		}
	}
	records, err := query(ctx, tx, `SELECT did, uri, cid, coalesce(invalid, '') FROM record ORDER BY uri`)
	if err != nil {
		return out, err
	}
	for _, r := range records {
		h := out.repos[syntax.DID(r[0])]
		if h == nil {
			return out, fmt.Errorf("oracle: the record %s has no repo", r[1])
		}
		h.records = append(h.records, r[1]+" "+r[2]+" "+r[3])
	}
	return out, nil
}

// integer reads what query gave as text.
func integer(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("oracle: read a number of the index: %w", err)
	}
	return n, nil
}

// expect lists what an index should hold of a state, as read gives it.
func (a *account) expect(rev syntax.TID) []string {
	var out []string
	for _, e := range a.history[rev].records {
		if e.ours() {
			out = append(out, uri(a.DID, e.collection(), e.rkey())+" "+e.cid.String()+" "+string(e.invalid))
		}
	}
	slices.Sort(out)
	return out
}

// checkAlways says what must hold at any moment, whatever is still under way:
// the index holds of each repository exactly what the account signed at the rev
// that the index says, and that rev never goes back; and what the cursor passed
// is there, or known to be missing. Nothing is believed, not even for a moment.
func (w *World) checkAlways(ctx context.Context, db database) ([]string, error) {
	index, err := db.read(ctx)
	if err != nil {
		return nil, err
	}
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	wrong := w.forgotten(index)
	for _, did := range sorted(setOf(index.repos)) {
		h, a := index.repos[did], w.net.byDID[did]
		switch {
		case a == nil:
			wrong = append(wrong, fmt.Sprintf("repo: %s is nobody", did))
		case h.status == store.AccountDeleted:
			wrong = append(wrong, difference("record (deleted account)", nil, h.records)...)
			if a.status != store.AccountDeleted {
				wrong = append(wrong, fmt.Sprintf("repo: %s was never deleted", did))
			}
		default:
			if _, ok := a.history[h.rev]; h.rev != "" && !ok {
				wrong = append(wrong, fmt.Sprintf("repo: %s never was at %s", did, h.rev))
			}
			if a.changes == 0 && !a.slandered && h.status != store.AccountActive {
				wrong = append(wrong, fmt.Sprintf("repo: %s (%s) is %s, which nobody said who may", did, a.handle, h.status))
			}
			// Whoever tells that a deleted account is back does not bring its records.
			if !a.purged(h) {
				wrong = append(wrong, difference(fmt.Sprintf("record at rev %q", h.rev), a.expect(h.rev), h.records)...)
			}
			if h.rev < w.reached[did] {
				wrong = append(wrong, fmt.Sprintf("repo: %s went back from %s to %s", did, w.reached[did], h.rev))
			}
			w.reached[did] = h.rev
		}
	}
	return wrong, nil
}

// purged: the account is gone, and so are its records, whatever is told of it.
func (a *account) purged(h *held) bool {
	return a.status == store.AccountDeleted && len(h.records) == 0
}

// checkEnd says what must hold when all is well again and nothing is under way:
// each repository with records of ours is there, and where its account left it.
func (w *World) checkEnd(ctx context.Context, db database) ([]string, error) {
	index, err := db.read(ctx)
	if err != nil {
		return nil, err
	}
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	var wrong []string
	for _, a := range w.net.accounts {
		h := index.repos[a.DID]
		if h == nil {
			if len(a.expect(a.Rev)) > 0 && a.status == store.AccountActive {
				wrong = append(wrong, fmt.Sprintf("repo: %s (%s) is not known", a.DID, a.handle))
			}
			continue
		}
		if h.status != a.status && !w.mayBeHidden(a, h) && !w.mayHaveMissed(a, h) {
			wrong = append(wrong, fmt.Sprintf("repo: %s (%s) is %s, not %s", a.DID, a.handle, a.status, h.status))
		}
		if a.status == store.AccountActive && h.rev != a.Rev {
			wrong = append(wrong, fmt.Sprintf("repo: %s (%s) is at %s, not %s", a.DID, a.handle, a.Rev, h.rev))
		}
	}
	handles, err := query(ctx, db, `SELECT did, coalesce(handle, '') FROM actor`)
	if err != nil {
		return nil, err
	}
	for _, h := range handles {
		want := syntax.HandleInvalid
		if a := w.net.byDID[syntax.DID(h[0])]; a != nil && a.proven {
			want = a.handle
		}
		if h[1] != want.String() {
			wrong = append(wrong, fmt.Sprintf("actor: %s is %s, not %q", h[0], want, h[1]))
		}
	}
	return wrong, nil
}

// mayBeHidden: of a deleted account whose deletion the stream could not tell,
// the index only knows that its PDS has it no more. That hides it. So it is with
// one that was deleted before the index began to follow it.
func (w *World) mayBeHidden(a *account, h *held) bool {
	if a.status != store.AccountDeleted || h.status != store.AccountDeactivated {
		return false
	}
	return h.rev == "" || slices.ContainsFunc(w.voices, func(v *voice) bool { return v.lost[a.DID] })
}

// mayHaveMissed: who came without a cursor missed what was told before.
func (w *World) mayHaveMissed(a *account, h *held) bool {
	blind := slices.ContainsFunc(w.voices, func(v *voice) bool { return v.relay.blind })
	return a.status == store.AccountDeleted && h.status == store.AccountDeactivated && blind
}
