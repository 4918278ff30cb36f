package oracle

import (
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/bluesky-social/indigo/events"

	"github.com/stratosfund/stratosfund/indexer/atmosphere/simulated"
	"github.com/stratosfund/stratosfund/indexer/store"
)

// outage is how many connections in a row a relay refuses: enough for the next
// one to take over.
const outage = 6

// Act lets one thing happen.
func (w *World) Act() {
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	a := pick(w.dice, w.net.accounts)
	if back := w.flickers; back != nil {
		w.flickers = nil
		w.setStatus(back, store.AccountActive)
		return
	}
	if a.status == store.AccountDeleted {
		if w.one(10) {
			pick(w.dice, w.voices).raise(a)
		}
		return
	}
	if a.status != store.AccountActive {
		if w.one(3) {
			w.setStatus(a, store.AccountActive)
		}
		return
	}
	switch n := w.IntN(100); {
	case n < 47:
		w.write(a, 1)
	case n < 52:
		w.revert(a)
	case n < 60:
		w.write(a, 2+w.IntN(6))
	case n < 68:
		w.delete(a)
	case n < 72:
		w.setStatus(a, pick(w.dice, []store.AccountStatus{store.AccountDeactivated, store.AccountTakendown, store.AccountSuspended}))
		if w.one(2) && a.ours {
			// Whoever asks is told when it is no longer so; who is careful asks
			// twice before hiding anybody.
			a.late = 2
			w.flickers = a
		}
	case n < 73:
		w.setStatus(a, store.AccountDeleted)
	case n < 76:
		w.rotate(a)
	case n < 79:
		w.move(a)
	case n < 82:
		w.rename(a)
	case n < 84:
		w.resign(a)
	case n < 86:
		w.rewrite(a)
	case n < 91:
		host := pick(w.dice, w.net.hosts)
		host.armed = append(host.armed, w.pdsFault())
		w.note("%s is armed: %s", host.name, host.armed[len(host.armed)-1])
	case n < 94:
		w.net.plc.armed = append(w.net.plc.armed, pick(w.dice, plcFaults))
		w.note("the directory is armed")
	case n < 97:
		if len(w.voices) > 1 && w.one(2) {
			w.voices[0].relay.refuses = outage
		}
		if v := pick(w.dice, w.voices); v.relay.conns > 0 {
			w.fire(FaultDrop, a)
			v.relay.drop()
		}
	case n < 98:
		pick(w.dice, w.voices).restart(a)
	case n < 99:
		if v := pick(w.dice, w.voices); v.relay.forget(w.IntN(5)) {
			w.fire(FaultForget, a)
			v.loseAll()
		}
	default:
		w.leap(time.Duration(w.IntN(3)) * 40 * time.Minute)
	}
	if w.one(6) {
		pick(w.dice, w.voices).release(pick(w.dice, w.net.accounts))
	}
	if w.one(8) {
		w.surf()
	}
}

// pdsFault picks a fault; a flood costs more time than the others, and so is
// rare.
func (w *World) pdsFault() Fault {
	if f := pick(w.dice, pdsFaults); f != FaultPDSEndless || w.one(4) {
		return f
	}
	return FaultPDSError
}

// write makes one commit of several operations.
func (w *World) write(a *account, ops int) {
	w.writer.now = w.net.clock.Now()
	var edits []edit
	taken := map[string]bool{}
	for range ops {
		e := w.writer.write(a.DID)
		if w.foreigner(a) {
			e = w.writer.foreign()
		}
		if taken[e.path] {
			continue
		}
		taken[e.path] = true
		edits = append(edits, edit{e})
	}
	if old, ok := w.someRecord(a); ok && ops > 1 && !taken[old] {
		edits = append(edits, edit{entry{path: old}})
	}
	w.stow(a)
	w.commit(a, edits...)
}

func (w *World) someRecord(a *account) (path string, ok bool) {
	paths := sorted(setOf(a.records))
	if len(paths) == 0 {
		return "", false
	}
	return pick(w.dice, paths), true
}

func (w *World) delete(a *account) {
	if path, ok := w.someRecord(a); ok {
		w.commit(a, edit{entry{path: path}})
	}
}

// revert takes the repository back to what it held a few commits ago, under a
// new rev. An old commit seems to follow then.
func (w *World) revert(a *account) {
	revs := sorted(setOf(a.history))
	if len(revs) < 2 {
		return
	}
	const few = 3
	before := a.history[pick(w.dice, revs[max(0, len(revs)-1-few):len(revs)-1])].records
	var edits []edit
	for _, path := range sorted(setOf(a.records)) {
		if _, ok := before[path]; !ok {
			edits = append(edits, edit{entry{path: path}})
		}
	}
	for _, path := range sorted(setOf(before)) {
		if e := before[path]; a.records[path].cid != e.cid {
			edits = append(edits, edit{e})
		}
	}
	if len(edits) == 0 {
		return
	}
	w.commit(a, edits...)
	if w.one(2) {
		pick(w.dice, w.voices).replay(a)
	}
}

// stow keeps the repository as it is, for a PDS that answers from a stale copy.
func (w *World) stow(a *account) {
	if a.Rev != "" && w.one(4) {
		a.older = simulated.MakeCAR(a.Commit.CID, a.Snapshot()...)
	}
}

func (w *World) setStatus(a *account, status store.AccountStatus) {
	a.status = status
	a.changes++
	w.note("%s is %s", a.handle, status)
	if status == store.AccountDeleted {
		a.records = contents{}
	}
	w.tellAccount(a)
}

func (w *World) rotate(a *account) {
	a.Key, a.rekeyed = w.dice.key(), true
	w.note("%s has a new key", a.handle)
	w.tellIdentity(a)
	// Its repository is signed anew: what the old key signed proves nothing.
	w.resign(a)
}

// move takes the account to another PDS, which signs with a key of its own. A
// PDS that no relay follows yet is heard by nobody.
func (w *World) move(a *account) {
	if w.one(3) {
		w.moveUnheard(a)
		return
	}
	if w.settleElsewhere(a) {
		w.tellIdentity(a)
		w.tellAccount(a)
		w.resign(a)
	}
}

func (w *World) moveUnheard(a *account) {
	if !w.settleElsewhere(a) {
		return
	}
	w.fire(FaultSilentMove, a)
	w.lose(a)
	if a.Rev != "" {
		w.mustSign(a)
	}
}

// settleElsewhere is a move that is not told yet; false when the account stays.
func (w *World) settleElsewhere(a *account) bool {
	from, to := a.host, pick(w.dice, w.net.hosts)
	if from == to {
		return false
	}
	a.host = to
	from.left[a.DID] = true
	delete(to.left, a.DID)
	a.Key, a.rekeyed = w.dice.key(), true
	w.note("%s moves from %s to %s", a.handle, from.name, to.name)
	return true
}

// resign signs the same tree anew and says so by a #sync.
func (w *World) resign(a *account) {
	if a.Rev == "" {
		return
	}
	w.mustSign(a)
	w.note("%s is at %s (sync)", a.handle, a.Rev)
	w.tell(a, &events.XRPCStreamEvent{RepoSync: a.Sync(w.net.clock.Now())})
}

func (w *World) mustSign(a *account) {
	if err := a.resign(w.net.clock.Now()); err != nil {
		panic(err) // the simulation is broken
	}
}

// rewrite changes the repository without a commit on the stream: at most a
// #sync tells about it.
func (w *World) rewrite(a *account) {
	w.writer.now = w.net.clock.Now()
	e := w.writer.write(a.DID)
	if w.foreigner(a) {
		e = w.writer.foreign()
	}
	if _, err := a.apply(w.net.clock.Now(), edit{e}); err != nil {
		panic(err) // the simulation is broken
	}
	w.note("%s is rewritten to %s: %s", a.handle, a.Rev, e.path)
	w.lose(a)
	if !w.one(3) {
		w.tell(a, &events.XRPCStreamEvent{RepoSync: a.Sync(w.net.clock.Now())})
	}
}

func (w *World) rename(a *account) {
	a.handle = syntax.Handle(w.letters()[:8] + ".test")
	a.proven = !w.one(4)
	w.note("%s is the new name of %s", a.handle, a.DID)
	w.tellIdentity(a)
}

// restart gives the relay a new sequence. What its backlog held is gone, and
// consumers that were behind never get it.
func (v *voice) restart(a *account) {
	v.fire(FaultRestart, a)
	v.relay.restart()
	v.loseAll()
}

func (v *voice) loseAll() {
	for _, a := range v.net.accounts {
		v.lost[a.DID] = true
	}
}

func setOf[K comparable, V any](m map[K]V) map[K]bool {
	out := make(map[K]bool, len(m))
	for k := range m {
		out[k] = true
	}
	return out
}

// unknownFrame is of a kind that the protocol may have one day: a header
// {"t": "#future", "op": 1} and an empty body.
var unknownFrame = []byte("\xa2\x61t\x67#future\x62op\x01\xa0")
