package oracle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// The phases, in the words of campaigns.
const (
	phaseOpen      = "open"
	phaseClosed    = "closed"
	phaseChecking  = "checking"
	phaseVerifying = "verifying"
	phaseDisputed  = "disputed"
	phaseSettling  = "settling"
	phaseReleased  = "released"
	phaseRefunding = "refunding"
	phaseRefunded  = "refunded"
)

// comesAfter says which phases may follow, at once or with others in between that nobody
// heard of.
var comesAfter = map[string][]string{
	phaseOpen:      {phaseClosed, phaseChecking, phaseVerifying, phaseDisputed, phaseSettling, phaseReleased, phaseRefunding, phaseRefunded},
	phaseClosed:    {phaseChecking, phaseVerifying, phaseDisputed, phaseSettling, phaseReleased, phaseRefunding, phaseRefunded},
	phaseChecking:  {phaseClosed, phaseVerifying, phaseDisputed, phaseSettling, phaseReleased, phaseRefunding, phaseRefunded},
	phaseVerifying: {phaseDisputed, phaseSettling, phaseReleased, phaseRefunding, phaseRefunded},
	phaseDisputed:  {phaseVerifying, phaseSettling, phaseReleased, phaseRefunding, phaseRefunded},
	phaseSettling:  {phaseReleased, phaseRefunding, phaseRefunded},
	phaseRefunding: {phaseRefunded},
}

// telling is what the escrow's repository said of a campaign, once.
type telling struct {
	heard time.Time
	raw   []byte
	*stratos.EscrowCampaign
}

// published is what was heard last of an attempt's campaign; nil for nothing.
func (a *attempt) published() *stratos.EscrowCampaign {
	if len(a.told) == 0 {
		return nil
	}
	return a.told[len(a.told)-1].EscrowCampaign
}

// listen keeps what is new in the campaigns of the escrow's repository.
func (w *World) listen(ctx context.Context) error {
	return w.records(lexicons.CollectionCampaign, func(key syntax.RecordKey, raw []byte) error {
		i := slices.IndexFunc(w.attempts, func(a *attempt) bool { return lexicons.DerivedKey(a.development.URI) == key })
		if i < 0 {
			return nil // the judgement finds it
		}
		a := w.attempts[i]
		if n := len(a.told); n > 0 && bytes.Equal(a.told[n-1].raw, raw) {
			return nil
		}
		record, err := lexicons.ParseRecord(w.escrow.account.DID, lexicons.CollectionCampaign, key, raw)
		if err != nil {
			return fmt.Errorf("%w: the campaign of %s: %w", ErrWrong, a.author.name, err)
		}
		c := record.(*stratos.EscrowCampaign)
		if before := a.published(); before == nil || before.Phase != c.Phase {
			reason := ""
			if c.Reason != nil {
				reason = " (" + *c.Reason + ")"
			}
			w.note("the campaign of %s is %s%s", a.author.name, c.Phase, reason)
			if c.Phase == phaseVerifying {
				if err := w.clonable(ctx, a, c); err != nil {
					return err
				}
			}
		}
		a.told = append(a.told, telling{w.clock.Now(), raw, c})
		return nil
	})
}

// survey wants the escrow to have done everything that is due by now, while its neighbours
// are well: so that later nobody can say that it had no time to look.
func (w *World) survey(ctx context.Context) error {
	w.note("somebody looks whether anything is overdue")
	w.forge.set(moodWell, w.clock.Now())
	if err := w.processor.SetFaults(ctx, simulator.Faults{Seed: w.seed}); err != nil {
		return err
	}
	if err := w.restart(ctx); err != nil {
		return err
	}
	if w.one(2) { // it catches up now, so now it comes past there
		if err := w.doomNow(crashpoint.BeforeSettlement, crashpoint.AfterMirror); err != nil {
			return err
		}
	}
	if err := w.await(ctx, "nothing is overdue", func() ([]string, error) {
		w.net.Release() // of what was armed before, too
		return w.overdue(ctx)
	}); err != nil {
		return err
	}
	return w.processor.SetFaults(ctx, w.skies)
}

// undecided reports whether the money of some attempt may still go either way.
func (w *World) undecided() bool {
	return slices.ContainsFunc(w.attempts, func(a *attempt) bool {
		c := a.published()
		return c != nil && slices.Contains([]string{phaseOpen, phaseClosed, phaseChecking, phaseVerifying, phaseDisputed}, c.Phase)
	})
}

// overdue lists what should have happened by now, by the campaigns themselves.
func (w *World) overdue(ctx context.Context) (late []string, err error) {
	if err := w.listen(ctx); err != nil {
		return nil, err
	}
	for _, a := range w.attempts {
		why, err := w.overdueOf(ctx, a)
		if err != nil {
			return nil, err
		}
		if why != "" {
			late = append(late, fmt.Sprintf("%s's campaign is %s, and %s", a.author.name, a.published().Phase, why))
		}
	}
	return late, nil
}

func (w *World) overdueOf(ctx context.Context, a *attempt) (why string, err error) {
	c := a.published()
	if c == nil {
		return "nobody heard of it", nil
	}
	now := w.clock.Now()
	passed := func(at string) bool { return !now.Before(momentOf(at)) }
	switch c.Phase {
	case phaseOpen, phaseClosed, phaseChecking:
		if !a.cancelledAt.IsZero() {
			return "its developer has cancelled", nil
		}
	case phaseVerifying, phaseDisputed, phaseSettling:
		if why, err := w.unmirrored(ctx, a, c); why != "" || err != nil {
			return why, err
		}
	}
	switch c.Phase {
	case phaseOpen:
		if passed(c.ClosesAt) {
			return "pledging is over", nil
		}
	case phaseClosed:
		if due := later(momentOf(c.ReleaseBy), correctionsEnd(c)); !now.Before(due) {
			return "the time for a release is over", nil
		}
		if r := a.work.newest(); r != nil && a.work.takenBack.IsZero() && !failedSince(c, r.at) {
			return "there is a release", nil
		}
	case phaseChecking:
		return "the forge is well", nil
	case phaseVerifying:
		if passed(*c.VerificationEndsAt) {
			return "verification is over", nil
		}
	case phaseDisputed:
		if by := c.Pauses[len(c.Pauses)-1].RulingBy; by != nil && passed(*by) {
			return "nobody has ruled", nil
		}
	case phaseSettling:
		if a.stopped {
			return "", nil
		}
		return w.unpaid(a)
	}
	return "", nil
}

// unpaid says whether money is held although everybody can be paid.
func (w *World) unpaid(a *attempt) (why string, err error) {
	receipts, err := w.receipts()
	if err != nil {
		return "", err
	}
	for _, p := range w.pledges {
		if r := receipts[p.uri()]; p.attempt == a && r != nil && r.Status == statusHeld {
			return "its payees can be paid", nil
		}
	}
	return "", nil
}

// correction is how long a release that failed may be corrected (rule 12).
const correction = 72 * time.Hour

// correctionsEnd is until when what failed may be corrected; zero when nothing did.
func correctionsEnd(c *stratos.EscrowCampaign) (end time.Time) {
	for _, check := range c.Checks {
		if !check.Passed && check.Name != checkOfPreview {
			end = later(end, momentOf(check.CheckedAt).Add(correction))
		}
	}
	return end
}

// clonable wants what is published as accepted to be there to clone, whenever the escrow
// answers at all: people are asked to look at it from now on.
func (w *World) clonable(ctx context.Context, a *attempt, c *stratos.EscrowCampaign) error {
	if c.Mirror == nil {
		return fmt.Errorf("%w: the release of %s is accepted without a mirror", ErrWrong, a.author.name)
	}
	shown, err := w.visit(ctx, *c.Mirror+"/info/refs", nil)
	if err != nil {
		return ctx.Err() // the escrow is not there, which people see
	}
	if shown.status == http.StatusNotFound {
		return fmt.Errorf("%w: the release of %s is accepted, and cannot be cloned from the mirror", ErrWrong, a.author.name)
	}
	return nil
}

// unmirrored says what is wrong with what can be cloned of an accepted release.
func (w *World) unmirrored(ctx context.Context, a *attempt, c *stratos.EscrowCampaign) (why string, err error) {
	if c.Mirror == nil {
		return "it has no mirror", nil
	}
	r := a.work.version(c.Release.Cid)
	if r == nil {
		return "", nil // the judgement finds it
	}
	shown, err := w.visit(ctx, *c.Mirror+"/info/refs", nil)
	if err != nil {
		return "its mirror does not answer", nil
	}
	if want := r.commit.String() + "\trefs/heads/release\n"; shown.status != http.StatusOK || !strings.Contains(shown.body, want) {
		return fmt.Sprintf("its mirror answers %d %q", shown.status, shown.body), nil
	}
	packs, err := w.visit(ctx, *c.Mirror+"/objects/info/packs", nil)
	if err != nil || !strings.HasPrefix(packs.body, "P pack-") {
		return "its mirror has no pack", nil
	}
	return "", nil
}

// ending is how an attempt ended.
type ending struct{ phase, reason string }

// judgeStory goes through everything that was said of a campaign, and compares it with what
// people did: nobody's word but theirs, the processor's and the clock's counts.
func (w *World) judgeStory(a *attempt, r *records, rulings map[string][]*stratos.EscrowRuling, wrong func(string, ...any)) ending {
	if len(a.told) == 0 {
		wrong("nothing was told of %s", a.author.name)
		return ending{}
	}
	of := func(format string, args ...any) { wrong("the campaign of "+a.author.name+": "+format, args...) }
	w.judgeOpening(a, a.told[0], of)
	for i, t := range a.told {
		if i > 0 {
			judgeProgress(a.told[i-1], t, of)
		}
		w.judgeTelling(a, t, r, of)
	}
	last := a.told[len(a.told)-1]
	if last.Phase != phaseReleased && last.Phase != phaseRefunded {
		of("it ends as %s", last.Phase)
	}
	if t, ok := a.first(phaseSettling, phaseReleased); ok {
		w.judgeSettling(a, t, rulings, r, of)
	}
	if t, ok := a.first(phaseRefunding, phaseRefunded); ok {
		w.judgeRefunding(a, t, rulings, r, of)
	}
	return ending{last.Phase, textOf(last.Reason)}
}

// first is the first telling of one of the phases.
func (a *attempt) first(phases ...string) (telling, bool) {
	i := slices.IndexFunc(a.told, func(t telling) bool { return slices.Contains(phases, t.Phase) })
	if i < 0 {
		return telling{}, false
	}
	return a.told[i], true
}

// judgeOpening compares what was frozen with what was announced (rule 8).
func (w *World) judgeOpening(a *attempt, t telling, wrong func(string, ...any)) {
	shares := []int64{10_000}
	if len(a.payees) > 1 {
		shares = []int64{firstShare, 10_000 - firstShare}
	}
	if len(t.Payees) != len(a.payees) {
		wrong("it has %d payees, and %d were named", len(t.Payees), len(a.payees))
		return
	}
	for i, p := range a.payees {
		if got := t.Payees[i]; got.Did != p.DID.String() || got.Share != shares[i] || got.Account == nil {
			wrong("payee %d is %s with %d", i, got.Did, got.Share)
		}
	}
	commitment := ""
	if t.Commitment != nil {
		commitment = t.Commitment.Tree
	}
	if want := a.work.commitment(); want == nil && commitment != "" || want != nil && commitment != want["tree"] {
		wrong("it is committed to the tree %q, and the preview to %v", commitment, want)
	}
	if !momentOf(t.ClosesAt).Equal(a.closesAt) || !momentOf(t.ReleaseBy).Equal(a.closesAt.Add(releaseWindow)) || !momentOf(t.FinalAt).Equal(momentOf(t.OpensAt).Add(mostHold)) {
		wrong("its dates are %s, %s, %s, %s", t.OpensAt, t.ClosesAt, t.ReleaseBy, t.FinalAt)
	}
	if t.Proposal.Uri != a.proposal.URI.String() || t.Development.Cid != a.development.CID.String() {
		wrong("it is about %s of %s", t.Development.Cid, t.Proposal.Uri)
	}
}

// judgeProgress wants nothing frozen to change, no phase to come again, and no deadline to
// move but to a later time.
func judgeProgress(before, now telling, wrong func(string, ...any)) {
	if before.frozen() != now.frozen() {
		wrong("what was frozen has changed from %s to %s", before.frozen(), now.frozen())
	}
	if before.Phase != now.Phase && !slices.Contains(comesAfter[before.Phase], now.Phase) {
		wrong("%s comes after %s", now.Phase, before.Phase)
	}
	if momentOf(now.UpdatedAt).Before(momentOf(before.UpdatedAt)) {
		wrong("it goes back in time, from %s to %s", before.UpdatedAt, now.UpdatedAt)
	}
	if before.Pot != nil && (now.Pot == nil || *now.Pot != *before.Pot) {
		wrong("the pot was %+v, and is %+v", before.Pot, now.Pot)
	}
	if before.Release == nil {
		return
	}
	switch {
	case now.Release == nil || *now.Release != *before.Release || *now.AcceptedAt != *before.AcceptedAt:
		wrong("another release was accepted: %+v, %+v", before.Release, now.Release)
	case momentOf(*now.VerificationEndsAt).Before(momentOf(*before.VerificationEndsAt)):
		wrong("verification ended on %s, and then on %s", *before.VerificationEndsAt, *now.VerificationEndsAt)
	}
}

// frozen is what may never change.
func (t telling) frozen() string {
	c := *t.EscrowCampaign
	c.Phase, c.Reason, c.Pot, c.Totals, c.UpdatedAt, c.Checks = "", nil, nil, nil, "", nil
	c.Release, c.AcceptedAt, c.VerificationEndsAt, c.Mirror, c.Pauses = nil, nil, nil, nil, nil
	raw, err := json.Marshal(c)
	if err != nil {
		panic(err) // it was JSON before
	}
	return string(raw)
}

// judgeTelling looks at one by itself.
func (w *World) judgeTelling(a *attempt, t telling, r *records, wrong func(string, ...any)) {
	at := momentOf(t.UpdatedAt)
	if at.After(t.heard) {
		wrong("on %s it says that it is %s", t.heard, t.UpdatedAt)
	}
	if t.Phase != phaseOpen && t.Phase != phaseRefunding && t.Phase != phaseRefunded && at.Before(a.closesAt) {
		wrong("on %s it is %s, and people can still pledge", t.UpdatedAt, t.Phase)
	}
	for _, p := range t.Pauses {
		w.judgePause(a, t, p, r, wrong)
	}
	if t.Release == nil {
		if slices.Contains([]string{phaseVerifying, phaseDisputed, phaseSettling, phaseReleased}, t.Phase) {
			wrong("it is %s without a release", t.Phase)
		}
		return
	}
	accepted, ends := momentOf(*t.AcceptedAt), momentOf(*t.VerificationEndsAt)
	switch v := a.work.version(t.Release.Cid); {
	case v == nil:
		wrong("it accepted %s, which %s never wrote", t.Release.Cid, a.author.name)
	case v.flaw != flawNone:
		wrong("it accepted a release with %s", v.flaw)
	case accepted.Before(v.at.Truncate(time.Millisecond)) || accepted.Before(a.closesAt):
		wrong("it accepted on %s what was released on %s", accepted, v.at)
	}
	least, most := endsOn(t.EscrowCampaign, 0), endsOn(t.EscrowCampaign, disputeReserve)
	if ends.Before(least) || ends.After(most) || len(t.Pauses) == 0 && !ends.Equal(least) {
		wrong("of a release that it accepted on %s, verification ends on %s", accepted, ends)
	}
	if !slices.Contains([]string{phaseVerifying, phaseSettling, phaseReleased}, t.Phase) {
		return // it stands, or never went on
	}
	if stood := standstill(t.Pauses); ends.Before(accepted.Add(verification+stood)) && ends.Before(most) {
		wrong("of a release that it accepted on %s, verification ends on %s, and disputes stopped the clock for %s", accepted, ends, stood)
	}
}

// endsOn is when verification ends of what was accepted, if the clock stands for so long: on
// the final date at the latest (rule 15).
func endsOn(c *stratos.EscrowCampaign, stood time.Duration) time.Time {
	end, final := momentOf(*c.AcceptedAt).Add(verification+stood), momentOf(c.FinalAt)
	if final.Before(end) {
		return final
	}
	return end
}

// standstill is how long the clock stood, for whatever dispute.
func standstill(pauses []stratos.EscrowCampaign_Pause) (sum time.Duration) {
	var until time.Time
	for _, p := range slices.SortedFunc(slices.Values(pauses), func(a, b stratos.EscrowCampaign_Pause) int { return momentOf(a.From).Compare(momentOf(b.From)) }) {
		if p.To == nil {
			continue // it began after what this speaks of
		}
		from, to := later(momentOf(p.From), until), momentOf(*p.To)
		if to.After(from) {
			sum, until = sum+to.Sub(from), to
		}
	}
	return sum
}

// judgePause wants a dispute to stop the clock only if somebody wrote it who has paid, and
// not for longer than the reserve.
func (w *World) judgePause(a *attempt, t telling, p stratos.EscrowCampaign_Pause, r *records, wrong func(string, ...any)) {
	from := momentOf(p.From)
	i := slices.IndexFunc(w.disputes, func(d *dispute) bool { return d.URI.String() == p.Dispute.Uri })
	if i < 0 || w.disputes[i].attempt != a || from.Before(w.disputes[i].at.Truncate(time.Millisecond)) {
		wrong("%s stops its clock on %s", p.Dispute.Uri, from)
		return
	}
	paid := false
	for _, pledge := range w.pledges {
		for _, c := range r.charges[pledge.uri()] {
			paid = paid || pledge.attempt == a && pledge.backer == w.disputes[i].author && !c.at().After(from)
		}
	}
	if !paid {
		wrong("%s stops its clock, and has not paid", w.disputes[i].author.name)
	}
	if p.RulingBy == nil {
		return
	}
	by, last := momentOf(*p.RulingBy), endsOn(t.EscrowCampaign, disputeReserve)
	if by.After(last) && by.After(from) || by.Sub(from) > ruling {
		wrong("the dispute of %s has to be ruled on by %s", p.From, *p.RulingBy)
	}
}

// judgeSettling wants the clock to be over, and nobody to dispute any more (rules 13, 14).
func (w *World) judgeSettling(a *attempt, t telling, rulings map[string][]*stratos.EscrowRuling, r *records, wrong func(string, ...any)) {
	at, ends := momentOf(t.UpdatedAt), momentOf(*t.VerificationEndsAt)
	if at.Before(ends) {
		wrong("it is %s on %s, and verification ends on %s", t.Phase, at, ends)
	}
	var first []*person
	for _, d := range w.disputesOf(a) {
		if slices.Contains(first, d.author) {
			continue // once for a release
		}
		first = append(first, d.author)
		if !d.at.Before(ends) || !w.surelyHolds(a, d.author, r) {
			continue
		}
		withdrawn := !d.deletedAt.IsZero() && !d.deletedAt.After(at)
		rejected := slices.IndexFunc(rulings[d.URI.String()], func(r *stratos.EscrowRuling) bool { return r.Outcome == outcomeRejected })
		if !withdrawn && rejected < 0 {
			wrong("it is %s on %s, and %s disputes since %s", t.Phase, at, d.author.name, d.at)
		}
		if rejected >= 0 {
			// Others have time to look (rule 13), as far as the reserve goes.
			left, last := momentOf(rulings[d.URI.String()][rejected].CreatedAt).Add(afterRejection), endsOn(t.EscrowCampaign, disputeReserve)
			if ends.Before(left) && ends.Before(last) {
				wrong("verification ends on %s, and a dispute was rejected %s before", ends, ends.Sub(left)+afterRejection)
			}
		}
	}
	for _, d := range w.disputesOf(a) {
		if slices.ContainsFunc(rulings[d.URI.String()], func(r *stratos.EscrowRuling) bool { return r.Outcome == outcomeUpheld }) {
			wrong("it is %s, and the dispute of %s was upheld", t.Phase, d.author.name)
		}
	}
}

// afterRejection is how long people can look at least when a dispute was rejected.
const afterRejection = 72 * time.Hour

// surelyHolds reports whether nothing ever went back of some pledge of a person.
func (w *World) surelyHolds(a *attempt, who *person, r *records) bool {
	return slices.ContainsFunc(w.pledges, func(p *pledge) bool {
		charges := r.charges[p.uri()]
		return p.attempt == a && p.backer == who && !p.gone() && len(charges) == 1 && charges[0].at().Before(a.closesAt) &&
			len(charges[0].refunds) == 0 && len(charges[0].disputes) == 0 && charges[0].warnedAt.IsZero()
	})
}

// judgeRefunding wants a reason for which money may go back.
func (w *World) judgeRefunding(a *attempt, t telling, rulings map[string][]*stratos.EscrowRuling, r *records, wrong func(string, ...any)) {
	at, reason := momentOf(t.UpdatedAt), textOf(t.Reason)
	accepted := t.Release != nil
	may := false
	switch reason {
	case reasonCancelled:
		may = !accepted && !a.cancelledAt.IsZero() && !at.Before(a.cancelledAt.Truncate(time.Millisecond))
	case reasonNotReleased:
		may = !accepted && !at.Before(momentOf(t.ReleaseBy)) && !w.surelyReleased(a)
	case reasonUndecided:
		may = !at.Before(momentOf(t.FinalAt))
	case reasonUpheld:
		may = slices.ContainsFunc(w.disputesOf(a), func(d *dispute) bool {
			return slices.ContainsFunc(rulings[d.URI.String()], func(r *stratos.EscrowRuling) bool { return r.Outcome == outcomeUpheld })
		})
	case reasonUnpayable:
		may = accepted && !at.Before(momentOf(t.FinalAt)) && a.restricted
	case reasonNothing:
		may = true
		for _, p := range w.pledges {
			for _, c := range r.charges[p.uri()] {
				if p.attempt == a && !p.gone() && c.warnedAt.IsZero() && !c.tookMoney(r.movements) && c.at().Before(a.closesAt.Truncate(time.Second)) {
					may = false
				}
			}
		}
	}
	if !may {
		wrong("on %s everything goes back because %s", at, reason)
	}
}

// surelyReleased reports whether a release was there in time that nothing was wrong with, and
// stayed.
func (w *World) surelyReleased(a *attempt) bool {
	r := a.work.newest()
	return r != nil && r.flaw == flawNone && !r.moved && a.work.takenBack.IsZero() && r.at.Before(a.closesAt.Add(releaseWindow)) &&
		!w.forge.failedAfter(r.at.Add(decideWithin))
}

// decideWithin is how long a forge may fail until that counts against a release (rule 12).
const decideWithin = day

// judgeRulings wants each to be the operator's, or what the rules say when he says nothing.
func (w *World) judgeRulings(rulings map[string][]*stratos.EscrowRuling, wrong func(string, ...any)) {
	for uri, list := range rulings {
		i := slices.IndexFunc(w.disputes, func(d *dispute) bool { return d.URI.String() == uri })
		if i < 0 || len(list) > 1 {
			wrong("%d rulings on %s", len(list), uri)
			continue
		}
		d := w.disputes[i]
		c := d.attempt.published()
		if c == nil || c.AcceptedAt == nil {
			wrong("a ruling on %s, and no release was accepted", uri)
			continue
		}
		if slices.Contains(d.ordered, list[0].Outcome) {
			continue
		}
		last := endsOn(c, disputeReserve)
		due := d.at.Add(ruling)
		if last.Before(due) {
			due = last
		}
		want := outcomeUpheld
		if !d.attempt.work.tree.IsZero() {
			want = outcomeRejected
		}
		byRule := list[0].Outcome == want || d.reason == reasonOfPreview && w.forge.previewFailed()
		if at := momentOf(list[0].CreatedAt); at.Before(due.Truncate(time.Millisecond)) || !byRule {
			wrong("the dispute of %s is %s since %s, and the operator wanted %v", d.author.name, list[0].Outcome, at, d.ordered)
		}
	}
}
