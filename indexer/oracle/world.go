package oracle

import (
	"fmt"
	"slices"
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
	voices []*voice // one for each relay
	writer *writer
	// reached is the newest rev at which the index was seen.
	reached map[syntax.DID]syntax.TID
	// flickers is an account that was hidden a moment ago and comes back now.
	flickers *account
	calm     bool // no faults any more
	dark     bool // what was proven on the web has expired
	// claimed and expired are as in the Report.
	claimed, expired int
	log              []string
}

// NewWorld peoples a network.
func NewWorld(seed uint64, net *Network) *World {
	w := &World{
		dice: newDice(seed), net: net, reached: map[syntax.DID]syntax.TID{},
	}
	for _, r := range net.relays {
		w.voices = append(w.voices, newVoice(w, r))
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
	w.note("%s commits %s: %s", a.handle, a.Rev, strings.Join(did, ", "))
	w.tell(a, &events.XRPCStreamEvent{RepoCommit: msg})
}

func (w *World) tellAccount(a *account) {
	w.tell(a, accountEvent(a.DID, a.status, w.net.clock.Now()))
}

func accountEvent(did syntax.DID, status store.AccountStatus, now time.Time) *events.XRPCStreamEvent {
	msg := &comatproto.SyncSubscribeRepos_Account{Did: did.String(), Active: status == store.AccountActive, Time: stamp(now)}
	if !msg.Active {
		msg.Status = new(string(status))
	}
	return &events.XRPCStreamEvent{RepoAccount: msg}
}

func (w *World) tellIdentity(a *account) { w.tell(a, identityEvent(a, w.net.clock.Now())) }

func identityEvent(a *account, now time.Time) *events.XRPCStreamEvent {
	return &events.XRPCStreamEvent{RepoIdentity: &comatproto.SyncSubscribeRepos_Identity{
		Did: a.DID.String(), Handle: new(a.handle.String()), Time: stamp(now),
	}}
}

// cough lets every relay say something that concerns nobody.
func (w *World) cough() {
	last := w.net.accounts[len(w.net.accounts)-1]
	for _, v := range w.voices {
		v.relay.send(identityEvent(last, w.net.clock.Now()))
	}
}

// spoken reports whether some stream would tell about the account.
func (w *World) spoken(a *account) bool {
	return slices.ContainsFunc(w.voices, func(v *voice) bool { return v.speaksFor(a) })
}

// tell hands an event to every relay.
func (w *World) tell(a *account, ev *events.XRPCStreamEvent) {
	for _, v := range w.voices {
		v.tell(a, ev)
	}
}

// lose notes that no stream tells everything about the account.
func (w *World) lose(a *account) {
	for _, v := range w.voices {
		v.lost[a.DID] = true
	}
}

func (w *World) fire(f Fault, a *account) {
	w.net.fired.fire(f)
	w.note("  %s (%s)", f, a.handle)
}

func (w *World) leap(d time.Duration) {
	w.net.clock.Leap(d)
	w.note("%s pass", d)
}
