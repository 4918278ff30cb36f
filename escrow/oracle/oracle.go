package oracle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/simulated"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
)

// Options of a run.
type Options struct {
	Seed uint64
	// Folder is for the databases, and for what the processes of the escrow say.
	Folder string
}

// ErrWrong is returned by Run when the escrow did what it must not do.
var ErrWrong = errors.New("oracle: the escrow is wrong")

// Report is what a run saw.
type Report struct {
	Fired map[Fault]int
	// Pledges counts records, Paid those for which money was taken, and Ends those by the
	// status of their receipts.
	Pledges, Paid int
	Ends          map[string]int
	// Reasons counts why money went back, and Lives how attempts ended.
	Reasons, Lives map[string]int
}

// The size of a world, and how much happens in it.
const (
	backers       = 5
	mostAttempts  = 2
	previewActs   = 60
	windowActs    = 8
	aftermathActs = 14
	scrutinyActs  = 14
	tail          = 150 // lines of what happened that a failure shows
)

// Run lets a world happen to an escrow, lets everything come to rest, and judges. The
// error wraps [ErrWrong] when the escrow was wrong, and is of the simulation otherwise.
func Run(ctx context.Context, opts Options) (report Report, err error) {
	if err := os.MkdirAll(opts.Folder, 0o755); err != nil {
		return report, fmt.Errorf("oracle: make a folder: %w", err)
	}
	w, err := newWorld(ctx, opts)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	for _, chapter := range []func(context.Context) error{w.begin, w.preview, w.window, w.scrutiny, w.aftermath, w.calm} {
		if err := chapter(ctx); err != nil {
			return report, w.explain(err)
		}
	}
	end, err := w.judge(ctx)
	if err != nil {
		return report, w.explain(err)
	}
	if err := w.countFaults(ctx); err != nil {
		return report, err
	}
	lives := map[string]int{}
	for s, n := range end.stories {
		lives[strings.TrimSpace(s.phase+" "+s.reason)] += n
	}
	report = Report{Lives: lives, Fired: w.fired.Counts(), Pledges: len(w.pledges), Paid: end.paid, Ends: end.statuses, Reasons: end.reasons}
	return report, nil
}

// explain adds to an error what happened before it.
func (w *World) explain(err error) error {
	return fmt.Errorf("seed %d: %w\nwhat happened:\n%s", w.seed, err, w.tail(tail))
}

// wrong makes one error of findings; nil of none.
func wrong(findings []string) error {
	if len(findings) == 0 {
		return nil
	}
	const most = 40
	if len(findings) > most {
		findings = append(findings[:most:most], fmt.Sprintf("and %d more", len(findings)-most))
	}
	return fmt.Errorf("%w:\n  %s", ErrWrong, strings.Join(findings, "\n  "))
}

// countFaults adds what the network and the processor counted.
func (w *World) countFaults(ctx context.Context) error {
	for f, n := range w.net.Fired() {
		w.fired.add(Fault(ofNetwork+f), n)
	}
	fired, err := w.processor.Fired(ctx)
	for f, n := range fired {
		w.fired.add(Fault(ofProcessor+string(f)), int(n))
	}
	return err
}

// begin founds the society: people, a float, developers with previews, and waits until
// their campaigns are open. The faults begin with the escrow.
func (w *World) begin(ctx context.Context) error {
	for i := range backers {
		p, err := w.newPerson(fmt.Sprintf("backer%d", i))
		if err != nil {
			return err
		}
		w.people = append(w.people, p)
	}
	if err := w.topUp(ctx); err != nil {
		return err
	}
	w.skies = w.weather()
	if err := w.processor.SetFaults(ctx, w.skies); err != nil {
		return err
	}
	if w.one(3) {
		w.escrow.doom(crashpoint.BeforeOpening)
	}
	for i := range 1 + w.IntN(mostAttempts) {
		a, err := w.newAttempt(i)
		if err != nil {
			return err
		}
		w.attempts = append(w.attempts, a)
	}
	return w.await(ctx, "the campaigns are open", func() ([]string, error) {
		var left []string
		for _, a := range w.attempts {
			if err := w.prepare(ctx, a); err != nil {
				return nil, err
			}
			if !a.open {
				open, err := w.isOpen(ctx, a)
				if err != nil {
					return nil, err
				}
				a.open = open
			}
			if !a.open {
				left = append(left, a.author.name+"'s campaign")
			}
		}
		return left, nil
	})
}

// weather is how the processor misbehaves in this world.
func (w *World) weather() simulator.Faults {
	often := func(most float64) float64 { return pick(w.dice, []float64{0, most / 3, most}) }
	faults := simulator.Faults{Seed: w.seed, Probability: map[simulator.Fault]float64{
		simulator.FaultRateLimit: often(.02), simulator.FaultErrorBefore: often(.02), simulator.FaultCloseBefore: often(.02),
		simulator.FaultErrorAfter: often(.03), simulator.FaultCloseAfter: often(.03), simulator.FaultTruncateAfter: often(.03), simulator.FaultHangAfter: often(.006),
		simulator.FaultCloseLate:   often(.03),
		simulator.FaultWebhookLost: often(.3), simulator.FaultWebhookDuplicate: often(.3), simulator.FaultWebhookLate: often(.3),
		simulator.FaultRefundPending: often(.5), simulator.FaultRefundFails: often(.2),
		simulator.FaultRestrict: often(.3),
		simulator.FaultDispute:  often(.2), simulator.FaultDisputeWon: often(.5), simulator.FaultInquiry: often(.2), simulator.FaultFraudWarning: often(.1),
	}}
	if w.one(2) { // of what is rarely ordered, one is done late for certain
		for _, route := range []string{"POST /v1/accounts", "POST /v1/transfers"} {
			faults.Next = append(faults.Next, simulator.NextFault{Fault: simulator.FaultCloseLate, On: route})
		}
	}
	return faults
}

// preview is the time in which people pledge and pay, until after the closing.
func (w *World) preview(ctx context.Context) error {
	last := w.attempts[0].closesAt
	for _, a := range w.attempts {
		last = later(last, a.closesAt)
	}
	if err := w.support(ctx); err != nil {
		return err
	}
	for i := range previewActs {
		if err := w.act(ctx); err != nil {
			return err
		}
		// Half of the time passes in the first two thirds, the rest around the closing.
		left := last.Sub(w.clock.Now())
		if left > time.Hour && w.one(3) {
			if err := w.leap(ctx, w.between(time.Minute, max(2*time.Minute, 2*left/time.Duration(previewActs-i)))); err != nil {
				return err
			}
		}
	}
	for _, a := range w.byClosing() {
		if err := w.around(ctx, a.closesAt); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) byClosing() []*attempt {
	return slices.SortedFunc(slices.Values(w.attempts), func(a, b *attempt) int { return a.closesAt.Compare(b.closesAt) })
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// around lets something happen shortly before and after a campaign closes.
func (w *World) around(ctx context.Context, at time.Time) error {
	if w.one(3) {
		if err := w.doomNow(crashpoint.AfterFinish); err != nil {
			return err
		}
	}
	for _, offset := range []time.Duration{-2 * margin, -margin - 2*time.Minute, -w.between(time.Second, margin), -5 * time.Second, w.between(time.Second, time.Hour)} {
		if ahead := at.Add(offset).Sub(w.clock.Now()); ahead > 0 {
			if err := w.leap(ctx, ahead); err != nil {
				return err
			}
		}
		for range 1 + w.IntN(3) {
			if err := w.act(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// window is the time in which a developer decides.
func (w *World) window(ctx context.Context) error {
	for range windowActs {
		if err := w.act(ctx); err != nil {
			return err
		}
		if w.one(2) {
			if err := w.linger(ctx); err != nil {
				return err
			}
		}
		if err := w.leap(ctx, w.between(time.Hour, 2*releaseWindow/windowActs)); err != nil {
			return err
		}
	}
	return w.survey(ctx)
}

// aftermath is when banks remember.
func (w *World) aftermath(ctx context.Context) error {
	for range aftermathActs {
		if err := w.act(ctx); err != nil {
			return err
		}
		if w.one(2) {
			if err := w.actAsBank(ctx); err != nil {
				return err
			}
		}
		if err := w.leap(ctx, w.between(time.Hour, 12*day)); err != nil {
			return err
		}
	}
	return nil
}

// act lets one thing happen, to anybody. The escrow is mostly there.
func (w *World) act(ctx context.Context) error {
	if err := w.escrow.bury(); err != nil {
		return err
	}
	if !w.one(4) {
		if err := w.escrow.start(); err != nil {
			return err
		}
	}
	if !w.one(5) {
		if err := w.ready(ctx); err != nil {
			return err
		}
	}
	if w.one(heardOnce) {
		if err := w.heard(ctx); err != nil {
			return err
		}
	}
	if err := w.listen(ctx); err != nil {
		return err
	}
	if err := w.develop(ctx); err != nil {
		return err
	}
	if err := w.actOnce(ctx); err != nil {
		return err
	}
	w.pause(ctx)
	return nil
}

func (w *World) actOnce(ctx context.Context) error {
	switch w.IntN(46) {
	case 0, 1, 2, 3, 4:
		if w.over() && !w.one(4) {
			return w.actAsBank(ctx)
		}
		if err := w.pledge(pick(w.dice, w.people), pick(w.dice, w.attempts)); err != nil || w.one(3) {
			return err
		}
		return w.followPledge(ctx, w.pledges[len(w.pledges)-1])
	case 5, 6:
		if w.one(2) {
			return nil // most people mean it
		}
		return w.ofPledge(func(p *pledge) error {
			if len(p.offers) == 0 && !w.one(3) {
				return nil // it is more interesting later
			}
			if err := w.takeBack(p); err != nil || !p.paid || !w.one(2) {
				return err
			}
			return w.disputeUnheard(ctx)
		})
	case 7:
		return w.ofPledge(func(p *pledge) error {
			if p.gone() {
				return nil
			}
			return w.write(p)
		})
	case 8:
		if w.one(12) {
			return w.cancel(pick(w.dice, w.attempts))
		}
		return nil
	case 9, 10:
		if w.one(2) && w.undecided() {
			return nil // most people get what they have paid for
		}
		return w.actAsBank(ctx)
	case 12, 13:
		return w.escrow.end(!w.one(3))
	case 14, 15, 16:
		w.escrow.doom(crashpoint.EscrowPoints()...)
		return nil
	case 17, 18, 19, 20:
		return w.disturb(ctx)
	case 21, 22:
		return w.meddleWithWebhooks(ctx)
	case 23:
		return w.escrow.backup(ctx)
	case 24:
		return w.escrow.restore(ctx)
	case 25:
		return w.topUp(ctx)
	case 26:
		return w.tamper(pick(w.dice, w.attempts))
	case 27, 28:
		w.forge.set(pick(w.dice, []mood{moodWell, moodDown, moodCut}), w.clock.Now())
		return nil
	case 29:
		w.forge.setPreview(pick(w.dice, []mood{moodWell, moodDown}))
		return nil
	case 11, 30:
		return w.restrictPayee(ctx)
	case 31:
		w.escrow.doom(crashpoint.AfterMirror, crashpoint.BeforeSettlement)
		return nil
	default:
		if open := w.payable(); len(open) > 0 && !w.one(4) {
			return w.followPledge(ctx, pick(w.dice, open))
		}
		return w.ofPledge(func(p *pledge) error { return w.followPledge(ctx, p) })
	}
}

// payable are the pledges that their authors may still hope to pay for.
func (w *World) payable() (list []*pledge) {
	for _, p := range w.pledges {
		if !p.gone() && !p.paid && p.attempt.cancelledAt.IsZero() && w.clock.Now().Before(p.attempt.closesAt) {
			list = append(list, p)
		}
	}
	return list
}

// over reports whether nobody can pledge any more.
func (w *World) over() bool {
	for _, a := range w.attempts {
		if a.cancelledAt.IsZero() && w.clock.Now().Before(a.closesAt) {
			return false
		}
	}
	return true
}

// ofPledge does something about a pledge, mostly a young one.
func (w *World) ofPledge(do func(*pledge) error) error {
	if len(w.pledges) == 0 {
		return nil
	}
	const young = 4
	if w.one(2) {
		return do(pick(w.dice, w.pledges[max(0, len(w.pledges)-young):]))
	}
	return do(pick(w.dice, w.pledges))
}

// pause lets some real time pass, or none, so that things meet in different orders.
func (w *World) pause(ctx context.Context) {
	timer := time.NewTimer(time.Duration(w.IntN(4)*w.IntN(40)) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// disturb lets something go wrong in the network, now or with what comes next.
func (w *World) disturb(ctx context.Context) error {
	switch f := pick(w.dice, simulated.Faults()); f {
	case simulated.FaultHangUp:
		w.net.HangUp()
	case simulated.FaultOverwritten:
		return w.overwrite()
	case simulated.FaultLate:
		if w.one(2) {
			w.net.Release()
			break
		}
		fallthrough
	default:
		w.note("armed: %s", f)
		w.net.Arm(f)
	}
	return nil
}

// overwrite is somebody who has the escrow's password and writes over a record of it.
func (w *World) overwrite() error {
	held := w.escrow.account.Contents("fund.stratos.escrow.receipt")
	paths := slices.Sorted(maps.Keys(held))
	if len(paths) == 0 {
		return nil
	}
	path := pick(w.dice, paths)
	w.note("somebody writes over %s", path)
	_, err := w.escrow.account.Overwrite(path, fields{"note": "This is not a receipt."})
	return err
}

func (w *World) meddleWithWebhooks(ctx context.Context) error {
	var err error
	switch w.IntN(4) {
	case 0:
		w.fired.fire(FaultWebhooksLost)
		_, err = w.processor.LoseWebhooks(ctx)
	case 1:
		_, err = w.processor.HoldWebhooks(ctx)
	default:
		w.fired.fire(FaultWebhooksAtOne)
		_, err = w.processor.ReleaseWebhooks(ctx)
	}
	return err
}

func (w *World) topUp(ctx context.Context) error {
	amount := 20_000 + w.Int64N(60_000)
	w.note("the operator puts %d in", amount)
	_, err := w.processor.TopUp(ctx, amount, "usd")
	return err
}
