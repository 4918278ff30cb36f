package campaign

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// The model goes through every state that an attempt can come into, with three pledges, two
// payees, two disputes, and each fault once: whoever acts, in whatever order, at whatever of
// its moments. What campaigns do is decided and computed by the code of this package; people,
// processor and ledger are a few lines here, and the ledger of the model would do whatever it
// is told, also twice.
//
// A second attempt at the proposal, or a third, opens when the one before goes back. What a
// campaign does depends on nothing of another one, as [Next] shows by what it is given; so
// from there on each goes through states of its own, the new one from the first state on
// and with all faults before it, and the older one through those that it goes through when
// nobody begins anew. Hence the states of one are the states of all of them.
//
// States that go on in the same way count once (modelWorld.same): what has been decided is
// forgotten with all that led to it, and pledges have no names.

// span is the distance of two moments; everything lasts for a number of them.
const span = 72 * time.Hour

// How long things last in the model, in spans. There are 7 days left before the final date,
// as in terms.
const (
	modelCloses, modelRelease, modelVerification, modelReserve, modelRuling = 1, 1, 2, 2, 1

	modelFinal = modelCloses + modelRelease + modelVerification + modelReserve + 3
)

// modelPledges is how many people pledge for an attempt. Each may dispute its release.
const modelPledges = 2

const never = int8(-1)

type pledgeState uint8

const (
	pledgeNone pledgeState = iota
	pledgePending
	pledgeHeld
	pledgeVoid
	pledgeDue      // to go back
	pledgeBack     // it did
	pledgeReturned // the bank sent it back to us
	pledgeTaken    // by the bank
	pledgeOwed     // to the payees
	pledgePaid
)

// modelPledge counts how often it was sent out, either way.
type modelPledge struct {
	state               pledgeState
	left                uint8 // payees who wait for their transfer
	refunded, paidOut   uint8
	refundedAfterPayout bool
}

type modelDispute struct {
	ended    Ended
	stands   bool
	seen     int8
	rulingBy int8
	endedAt  int8
}

// modelAttempt is an attempt, as small as it can be.
type modelAttempt struct {
	phase                                   lifecycle.Phase
	reason                                  Reason
	correctBy, acceptedAt, endsAt, pausedAt int8
	corrections, edits                      uint8
	pot                                     bool // final, and not zero
	seen, unseen, cancelled, decided        bool
	verdict                                 Verdict
	// stood is for how long disputes stood, as far as that is not more than the reserve.
	stood    int8
	pledges  [modelPledges]modelPledge
	disputes [modelPledges]modelDispute // each is by who pledged
}

type fault uint8

// The faults, each of which happens once.
const (
	faultDown      fault = 1 << iota // the escrow is down for a while
	faultBehind                      // the index knows nothing new for a while
	faultUncertain                   // nobody confirms the clock for a while
	faultUnpayable                   // a payee cannot be paid for a while
	faultBank                        // a bank takes a pledge back
	faultReturned                    // a bank returns a refund
)

// modelWorld is one state.
type modelWorld struct {
	now      int8
	known    int8 // up to when the index knows, while it is behind
	used, on fault
	attempt  modelAttempt
}

func at(n int8) time.Time {
	if n == never {
		return time.Time{}
	}
	return noon.Add(time.Duration(n) * span)
}

func spanOf(at time.Time) int8 {
	if at.IsZero() {
		return never
	}
	return int8(at.Sub(noon) / span)
}

// model is a run.
type model struct {
	next   func(Campaign, Seen, time.Time) Step
	edits  uint8
	acts   map[Act]int
	ends   map[string]int
	seed   maphash.Seed
	seen   map[uint64]struct{} // by their hashes
	ended  map[uint64]struct{} // of which it is known that time alone ends them
	begun  int                 // how many states another attempt can begin in
	found  string              // the first promise that was broken
	budget int
}

func (a *modelAttempt) campaign() Campaign {
	c := Campaign{
		Phase: a.phase, Reason: a.reason, OpensAt: at(0), ClosesAt: at(modelCloses),
		ReleaseBy: at(modelCloses + modelRelease), FinalAt: at(modelFinal),
		Verification: modelVerification * span, Reserve: modelReserve * span, Ruling: modelRuling * span,
		CorrectBy: at(a.correctBy), Corrections: int(a.corrections), PausedAt: at(a.pausedAt),
	}
	if a.seen {
		c.ReleaseSeenAt = c.OpensAt
	}
	if a.phase != lifecycle.PhaseOpen {
		c.Pot = new(int64(0))
		if a.pot {
			*c.Pot = 1
		}
	}
	if a.acceptedAt != never {
		c.Accepted = &Accepted{Release: comatproto.RepoStrongRef{Uri: "r"}, At: at(a.acceptedAt), EndsAt: at(a.endsAt)}
	}
	return c
}

func (a *modelAttempt) keep(c Campaign) {
	a.phase, a.reason, a.correctBy, a.corrections, a.pausedAt = c.Phase, c.Reason, spanOf(c.CorrectBy), uint8(c.Corrections), spanOf(c.PausedAt)
	a.seen = !c.ReleaseSeenAt.IsZero()
	if c.Accepted != nil {
		a.acceptedAt, a.endsAt = spanOf(c.Accepted.At), spanOf(c.Accepted.EndsAt)
	}
}

// undecided tells whether the money may go either way.
func (a *modelAttempt) undecided() bool { return a.reason == "" && !a.decided }

func (a *modelAttempt) over() bool {
	return a.phase == lifecycle.PhaseReleased || a.phase == lifecycle.PhaseRefunded
}

// look is what the driver sees of an attempt.
func (w *modelWorld) look() (c Campaign, s Seen) {
	a := &w.attempt
	c = a.campaign()
	s = Seen{Cancelled: a.cancelled, Unseen: a.unseen, Verdict: a.verdict, Known: at(w.now), Certain: w.on&faultUncertain == 0}
	if w.on&faultBehind != 0 {
		s.Known = at(w.known)
	}
	if disputable(c) {
		s.Disputes = sumUp(c, a.disputed())
	}
	for _, p := range a.pledges {
		switch p.state {
		case pledgePending:
			s.Money.Pending++
		case pledgeHeld:
			s.Money.Holds++
			s.Money.Held += modelAmount
		case pledgeDue, pledgeReturned:
			s.Money.Unfinished++
		case pledgeOwed:
			s.Money.Unfinished++
			s.Money.Unpaid++
		}
	}
	if a.decided {
		s.Money.Decision = &ledger.Exit{}
	}
	return c, s
}

// disputed are its disputes as the driver reads them.
func (a *modelAttempt) disputed() (list []Dispute) {
	for _, d := range a.disputes {
		if d.happened() {
			list = append(list, Dispute{SeenAt: at(d.seen), RulingBy: at(d.rulingBy), EndedAt: at(d.endedAt), Ended: d.ended})
		}
	}
	slices.SortStableFunc(list, func(a, b Dispute) int { return a.SeenAt.Compare(b.SeenAt) })
	return list
}

func (d modelDispute) happened() bool { return d.stands || d.ended != "" }

// stand tells whether a dispute stands.
func (a *modelAttempt) stand() bool {
	return slices.ContainsFunc(a.disputes[:], func(d modelDispute) bool { return d.stands })
}

// modelAmount is what each pledge is, and modelFee what the operator may take.
const (
	modelAmount = 1999
	modelFee    = 500
)

// drive lets the driver go as far as it can.
func (m *model) drive(w modelWorld) modelWorld {
	for n := 0; w.on&faultDown == 0; n++ {
		c, s := w.look()
		step := m.next(c, s, at(w.now))
		if step.Act == ActNone || !m.do(&w, c, s, step) {
			break
		}
		m.acts[step.Act]++
		if n > 40 {
			m.broken("it goes round in circles: %+v", w)
			break
		}
	}
	return w
}

// do is what the driver does with a step, without a database. It reports whether that
// changed anything.
func (m *model) do(w *modelWorld, c Campaign, s Seen, step Step) bool {
	a := &w.attempt
	from := c.Phase
	now := at(w.now)
	switch step.Act {
	case ActNoteRelease:
		c = c.noted(now, passed(c.ReleaseDue(), s, now))
		a.unseen, a.verdict = false, VerdictPending
	case ActFinish:
		for i := range a.pledges {
			if a.pledges[i].state == pledgePending {
				a.pledges[i].state = pledgeVoid
			}
		}
	case ActClose:
		c.Phase, a.pot = lifecycle.PhaseClosed, s.Money.Held > 0
	case ActCheck:
		c.Phase = lifecycle.PhaseChecking
	case ActReopen:
		c.Phase = lifecycle.PhaseClosed
	case ActAccept:
		c = c.accept(comatproto.RepoStrongRef{Uri: "r"}, "m", now)
		c.Phase = lifecycle.PhaseVerifying
	case ActResume:
		c = c.resume(now, s.Disputes)
		c.Phase = lifecycle.PhaseVerifying
	case ActRule:
		for i := range a.disputes {
			if d := &a.disputes[i]; d.stands && d.rulingBy <= w.now {
				d.stands, d.ended, d.endedAt = false, EndedRejected, w.now
			}
		}
	case ActSettle:
		m.settles(*w)
		c.Phase = lifecycle.PhaseSettling
	case ActPay:
		if w.on&faultUnpayable != 0 {
			return false
		}
		if w.now >= modelFinal {
			m.broken("it is decided at %d to pay, and the final date is %d", w.now, modelFinal)
		}
		a.decided = true
		for i := range a.pledges {
			if p := &a.pledges[i]; p.state == pledgeHeld {
				p.state, p.left = pledgeOwed, 2
				p.paidOut++
			}
		}
	case ActRelease:
		c.Phase = lifecycle.PhaseReleased
	case ActRefund:
		c.Phase, c.Reason, c.PausedAt = lifecycle.PhaseRefunding, step.Reason, time.Time{}
		for i := range a.disputes {
			if d := &a.disputes[i]; d.stands {
				d.stands, d.ended, d.endedAt = false, EndedOver, w.now
			}
		}
	case ActDecide:
		a.decided = true
		for i := range a.pledges {
			switch p := &a.pledges[i]; p.state {
			case pledgeHeld:
				p.state = pledgeDue
				p.refunded++
			case pledgeOwed, pledgePaid:
				p.refundedAfterPayout = true
			}
		}
	case ActEnd:
		c.Phase = lifecycle.PhaseRefunded
		if slices.ContainsFunc(a.pledges[:], func(p modelPledge) bool { return p.state == pledgeDue || p.state == pledgeReturned }) {
			m.broken("refunded, and somebody waits: %+v", *w) // only who was charged later does
		}
	default:
		m.broken("nobody knows how to %s", step.Act)
		return false
	}
	if from != c.Phase && !slices.Contains(follows[from], c.Phase) {
		m.broken("from %s to %s by %s", from, c.Phase, step.Act)
	}
	a.keep(c)
	return true
}

// settles wants people to have looked for as long as the terms say when nobody can dispute
// any more, and the clock to have stood still beside that for as long as disputes stood, as
// far as the reserve and the final date go.
func (m *model) settles(w modelWorld) {
	a := &w.attempt
	if slices.ContainsFunc(a.disputes[:], func(d modelDispute) bool { return d.stands || d.ended == EndedUpheld }) {
		m.broken("paid in a dispute: %+v", w)
	}
	if w.now < min(a.acceptedAt+modelVerification+a.stood, modelFinal) {
		m.broken("paid before people could look: %+v", w)
	}
}

func (m *model) broken(format string, args ...any) {
	if m.found == "" {
		m.found = fmt.Sprintf(format, args...)
	}
}

// tick lets time go by, in which disputes stand.
func (w *modelWorld) tick() {
	if w.now++; w.attempt.stand() {
		w.attempt.stood = min(w.attempt.stood+1, modelReserve)
	}
}

// moves are all that people, banks and faults can do in a state.
func (m *model) moves(w modelWorld) (out []modelWorld) {
	with := func(change func(*modelWorld)) {
		next := w
		change(&next)
		out = append(out, m.drive(next))
	}
	if w.attempt.reason != "" && w.on&faultDown == 0 {
		m.begun++
		out = append(out, opening()) // of another attempt
	}
	if w.attempt.over() {
		return out
	}
	with((*modelWorld).tick)
	m.developer(w, with)
	m.backers(w, with)
	m.disputers(w, with)
	for _, f := range []fault{faultDown, faultBehind, faultUncertain, faultUnpayable} {
		switch {
		case w.on&f != 0:
			with(func(w *modelWorld) { w.on &^= f })
		case w.used&f == 0 && w.matters(f):
			with(func(w *modelWorld) { w.used, w.on, w.known = w.used|f, w.on|f, w.frozen(f) })
		}
	}
	return out
}

// matters tells whether a fault that begins now can change anything. One that can only do so
// later begins later.
func (w *modelWorld) matters(f fault) bool {
	a := &w.attempt
	c := a.campaign()
	switch f {
	case faultDown:
		return a.undecided()
	case faultBehind:
		return a.undecided() && a.phase != lifecycle.PhaseSettling
	case faultUncertain:
		return a.undecided() && w.now >= modelFinal-1
	case faultUnpayable:
		return a.undecided() && (a.phase == lifecycle.PhaseSettling || disputable(c) && w.now >= a.endsAt-1)
	}
	return false
}

// frozen is up to when the index knows, once it is behind.
func (w *modelWorld) frozen(f fault) int8 {
	if f == faultBehind {
		return w.now
	}
	return w.known
}

// developer cancels, releases, edits, takes back. The checks say something.
func (m *model) developer(w modelWorld, with func(func(*modelWorld))) {
	a := &w.attempt
	if !slices.Contains(cancellable, a.phase) {
		return
	}
	if !a.cancelled {
		with(func(w *modelWorld) { w.attempt.cancelled = true })
	}
	if a.edits < m.edits && !a.unseen {
		with(func(w *modelWorld) { w.attempt.edits++; w.attempt.unseen = true })
	}
	if a.verdict != VerdictNone && !a.unseen {
		with(func(w *modelWorld) { w.attempt.verdict = VerdictNone })
	}
	if a.verdict == VerdictPending && w.on&faultDown == 0 {
		with(func(w *modelWorld) { w.attempt.verdict = VerdictPassed })
		with(func(w *modelWorld) {
			a := &w.attempt
			a.verdict = VerdictFailed
			a.keep(a.campaign().failed(at(w.now)))
		})
	}
}

// backers pay and take back, and banks do what banks do.
func (m *model) backers(w modelWorld, with func(func(*modelWorld))) {
	a := &w.attempt
	for j, p := range a.pledges {
		set := func(state pledgeState) {
			with(func(w *modelWorld) { w.attempt.pledges[j].state = state })
		}
		goesBack := func(w *modelWorld) {
			w.attempt.pledges[j].state = pledgeDue
			w.attempt.pledges[j].refunded++
		}
		switch p.state {
		case pledgeNone:
			if a.phase == lifecycle.PhaseOpen && w.now < modelCloses && w.on&faultDown == 0 {
				set(pledgePending)
			}
		case pledgePending:
			if a.phase == lifecycle.PhaseOpen {
				set(pledgeHeld)
			}
		case pledgeVoid:
			with(goesBack) // a late charge
		case pledgeHeld:
			if a.phase == lifecycle.PhaseOpen && (a.verdict == VerdictNone && !a.seen || a.verdict == VerdictFailed) && !a.unseen {
				with(goesBack)
			}
			if w.used&faultBank == 0 {
				with(func(w *modelWorld) { w.used |= faultBank; w.attempt.pledges[j].state = pledgeTaken })
			}
		case pledgeDue:
			set(pledgeBack)
			if w.used&faultReturned == 0 {
				with(func(w *modelWorld) { w.used |= faultReturned; w.attempt.pledges[j].state = pledgeReturned })
			}
		case pledgeReturned:
			set(pledgeBack) // claimed
		case pledgeOwed:
			with(func(w *modelWorld) { w.attempt.pledges[j].transferred() })
		}
	}
}

// disputers dispute and take that back, and the escrow rules.
func (m *model) disputers(w modelWorld, with func(func(*modelWorld))) {
	a := &w.attempt
	c := a.campaign()
	if !disputable(c) {
		return
	}
	for j, d := range a.disputes {
		switch {
		case d.stands:
			for _, how := range []Ended{EndedWithdrawn, EndedUpheld, EndedRejected} {
				with(func(w *modelWorld) {
					d := &w.attempt.disputes[j]
					d.stands, d.ended, d.endedAt = false, how, w.now
				})
			}
		case !d.happened() && a.pledges[j].state == pledgeHeld && w.on&(faultDown|faultBehind) == 0:
			with(func(w *modelWorld) {
				w.attempt.disputes[j] = modelDispute{stands: true, seen: w.now, rulingBy: spanOf(c.rulingBy(at(w.now))), endedAt: never}
				if c.Phase == lifecycle.PhaseVerifying {
					c := c.pause(at(w.now))
					c.Phase = lifecycle.PhaseDisputed
					w.attempt.keep(c)
				}
			})
		}
	}
}

func (p *modelPledge) transferred() {
	if p.left--; p.left == 0 {
		p.state = pledgePaid
	}
}

// opening is a world whose attempt has just opened.
func opening() modelWorld {
	return modelWorld{attempt: modelAttempt{phase: lifecycle.PhaseOpen, correctBy: never, acceptedAt: never, endsAt: never, pausedAt: never}}
}

// promises hold in each state.
func (m *model) promises(w modelWorld) {
	a := &w.attempt
	c := a.campaign()
	if c.Accepted != nil && (c.Accepted.EndsAt.After(c.lastEnd()) || c.lastEnd().After(c.FinalAt)) {
		m.broken("disputes add more than the reserve: %+v", w)
	}
	for _, p := range a.pledges {
		switch {
		case p.refunded+p.paidOut > 1 || p.refundedAfterPayout:
			m.broken("a pledge is sent twice: %+v", w)
		case p.paidOut > 0 && a.reason != "":
			m.broken("paid, and everybody is refunded: %+v", w)
		case a.over() && (p.state == pledgePending || p.state == pledgeHeld || p.state == pledgeOwed):
			m.broken("it is over, and somebody waits: %+v", w)
		}
	}
}

// alone is what time alone makes of a state, when people do nothing any more: the escrow
// comes back and its clock is right, but the index may stay behind, and payees unpayable.
// Where that leads to a state of which the end is known, it is known.
func (m *model) alone(w modelWorld) {
	start := w
	w.on &^= faultDown | faultUncertain
	var way []uint64
	for range 2*modelFinal + 3 {
		w = m.drive(w)
		if key := m.key(w.same()); !w.attempt.over() {
			if _, known := m.ended[key]; known {
				break
			}
			way = append(way, key)
		}
		for j := range w.attempt.pledges {
			switch p := &w.attempt.pledges[j]; p.state {
			case pledgeDue, pledgeReturned:
				p.state = pledgeBack
			case pledgeOwed:
				p.transferred()
			}
		}
		w = m.drive(w)
		m.promises(w)
		if w.attempt.over() {
			m.count(w)
			break
		}
		w.tick()
	}
	if key := m.key(w.same()); !w.attempt.over() {
		if _, known := m.ended[key]; !known {
			m.broken("time does not end %+v, it comes to %+v", start, w)
			return
		}
	}
	for _, key := range way {
		m.ended[key] = struct{}{}
	}
}

// count adds up what became of the money at an end, and wants the operator to have no more
// than the fee.
func (m *model) count(w modelWorld) {
	a := &w.attempt
	var in, back, payees, operator int64
	for _, p := range a.pledges {
		switch p.state {
		case pledgeBack:
			in, back = in+modelAmount, back+modelAmount
		case pledgePaid:
			fee, err := ledger.Fee(money.Money{Amount: modelAmount, Currency: "USD"}, modelFee)
			if err != nil {
				m.broken("%v", err)
			}
			in, payees, operator = in+modelAmount, payees+modelAmount-fee, operator+fee
		}
	}
	if in != back+payees+operator || operator*10_000 > (payees+operator)*modelFee {
		m.broken("of %d, %d went back, %d to the payees and %d to the operator", in, back, payees, operator)
	}
	m.ends[string(a.phase)+" "+string(a.reason)]++
}

// same is the state that stands for all those that go on in the same way.
func (w modelWorld) same() modelWorld {
	a := &w.attempt
	switch {
	case a.over():
		w = w.forget(^fault(0))
		w.now = 0
		a.pledges = [modelPledges]modelPledge{}
	case a.decided:
		w = w.forget(^(faultBank | faultReturned))
	case a.reason != "":
		w = w.forget(^(faultBank | faultReturned | faultDown))
	case a.phase == lifecycle.PhaseSettling:
		w = w.forget(faultBehind)
	case disputable(a.campaign()):
		a.correctBy, a.corrections, a.edits, a.seen, a.unseen, a.cancelled, a.pot, a.verdict = never, 0, 0, false, false, false, false, VerdictNone
		a.forgetDisputes()
	}
	w.now = min(w.now, modelFinal) // no deadline is later
	if w.on&faultBehind == 0 || w.known < a.nextDeadline() {
		w.known = 0
	}
	for i := range a.pledges {
		if p := &a.pledges[i]; p.state == pledgeBack && p.refunded == 1 && !a.over() {
			*p = modelPledge{state: pledgeTaken} // there is nothing more to come of either
		}
	}
	if !slices.ContainsFunc(a.pledges[:], func(p modelPledge) bool {
		return p.state == pledgeNone && a.phase == lifecycle.PhaseOpen || p.state == pledgePending || p.state == pledgeHeld
	}) {
		w.used |= faultBank
	}
	a.sort()
	return w
}

// nextDeadline is the first that an index which is behind does not know to be over. Those
// of a phase only move later.
func (a *modelAttempt) nextDeadline() int8 {
	switch c := a.campaign(); {
	case a.phase == lifecycle.PhaseOpen:
		return modelCloses
	case slices.Contains(cancellable, a.phase):
		return spanOf(c.ReleaseDue())
	case disputable(c):
		next := a.endsAt
		for _, d := range a.disputes {
			if d.stands {
				next = min(next, d.rulingBy)
			}
		}
		return next
	}
	return never
}

// forget leaves only what is decided, the time and the money; and of faults those that may
// still change something.
func (w modelWorld) forget(over fault) modelWorld {
	a := w.attempt
	w.attempt = opening().attempt
	w.attempt.phase, w.attempt.reason, w.attempt.decided, w.attempt.pledges = a.phase, a.reason, a.decided, a.pledges
	w.used, w.on = w.used|over, w.on&^over
	return w
}

// forgetDisputes forgets when disputes stood that stop the clock no more, and how they ended
// but for those that were right. Those that stop it together have done so since it stopped,
// and what one of them that is over adds to that is over when the others are.
func (a *modelAttempt) forgetDisputes() {
	stand := a.stand()
	for i := range a.disputes {
		switch d := &a.disputes[i]; {
		case d.stands:
			d.seen = a.pausedAt
		case d.ended == EndedUpheld:
			*d = modelDispute{ended: EndedUpheld}
		case d.ended != "" && (a.pausedAt == never || d.endedAt < a.pausedAt):
			*d = modelDispute{ended: EndedRejected}
		case d.ended != "":
			d.seen, d.rulingBy = a.pausedAt, never
			if stand {
				d.endedAt = a.pausedAt
			}
		}
	}
}

// sort takes the names of the pledges away: those and their disputes in an order.
func (a *modelAttempt) sort() {
	less := func(i, j int) bool {
		return cmp.Or(
			cmp.Compare(a.pledges[i].state, a.pledges[j].state), cmp.Compare(a.pledges[i].left, a.pledges[j].left),
			cmp.Compare(a.disputes[i].ended, a.disputes[j].ended), cmp.Compare(a.disputes[i].seen, a.disputes[j].seen),
			cmp.Compare(a.disputes[i].endedAt, a.disputes[j].endedAt), cmp.Compare(a.disputes[i].rulingBy, a.disputes[j].rulingBy),
			cmp.Compare(a.pledges[i].refunded, a.pledges[j].refunded),
		) < 0
	}
	for i := range a.pledges {
		for j := i; j > 0 && less(j, j-1); j-- {
			a.pledges[j], a.pledges[j-1] = a.pledges[j-1], a.pledges[j]
			a.disputes[j], a.disputes[j-1] = a.disputes[j-1], a.disputes[j]
		}
	}
}

// key is a hash of a state: of some millions two have the same one with a probability of less
// than one to a million.
func (m *model) key(w modelWorld) uint64 { return maphash.Comparable(m.seed, w) }

// explore goes through all states, breadth first, and returns their number, and whether
// there are no more.
func (m *model) explore() (states int, all bool) {
	begin := opening()
	m.seen[m.key(begin)] = struct{}{}
	frontier := []modelWorld{begin}
	for len(frontier) > 0 && m.found == "" && len(m.seen) < m.budget {
		var next []modelWorld
		for _, w := range frontier {
			m.promises(w)
			m.alone(w)
			for _, after := range m.moves(w) {
				m.promises(after)
				after = after.same()
				key := m.key(after)
				if _, known := m.seen[key]; !known {
					m.seen[key] = struct{}{}
					next = append(next, after)
				}
			}
		}
		frontier = next
	}
	return len(m.seen), len(frontier) == 0
}

func newModel(next func(Campaign, Seen, time.Time) Step, edits uint8, budget int) *model {
	return &model{
		next: next, edits: edits, acts: map[Act]int{}, ends: map[string]int{}, budget: budget,
		seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}, ended: map[uint64]struct{}{},
	}
}

// modelStates says how many states `make model` goes through at most, which must be enough
// for all; without it a part of them is.
const modelStates = "MODEL_STATES"

func TestModel_TimeAloneEndsEachStateAndNothingIsPaidTwice(t *testing.T) {
	t.Parallel()
	budget, asked := 30_000, false
	if n, err := strconv.Atoi(os.Getenv(modelStates)); err == nil {
		budget, asked = n, true
	}
	m := newModel(Next, 2, budget)
	states, all := m.explore()
	t.Logf("%d states, and another attempt begins in %d of them; acts: %v; ends: %v", states, m.begun, m.acts, m.ends)
	switch {
	case m.found != "":
		t.Fatal(m.found)
	case all:
		t.Log("there are no more")
	case asked:
		t.Errorf("there are more than %d: ask for more of them", states)
	default:
		t.Logf("there are more: the first %d were looked at", states)
	}
}

// The model would notice: each of these campaigns breaks a promise.
func TestModel_NoticesEachBrokenRule(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(Campaign, Seen, time.Time) Step{
		"pays in a dispute": func(c Campaign, s Seen, now time.Time) Step {
			s.Disputes.Count = 0
			return Next(c, s, now)
		},
		"pays as soon as a release is accepted": func(c Campaign, s Seen, now time.Time) Step {
			if c.Phase == lifecycle.PhaseVerifying && s.Disputes == (Standing{}) {
				return Step{Act: ActSettle}
			}
			return Next(c, s, now)
		},
		"forgets the final date": func(c Campaign, s Seen, now time.Time) Step {
			s.Certain = false
			return Next(c, s, now)
		},
		"refunds at the final date what is paid out": func(c Campaign, s Seen, now time.Time) Step {
			if c.Phase == lifecycle.PhaseSettling && final(c, s, now) {
				return Step{ActRefund, ReasonPayeeUnpayable}
			}
			return Next(c, s, now)
		},
		"pays after the final date by a clock that nobody confirms": func(c Campaign, s Seen, now time.Time) Step {
			if c.Phase == lifecycle.PhaseSettling && !s.Certain && s.Money.Decision == nil && s.Money.Holds > 0 && s.Money.Pending == 0 {
				return Step{Act: ActPay}
			}
			return Next(c, s, now)
		},
		"decides as often as it looks": func(c Campaign, s Seen, now time.Time) Step {
			if c.Phase == lifecycle.PhaseSettling && s.Money.Unpaid > 0 {
				return Step{Act: ActDecide}
			}
			return Next(c, s, now)
		},
		"says released when the transfers are sent": func(c Campaign, s Seen, now time.Time) Step {
			s.Money.Unpaid = 0
			return Next(c, s, now)
		},
		"waits for verdicts for ever": func(c Campaign, s Seen, now time.Time) Step {
			if c.Phase == lifecycle.PhaseChecking && s.Verdict == VerdictPending {
				return Step{}
			}
			return Next(c, s, now)
		},
		"says refunded before the money is back": func(c Campaign, s Seen, now time.Time) Step {
			s.Money.Unfinished = 0
			return Next(c, s, now)
		},
	} {
		m := newModel(broken, 1, 100_000)
		m.explore()
		if m.found == "" {
			t.Errorf("a campaign that %s keeps all promises", name)
		}
	}
}
