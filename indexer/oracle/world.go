package oracle

import (
	"fmt"
	"strings"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/bluesky-social/indigo/events"

	"github.com/stratosfund/stratosfund/indexer/store"
)

// The cast of a world.
const (
	pdses      = 3
	people     = 6 // the last one is a did:web
	escrows    = 2 // the first one is trusted
	foreigners = 2 // never have a record of ours
)

// World is a network in which things happen under a seed. Only the goroutine
// that runs it makes decisions; the network's lock guards what servers read.
type World struct {
	*dice
	net    *Network
	relay  *Relay
	writer *writer
	// lost are accounts of which the stream may not have told everything.
	// Only a look at their PDS can show what.
	lost map[syntax.DID]bool
	// held are frames that the relay keeps back, in the order of each account.
	held map[syntax.DID][]*events.XRPCStreamEvent
	// skewed is the state before a withheld commit, which the next one shall
	// claim to follow.
	skewed map[syntax.DID]*comatproto.SyncSubscribeRepos_Commit
	// reached is the newest rev at which the index was seen.
	reached map[syntax.DID]syntax.TID
	calm    bool // no faults any more
	log     []string
}

// NewWorld peoples a network.
func NewWorld(seed uint64, net *Network) *World {
	w := &World{
		dice: newDice(seed), net: net, relay: net.relays[0],
		lost: map[syntax.DID]bool{}, held: map[syntax.DID][]*events.XRPCStreamEvent{},
		skewed:  map[syntax.DID]*comatproto.SyncSubscribeRepos_Commit{},
		reached: map[syntax.DID]syntax.TID{},
	}
	w.writer = &writer{dice: w.dice}
	for i := range people + escrows + foreigners {
		did := syntax.DID("did:plc:" + w.letters())
		name := fmt.Sprintf("account%d", i)
		if i == people-1 {
			did = syntax.DID("did:web:" + name + "-web.test")
		}
		a := newAccount(did, syntax.Handle(name+".test"), w.key(), pick(w.dice, net.hosts))
		net.accounts = append(net.accounts, a)
		net.byDID[did] = a
		switch {
		case i < people:
			w.writer.people = append(w.writer.people, did)
		case i < people+escrows:
			w.writer.escrows = append(w.writer.escrows, did)
		}
	}
	return w
}

// note keeps a line of what happened, for whoever reads a failure.
func (w *World) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%4d ", len(w.log))+fmt.Sprintf(format, args...))
}

// Tail is the end of what happened.
func (w *World) Tail(lines int) string {
	return strings.Join(w.log[max(0, len(w.log)-lines):], "\n")
}

// trusted is the escrow that the operator of the index trusts.
func (w *World) trusted() []syntax.DID { return w.writer.escrows[:1] }

func (w *World) foreigner(a *account) bool {
	for _, f := range w.net.accounts[people+escrows:] {
		if f == a {
			return true
		}
	}
	return false
}

func (w *World) commit(a *account, edits ...edit) {
	msg, err := a.apply(w.net.clock.Now(), edits...)
	if err != nil {
		panic(err) // the simulation is broken
	}
	var did []string
	for _, op := range msg.Ops {
		did = append(did, op.Action+" "+op.Path)
	}
	w.note("%s commits %s: %s", a.handle, a.rev, strings.Join(did, ", "))
	w.tell(a, &events.XRPCStreamEvent{RepoCommit: msg})
}

func (w *World) tellAccount(a *account) {
	msg := &comatproto.SyncSubscribeRepos_Account{Did: a.did.String(), Active: a.status == store.AccountActive, Time: stamp(w.net.clock.Now())}
	if !msg.Active {
		msg.Status = new(string(a.status))
	}
	w.tell(a, &events.XRPCStreamEvent{RepoAccount: msg})
}

func (w *World) tellIdentity(a *account) {
	w.tell(a, &events.XRPCStreamEvent{RepoIdentity: &comatproto.SyncSubscribeRepos_Identity{
		Did: a.did.String(), Handle: new(a.handle.String()), Time: stamp(w.net.clock.Now()),
	}})
}

// tell hands an event to the relay, which may be honest.
func (w *World) tell(a *account, ev *events.XRPCStreamEvent) {
	if w.calm {
		w.release(a)
		w.relay.send(ev)
		if ev.RepoCommit != nil {
			delete(w.lost, a.did)
		}
		return
	}
	if before := w.skewed[a.did]; before != nil && ev.RepoCommit != nil {
		delete(w.skewed, a.did)
		msg := *ev.RepoCommit
		msg.PrevData, msg.Since = before.PrevData, before.Since
		w.fire(FaultForgedPrev, a)
		w.relay.send(&events.XRPCStreamEvent{RepoCommit: &msg})
		w.lost[a.did] = true
		return
	}
	if len(w.held[a.did]) > 0 {
		w.held[a.did] = append(w.held[a.did], ev)
		if w.one(3) {
			w.release(a)
		}
		return
	}
	if w.IntN(4) > 0 {
		w.relay.send(ev)
		return
	}
	w.meddle(a, ev)
}

// release lets held frames go.
func (w *World) release(a *account) {
	for _, ev := range w.held[a.did] {
		w.relay.send(ev)
	}
	delete(w.held, a.did)
}

func (w *World) fire(f Fault, a *account) {
	w.net.fired.fire(f)
	w.note("  %s (%s)", f, a.handle)
}

// meddle passes the event on as a bad relay does.
func (w *World) meddle(a *account, ev *events.XRPCStreamEvent) {
	r := w.relay
	switch w.IntN(9) {
	case 0:
		w.fire(FaultRepeat, a)
		r.send(ev)
		r.put(r.log[len(r.log)-1].frame)
	case 1:
		r.send(ev)
		if ev := w.earlier(); ev != nil {
			w.fire(FaultRenumber, a)
			r.send(ev)
		}
	case 2:
		w.withhold(a, ev)
	case 3:
		w.fire(FaultHold, a)
		w.held[a.did] = append(w.held[a.did], ev)
	case 4:
		frame := encode(numbered(ev, r.head+1))
		w.fire(FaultTruncate, a)
		r.put(frame[:1+w.IntN(len(frame)-1)])
		w.lost[a.did] = true
	case 5:
		w.fire(FaultGarbage, a)
		r.put(w.bytes(w.IntN(200)))
		r.send(ev)
	case 6:
		w.fire(FaultUnknown, a)
		r.put(unknownFrame)
		r.send(ev)
	default:
		w.deceive(a, ev)
	}
}

// withhold keeps an event from the stream. What the relay says of accounts is
// not kept: nobody but the PDS could ever tell.
func (w *World) withhold(a *account, ev *events.XRPCStreamEvent) {
	w.fire(FaultWithhold, a)
	w.lost[a.did] = true
	if ev.RepoCommit != nil && ev.RepoCommit.PrevData != nil && w.one(2) {
		w.skewed[a.did] = ev.RepoCommit
	}
}

// deceive tells a lie before the truth, or instead of it.
func (w *World) deceive(a *account, ev *events.XRPCStreamEvent) {
	if ev.RepoCommit == nil {
		w.relay.send(ev)
		return
	}
	kind := pick(w.dice, lies)
	lie := w.net.lie(w.dice, kind, a, ev.RepoCommit)
	if lie == nil {
		w.relay.send(ev)
		return
	}
	w.fire(kind, a)
	w.relay.send(lie)
	if w.one(2) {
		w.lost[a.did] = true
		return
	}
	w.relay.send(ev)
}

// earlier is a commit that was told before.
func (w *World) earlier() *events.XRPCStreamEvent {
	if len(w.relay.log) == 0 {
		return nil
	}
	var ev events.XRPCStreamEvent
	if ev.Deserialize(newReader(pick(w.dice, w.relay.log).frame)) != nil || ev.RepoCommit == nil {
		return nil
	}
	return &ev
}

func (w *World) leap(d time.Duration) {
	w.net.clock.Leap(d)
	w.note("%s pass", d)
}
