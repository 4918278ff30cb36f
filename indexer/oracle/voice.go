package oracle

import (
	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/bluesky-social/indigo/events"
	"github.com/ipfs/go-cid"

	"github.com/stratosfund/stratosfund/indexer/store"
)

// voice is how one relay tells what happens in a world.
type voice struct {
	*World
	relay *Relay
	// lost are accounts of which the relay may not have told everything. Only a
	// look at their PDS can show what.
	lost map[syntax.DID]bool
	// held are frames that the relay keeps back, in the order of each account.
	held map[syntax.DID][]*events.XRPCStreamEvent
	// skewed is the state before a withheld commit, which the next one shall
	// claim to follow.
	skewed map[syntax.DID]*comatproto.SyncSubscribeRepos_Commit
}

func newVoice(w *World, r *Relay) *voice {
	return &voice{
		World: w, relay: r, lost: map[syntax.DID]bool{}, held: map[syntax.DID][]*events.XRPCStreamEvent{},
		skewed: map[syntax.DID]*comatproto.SyncSubscribeRepos_Commit{},
	}
}

// speaksFor reports whether the relay hears of the account. A PDS only knows
// those that it hosts.
func (v *voice) speaksFor(a *account) bool { return v.relay.pds == nil || v.relay.pds == a.host }

// tell hands an event to the relay, which may be honest.
func (v *voice) tell(a *account, ev *events.XRPCStreamEvent) {
	if !v.speaksFor(a) {
		v.lost[a.DID] = true
		if !v.calm && v.relay.pds.left[a.DID] && v.one(2) {
			v.speakOfAnother(a)
		}
		return
	}
	if v.calm {
		v.release(a)
		v.relay.tell(a, ev)
		if ev.RepoCommit != nil {
			delete(v.lost, a.DID)
		}
		return
	}
	if before := v.skewed[a.DID]; before != nil && ev.RepoCommit != nil {
		delete(v.skewed, a.DID)
		msg := *ev.RepoCommit
		msg.PrevData, msg.Since = before.PrevData, before.Since
		v.fire(FaultForgedPrev, a)
		v.relay.send(&events.XRPCStreamEvent{RepoCommit: &msg})
		v.lost[a.DID] = true
		return
	}
	if len(v.held[a.DID]) > 0 {
		v.held[a.DID] = append(v.held[a.DID], ev)
		if v.one(3) {
			v.release(a)
		}
		return
	}
	if v.IntN(4) > 0 {
		v.relay.tell(a, ev)
		return
	}
	v.meddle(a, ev)
}

// release lets held frames go. About an account that left meanwhile, a PDS has
// nothing to say any more.
func (v *voice) release(a *account) {
	for _, ev := range v.held[a.DID] {
		if v.speaksFor(a) {
			v.relay.tell(a, ev)
		} else {
			v.lost[a.DID] = true
		}
	}
	delete(v.held, a.DID)
}

// speakOfAnother lets a PDS tell what became of the copy that an account left
// behind, as if that were the account.
func (v *voice) speakOfAnother(a *account) {
	v.fire(FaultNotHosted, a)
	// Who believes that cannot ask at once.
	a.host.armed = append([]Fault{FaultPDSError, FaultPDSError}, a.host.armed...)
	v.relay.send(accountEvent(a.DID, pick(v.dice, []store.AccountStatus{store.AccountDeactivated, store.AccountDeleted}), v.net.clock.Now()))
}

// raise tells that a deleted account is back. Who believed neither that nor the
// deletion only sees that its PDS does not have it.
func (v *voice) raise(a *account) {
	v.fire(FaultForgedReturn, a)
	v.lost[a.DID] = true
	v.relay.send(accountEvent(a.DID, store.AccountActive, v.net.clock.Now()))
}

// meddle passes the event on as a bad relay does.
func (v *voice) meddle(a *account, ev *events.XRPCStreamEvent) {
	r := v.relay
	switch v.IntN(9) {
	case 0:
		v.fire(FaultRepeat, a)
		r.tell(a, ev)
		r.put(r.log[len(r.log)-1].frame)
	case 1:
		r.tell(a, ev)
		if ev := v.earlier(); ev != nil {
			v.fire(FaultRenumber, a)
			r.send(ev)
		}
	case 2:
		v.withhold(a, ev)
	case 3:
		v.fire(FaultHold, a)
		v.held[a.DID] = append(v.held[a.DID], ev)
	case 4:
		frame := encode(numbered(ev, r.head+1))
		v.fire(FaultTruncate, a)
		r.put(frame[:1+v.IntN(len(frame)-1)])
		v.lost[a.DID] = true
	case 5:
		v.fire(FaultGarbage, a)
		r.put(v.bytes(v.IntN(200)))
		r.tell(a, ev)
	case 6:
		v.fire(FaultUnknown, a)
		r.put(unknownFrame)
		r.tell(a, ev)
	default:
		v.deceive(a, ev)
	}
}

// withhold keeps an event from the stream.
func (v *voice) withhold(a *account, ev *events.XRPCStreamEvent) {
	v.fire(FaultWithhold, a)
	v.lost[a.DID] = true
	if ev.RepoCommit != nil && ev.RepoCommit.PrevData != nil && v.one(2) {
		v.skewed[a.DID] = ev.RepoCommit
	}
}

// deceive tells a lie before the truth, or instead of it.
func (v *voice) deceive(a *account, ev *events.XRPCStreamEvent) {
	if ev.RepoCommit == nil {
		v.relay.tell(a, ev)
		return
	}
	kind := pick(v.dice, lies)
	lie := v.net.lie(v.dice, kind, a, ev.RepoCommit)
	if lie == nil {
		v.relay.tell(a, ev)
		return
	}
	v.fire(kind, a)
	a.slandered = a.slandered || kind == FaultForgedStatus
	v.relay.send(lie)
	if v.one(2) {
		v.lost[a.DID] = true
		return
	}
	v.relay.tell(a, ev)
}

// earlier is a commit that was told before.
func (v *voice) earlier() *events.XRPCStreamEvent {
	if len(v.relay.log) == 0 {
		return nil
	}
	return pick(v.dice, v.relay.log).commit()
}

// replay tells an old commit again that seems to follow where the account is
// now: it begins at the same tree.
func (v *voice) replay(a *account) {
	for _, s := range v.relay.log {
		ev := s.commit()
		if ev == nil || ev.RepoCommit.Repo != a.DID.String() || ev.RepoCommit.PrevData == nil {
			continue
		}
		if cid.Cid(*ev.RepoCommit.PrevData).Equals(a.Data) {
			v.fire(FaultReplay, a)
			v.relay.send(ev)
			return
		}
	}
}
