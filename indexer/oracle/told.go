package oracle

import (
	"fmt"
	"slices"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/bluesky-social/indigo/events"
	"github.com/bluesky-social/indigo/lex/util"

	"github.com/stratosfund/stratosfund/indexer/store"
)

// told is an honest word of a relay about an account. An index whose cursor
// passed it must know at least that.
type told struct {
	seq  int64
	did  syntax.DID
	rev  syntax.TID // of a commit or sync
	ours bool       // the commit touches a collection of ours
	// changes is of an account message: the count of the account's changes.
	changes int
	account bool
}

// tell sends an event as it happened.
func (r *Relay) tell(a *account, ev *events.XRPCStreamEvent) {
	r.send(ev)
	t := told{seq: r.head, did: a.DID}
	switch {
	case ev.RepoCommit != nil:
		t.rev = syntax.TID(ev.RepoCommit.Rev)
		for _, op := range ev.RepoCommit.Ops {
			t.ours = t.ours || entry{path: op.Path}.ours()
		}
	case ev.RepoSync != nil:
		t.rev = syntax.TID(ev.RepoSync.Rev)
	case ev.RepoAccount != nil:
		t.account, t.changes = true, a.changes
	default:
		return
	}
	r.told = append(r.told, t)
}

// unheard takes back what a consumer never got: the numbers after one, up to
// the other.
func (r *Relay) unheard(after, upTo int64) {
	r.told = slices.DeleteFunc(r.told, func(t told) bool { return t.seq > after && t.seq <= upTo })
}

// owe notes where every account is, at the moment at which an index learns that
// it lost track: it must find that without being told.
func (n *Network) owe() {
	for _, a := range n.accounts {
		a.owed = a.Rev
	}
}

// heard lists what the relays told honestly up to the cursors of the index.
func (w *World) heard(cursors map[string]int64) []told {
	var out []told
	for _, v := range w.voices {
		cursor, known := cursors[v.relay.URL()]
		if !known || !v.relay.met {
			continue // the cursor is of a sequence that is gone
		}
		for _, t := range v.relay.told {
			if t.seq <= cursor {
				out = append(out, t)
			}
		}
	}
	return out
}

// forgotten lists what the cursor claims to be in the index, and what neither
// is there nor known to be missing.
func (w *World) forgotten(index snapshot) []string {
	var wrong []string
	for _, t := range w.heard(index.cursors) {
		a, h := w.net.byDID[t.did], index.repos[t.did]
		switch {
		case t.account:
		case h == nil:
			// A commit that a later key cannot prove is no reason to begin.
			if t.ours && !a.rekeyed {
				wrong = append(wrong, fmt.Sprintf("repo: %s (%s) is not known, although %d told its commit %s", t.did, a.handle, t.seq, t.rev))
			}
		case h.status == store.AccountDeleted, h.state == store.RepoDesynchronized:
		case h.rev < t.rev && t.rev > a.excused:
			wrong = append(wrong, fmt.Sprintf("repo: %s (%s) is in step at %s, although %d told %s", t.did, a.handle, h.rev, t.seq, t.rev))
		}
	}
	return wrong
}

// putOff reports whether a repository that was swept so long ago, it says, is one
// whose PDS failed: it is asked again some minutes later, and not a day.
func putOff(since time.Duration) bool { return since > 23*time.Hour+30*time.Minute }

// checkTold says what must hold when nothing is left to do now, while no day
// has passed and the process goes on: whatever was told last about an account,
// or must have been looked for, is in the index. An account of which nobody
// told, or whose PDS failed and will be asked later, is not judged.
func (w *World) checkTold(index snapshot) (judged int, wrong []string) {
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	wrong = w.forgotten(index)
	now := w.net.clock.Now()
	revs, statuses := map[syntax.DID]syntax.TID{}, map[syntax.DID]int{}
	for _, t := range w.heard(index.cursors) {
		revs[t.did] = max(revs[t.did], t.rev)
		statuses[t.did] = max(statuses[t.did], t.changes)
	}
	for _, a := range w.net.accounts {
		h := index.repos[a.DID]
		if h == nil || putOff(now.Sub(h.sweptAt)) {
			continue
		}
		// What a PDS says is only taken once the directory said that the account
		// is there; if that failed, the account waits to be fetched.
		unproven := w.voices[0].relay.pds != nil && h.state == store.RepoDesynchronized
		if statuses[a.DID] == a.changes && !unproven {
			judged++
			if h.status != a.status && !w.mayBeHidden(a, h) {
				wrong = append(wrong, fmt.Sprintf("repo: %s (%s) was told to be %s, not %s", a.DID, a.handle, a.status, h.status))
			}
		}
		must := max(revs[a.DID], a.owed)
		if must == "" || must <= a.excused || h.status != store.AccountActive || h.state == store.RepoDesynchronized {
			continue // hidden ones are not fetched, and the others wait
		}
		judged++
		if h.rev < must {
			wrong = append(wrong, fmt.Sprintf("repo: %s (%s) is at %s, and must know %s", a.DID, a.handle, h.rev, must))
		}
	}
	return judged, wrong
}

// tellNothing says that something happened, and not what: whoever follows the
// account must look.
func (w *World) tellNothing(a *account) {
	if a.Rev == "" {
		return
	}
	w.tell(a, &events.XRPCStreamEvent{RepoCommit: &comatproto.SyncSubscribeRepos_Commit{
		Repo: a.DID.String(), Rev: a.Rev.String(), Time: stamp(w.net.clock.Now()), TooBig: true,
		Commit: util.LexLink(a.Commit.CID), Ops: []*comatproto.SyncSubscribeRepos_RepoOp{}, Blobs: []util.LexLink{},
	}})
}

// checkAgain says what must hold after [run.tellAgain]: whatever the index
// follows is right, and was fetched from where it is.
func (w *World) checkAgain(index snapshot) (judged int, wrong []string) {
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	if w.net.astray > 0 {
		wrong = append(wrong, fmt.Sprintf("repo: asked %d times for one where it is not", w.net.astray))
	}
	for _, a := range w.net.accounts {
		h := index.repos[a.DID]
		if h == nil || !w.spoken(a) {
			continue
		}
		judged++
		if h.status != a.status {
			wrong = append(wrong, fmt.Sprintf("repo: %s (%s) is %s, not %s", a.DID, a.handle, a.status, h.status))
		}
		if a.status == store.AccountActive && (h.rev != a.Rev || h.state != store.RepoSynchronized) {
			wrong = append(wrong, fmt.Sprintf("repo: %s (%s) is at %s, not %s at %q", a.DID, a.handle, a.Rev, h.state, h.rev))
		}
	}
	return judged, wrong
}
