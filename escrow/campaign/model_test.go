package campaign

import (
	"fmt"
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

// The model goes through every state that two attempts at one proposal can come into, with
// three pledges, two payees, two disputes, and each fault once: whoever acts, in whatever
// order, at whatever of its moments. What campaigns do is decided and computed by the code
// of this package; people, processor and ledger are a few lines here, and the ledger of the
// model would do whatever it is told, also twice.

// span is the distance of two moments; everything lasts for a number of them.
const span = 72 * time.Hour

// How long things last in the model, in spans. There are 7 days left before the final date,
// as in terms.
const (
	modelCloses, modelRelease, modelVerification, modelReserve, modelRuling = 1, 1, 2, 2, 1

	modelFinal = modelCloses + modelRelease + modelVerification + modelReserve + 3
)

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
	settledInDispute    bool
	settledUnverified   bool
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
	phase                                           lifecycle.Phase // empty before it opens
	reason                                          Reason
	opened, correctBy, acceptedAt, endsAt, pausedAt int8
	corrections, edits                              uint8
	pot                                             bool // final, and not zero
	seen, unseen, cancelled, decided                bool
	verdict                                         Verdict
	pledges                                         [2]modelPledge
	disputes                                        [2]modelDispute
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
	attempts [2]modelAttempt
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
	seen   map[modelWorld]struct{}
	found  string // the first promise that was broken
	budget int
}

func (a *modelAttempt) campaign() Campaign {
	c := Campaign{
		Phase: a.phase, Reason: a.reason, OpensAt: at(a.opened), ClosesAt: at(a.opened + modelCloses),
		ReleaseBy: at(a.opened + modelCloses + modelRelease), FinalAt: at(a.opened + modelFinal),
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

func (a *modelAttempt) live() bool { return a.phase != "" && a.reason == "" }

func (a *modelAttempt) over() bool {
	return a.phase == "" || a.phase == lifecycle.PhaseReleased || a.phase == lifecycle.PhaseRefunded
}

// look is what the driver sees of an attempt.
func (w *modelWorld) look(a *modelAttempt) (c Campaign, s Seen) {
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
		if d.stands || d.ended != "" {
			list = append(list, Dispute{SeenAt: at(d.seen), RulingBy: at(d.rulingBy), EndedAt: at(d.endedAt), Ended: d.ended})
		}
	}
	slices.SortStableFunc(list, func(a, b Dispute) int { return a.SeenAt.Compare(b.SeenAt) })
	return list
}

// modelAmount is what each pledge is, and modelFee what the operator may take.
const (
	modelAmount = 1999
	modelFee    = 500
)

// drive lets the driver go as far as it can.
func (m *model) drive(w modelWorld) modelWorld {
	for i := range w.attempts {
		for n := 0; w.on&faultDown == 0 && w.attempts[i].phase != ""; n++ {
			a := &w.attempts[i]
			c, s := w.look(a)
			step := m.next(c, s, at(w.now))
			if step.Act == ActNone || !m.do(&w, a, c, s, step) {
				break
			}
			m.acts[step.Act]++
			if n > 40 {
				m.broken("it goes round in circles: %+v", w)
				break
			}
		}
	}
	return w
}

// do is what the driver does with a step, without a database. It reports whether that
// changed anything.
func (m *model) do(w *modelWorld, a *modelAttempt, c Campaign, s Seen, step Step) bool {
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
		c.Phase = lifecycle.PhaseSettling
	case ActPay:
		if w.on&faultUnpayable != 0 {
			return false
		}
		a.decided = true
		disputed := slices.ContainsFunc(a.disputes[:], func(d modelDispute) bool { return d.stands || d.ended == EndedUpheld })
		for i := range a.pledges {
			if p := &a.pledges[i]; p.state == pledgeHeld {
				p.state, p.left = pledgeOwed, 2
				p.paidOut++
				p.settledInDispute = disputed
				p.settledUnverified = a.acceptedAt == never || w.now < a.acceptedAt+modelVerification
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

func (m *model) broken(format string, args ...any) {
	if m.found == "" {
		m.found = fmt.Sprintf(format, args...)
	}
}

// moves are all that people, banks and faults can do in a state.
func (m *model) moves(w modelWorld) (out []modelWorld) {
	with := func(change func(*modelWorld)) {
		next := w
		change(&next)
		out = append(out, m.drive(next))
	}
	if w.attempts[0].over() && w.attempts[1].over() && (w.attempts[0].reason == "" || w.attempts[1].phase != "") {
		return nil
	}
	if w.now < modelFinal+2 {
		with(func(w *modelWorld) { w.now++ })
	}
	for i := range w.attempts {
		m.developer(w, i, with)
		m.backers(w, i, with)
	}
	for _, f := range []fault{faultDown, faultBehind, faultUncertain, faultUnpayable} {
		if !w.matters(f) {
			continue
		}
		switch {
		case w.used&f == 0:
			with(func(w *modelWorld) { w.used, w.on, w.known = w.used|f, w.on|f, w.frozen(f) })
		case w.on&f != 0:
			with(func(w *modelWorld) {
				if w.on &^= f; f == faultBehind {
					w.known = 0
				}
			})
		}
	}
	return out
}

// matters tells whether a fault can change anything now.
func (w *modelWorld) matters(f fault) bool {
	for i := range w.attempts {
		a := &w.attempts[i]
		switch {
		case a.over():
		case f == faultUnpayable && (a.phase == lifecycle.PhaseVerifying || a.phase == lifecycle.PhaseSettling),
			f == faultUncertain && w.now >= a.opened+modelFinal-1,
			f == faultDown || f == faultBehind && a.live():
			return true
		}
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

// developer acts for an attempt: opens the second when the first goes back, cancels,
// releases, edits, takes back. The checks say something.
func (m *model) developer(w modelWorld, i int, with func(func(*modelWorld))) {
	a := &w.attempts[i]
	if i == 1 && a.phase == "" && w.attempts[0].reason != "" && w.on&faultDown == 0 {
		with(func(w *modelWorld) { w.attempts[1] = opening(w.now) })
	}
	if a.phase == "" || !slices.Contains(cancellable, a.phase) {
		return
	}
	if !a.cancelled {
		with(func(w *modelWorld) { w.attempts[i].cancelled = true })
	}
	if a.edits < m.edits && !a.unseen {
		with(func(w *modelWorld) { w.attempts[i].edits++; w.attempts[i].unseen = true })
	}
	if a.verdict != VerdictNone && !a.unseen {
		with(func(w *modelWorld) { w.attempts[i].verdict = VerdictNone })
	}
	if a.verdict == VerdictPending {
		with(func(w *modelWorld) { w.attempts[i].verdict = VerdictPassed })
		with(func(w *modelWorld) {
			a := &w.attempts[i]
			a.verdict = VerdictFailed
			a.keep(a.campaign().failed(at(w.now)))
		})
	}
}

// backers pay, take back, dispute; the escrow rules, and banks do what banks do.
func (m *model) backers(w modelWorld, i int, with func(func(*modelWorld))) {
	a := &w.attempts[i]
	if a.phase == "" {
		return
	}
	for j, p := range a.pledges[:2-i] { // three of them
		set := func(state pledgeState) {
			with(func(w *modelWorld) { w.attempts[i].pledges[j].state = state })
		}
		goesBack := func(w *modelWorld) {
			w.attempts[i].pledges[j].state = pledgeDue
			w.attempts[i].pledges[j].refunded++
		}
		switch p.state {
		case pledgeNone:
			if a.phase == lifecycle.PhaseOpen && w.now < a.opened+modelCloses {
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
				with(func(w *modelWorld) { w.used |= faultBank; w.attempts[i].pledges[j].state = pledgeTaken })
			}
		case pledgeDue:
			set(pledgeBack)
			if w.used&faultReturned == 0 {
				with(func(w *modelWorld) { w.used |= faultReturned; w.attempts[i].pledges[j].state = pledgeReturned })
			}
		case pledgeReturned:
			set(pledgeBack) // claimed
		case pledgeOwed:
			with(func(w *modelWorld) { w.attempts[i].pledges[j].transferred() })
		}
	}
	c := a.campaign()
	if !disputable(c) {
		return
	}
	for j, d := range a.disputes[:2-i] {
		switch {
		case !d.stands && d.ended == "" && a.pledges[j].state == pledgeHeld:
			if w.on&(faultDown|faultBehind) == 0 {
				with(func(w *modelWorld) {
					w.attempts[i].disputes[j] = modelDispute{stands: true, seen: w.now, rulingBy: spanOf(c.rulingBy(at(w.now))), endedAt: never}
					if c.Phase == lifecycle.PhaseVerifying {
						c := c.pause(at(w.now))
						c.Phase = lifecycle.PhaseDisputed
						w.attempts[i].keep(c)
					}
				})
			}
		case d.stands:
			for _, how := range []Ended{EndedWithdrawn, EndedUpheld, EndedRejected} {
				with(func(w *modelWorld) {
					d := &w.attempts[i].disputes[j]
					d.stands, d.ended, d.endedAt = false, how, w.now
				})
			}
		}
	}
}

func (p *modelPledge) transferred() {
	if p.left--; p.left == 0 {
		p.state = pledgePaid
	}
}

// opening is an attempt that has just opened.
func opening(now int8) modelAttempt {
	return modelAttempt{phase: lifecycle.PhaseOpen, opened: now, correctBy: never, acceptedAt: never, endsAt: never, pausedAt: never}
}

// promises hold in each state.
func (m *model) promises(w modelWorld) {
	for i := range w.attempts {
		a := &w.attempts[i]
		if a.phase == "" {
			continue
		}
		c := a.campaign()
		if c.Accepted != nil && (c.Accepted.EndsAt.After(c.lastEnd()) || c.lastEnd().After(c.FinalAt)) {
			m.broken("disputes add more than the reserve: %+v", w)
		}
		for _, p := range a.pledges {
			switch {
			case p.refunded+p.paidOut > 1 || p.refundedAfterPayout:
				m.broken("a pledge is sent twice: %+v", w)
			case p.settledInDispute || p.settledUnverified:
				m.broken("paid in a dispute, or before people could look: %+v", w)
			case p.paidOut > 0 && a.reason != "":
				m.broken("paid, and everybody is refunded: %+v", w)
			case a.over() && (p.state == pledgePending || p.state == pledgeHeld || p.state == pledgeOwed):
				m.broken("it is over, and somebody waits: %+v", w)
			}
		}
	}
	if w.attempts[0].live() && w.attempts[1].live() {
		m.broken("two are under way: %+v", w)
	}
}

// alone is what time alone makes of a state, when people do nothing any more: the escrow
// comes back and its clock is right, but the index may stay behind, and payees unpayable.
func (m *model) alone(w modelWorld) {
	start := w
	w.on &^= faultDown | faultUncertain
	for range 2*modelFinal + 3 {
		w = m.drive(w)
		for i := range w.attempts {
			for j := range w.attempts[i].pledges {
				switch p := &w.attempts[i].pledges[j]; p.state {
				case pledgeDue, pledgeReturned:
					p.state = pledgeBack
				case pledgeOwed:
					p.transferred()
				}
			}
		}
		w = m.drive(w)
		m.promises(w)
		if w.attempts[0].over() && w.attempts[1].over() {
			m.count(w)
			return
		}
		w.now++
	}
	m.broken("time does not end %+v, it comes to %+v", start, w)
}

// count adds up what became of the money at an end, and wants the operator to have no more
// than the fee.
func (m *model) count(w modelWorld) {
	for i := range w.attempts {
		a := &w.attempts[i]
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
}

// same is the state that stands for all those that go on in the same way: what an attempt
// that goes back, or is over, had been through does not matter any more, nor when the
// other one opened.
func (w modelWorld) same() modelWorld {
	for i := range w.attempts {
		a := &w.attempts[i]
		if a.phase == "" || a.live() && !a.over() {
			continue
		}
		past := opening(0)
		past.phase, past.reason, past.decided, past.pledges = a.phase, a.reason, a.decided, a.pledges
		if a.over() {
			past.pledges = [2]modelPledge{}
		}
		if i == 0 && w.attempts[1].phase != "" {
			past.reason = ReasonCancelled // whatever it was
		}
		*a = past
	}
	switch first, second := &w.attempts[0], &w.attempts[1]; {
	case first.over() && second.over() && (first.reason == "" || second.phase != ""):
		w.now, w.used, w.on, w.known = 0, 0, 0, 0
	case second.live() && !first.live():
		w.shift(second)
	}
	return w
}

// shift lets an attempt have opened at the beginning.
func (w *modelWorld) shift(a *modelAttempt) {
	by := a.opened
	w.now -= by
	if w.on&faultBehind != 0 {
		w.known = max(0, w.known-by)
	}
	for _, t := range []*int8{&a.opened, &a.correctBy, &a.acceptedAt, &a.endsAt, &a.pausedAt} {
		if *t != never {
			*t -= by
		}
	}
	for i := range a.disputes {
		if d := &a.disputes[i]; d.stands || d.ended != "" {
			for _, t := range []*int8{&d.seen, &d.rulingBy, &d.endedAt} {
				if *t != never {
					*t -= by
				}
			}
		}
	}
}

// explore goes through all states, breadth first, and returns their number.
func (m *model) explore() int {
	begin := modelWorld{attempts: [2]modelAttempt{opening(0), {}}}
	m.seen = map[modelWorld]struct{}{begin: {}}
	for frontier := []modelWorld{begin}; len(frontier) > 0 && m.found == "" && len(m.seen) < m.budget; {
		var next []modelWorld
		for _, w := range frontier {
			m.promises(w)
			m.alone(w)
			for _, after := range m.moves(w) {
				after = after.same()
				if _, known := m.seen[after]; !known {
					m.seen[after] = struct{}{}
					next = append(next, after)
				}
			}
		}
		frontier = next
	}
	return len(m.seen)
}

func newModel(next func(Campaign, Seen, time.Time) Step, edits uint8, budget int) *model {
	return &model{next: next, edits: edits, acts: map[Act]int{}, ends: map[string]int{}, budget: budget}
}

// modelStates says how many states `make model` goes through at most; without it a part of
// them is enough.
const modelStates = "MODEL_STATES"

func TestModel_TimeAloneEndsEachStateAndNothingIsPaidTwice(t *testing.T) {
	t.Parallel()
	budget := 30_000
	if n, err := strconv.Atoi(os.Getenv(modelStates)); err == nil {
		budget = n
	}
	m := newModel(Next, 2, budget)
	states := m.explore()
	t.Logf("%d states; acts: %v; ends: %v", states, m.acts, m.ends)
	if states >= budget {
		t.Logf("there are more: the first %d were looked at", states)
	}
	if m.found != "" {
		t.Fatal(m.found)
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
