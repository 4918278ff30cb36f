package campaign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/escrow/checks"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/escrow/watch"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	index "github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// Terms are what the escrow offers.
type Terms interface {
	// Offer returns the terms that new campaigns get.
	Offer(ctx context.Context, q sqlite.Querier) (comatproto.RepoStrongRef, *stratos.EscrowTerms, error)
}

// Payees says who can be paid.
type Payees interface {
	// Ready asks the processor whether a payee can be paid now, and returns where.
	Ready(ctx context.Context, did syntax.DID) (payments.AccountID, error)
}

// Checkouts are the ways by which money comes in.
type Checkouts interface {
	// Finish expires or observes every open session of an attempt, and returns how many
	// are still open.
	Finish(ctx context.Context, attempt ledger.AttemptKey) (open int, err error)
}

// Options are what a process, or a test, brings along.
type Options struct {
	// Escrow is whose campaigns they are.
	Escrow syntax.DID
	Store  *store.Store
	Ledger *ledger.Ledger
	// Index is the escrow's own, and Progress how far it is.
	Index    *index.Store
	Progress func() Progress
	Terms    Terms
	// Payees is nil where nobody can be paid: then nothing opens.
	Payees Payees
	// Checkouts is nil where nobody can pay: then there is nothing to finish.
	Checkouts Checkouts
	// Hear has everything looked at that the processor tells by now, before a settlement is
	// decided. Nil where there is no processor.
	Hear func(context.Context) error
	// MirrorURL is where what is accepted can be cloned, but for the attempt's key at the
	// end.
	MirrorURL string
	// RecordGone asks the PDS of a record's account to prove that the record is gone. Nil
	// where nobody can be asked: then the index decides, after its patience.
	RecordGone func(context.Context, syntax.ATURI) (bool, error)
	// AccountGone asks the PDS that an account's DID document names now whether the
	// account is gone for good.
	AccountGone func(context.Context, syntax.DID) (bool, error)
	Log         *slog.Logger
	Clock       func() time.Time
	Registry    prometheus.Registerer
	// Crash is told of the moments at which the process may die. Nil in production.
	Crash crashpoint.Hook
}

// Driver opens campaigns and brings each to its end. It belongs to one goroutine. What the
// checks say of releases it learns from an [Examiner].
type Driver struct {
	escrow      syntax.DID
	store       *store.Store
	ledger      *ledger.Ledger
	index       *index.Store
	progress    func() Progress
	terms       Terms
	payees      Payees
	checkouts   Checkouts
	hear        func(context.Context) error
	mirrorURL   string
	recordGone  func(context.Context, syntax.ATURI) (bool, error)
	accountGone func(context.Context, syntax.DID) (bool, error)
	log         *slog.Logger
	now         func() time.Time
	crash       crashpoint.Hook
	metrics     *metrics
	watch       knowing
	payable     patience
}

// NewDriver wires a driver. It looks at nothing yet.
func NewDriver(opts Options) *Driver {
	return &Driver{
		escrow: opts.Escrow, store: opts.Store, ledger: opts.Ledger, index: opts.Index, progress: opts.Progress,
		terms: opts.Terms, payees: opts.Payees, checkouts: opts.Checkouts, hear: opts.Hear, mirrorURL: opts.MirrorURL,
		recordGone: opts.RecordGone, accountGone: opts.AccountGone,
		log: opts.Log.With("component", "campaign"), now: opts.Clock, crash: opts.Crash, metrics: newMetrics(opts.Registry),
		payable: patience{},
	}
}

const (
	// passEvery is how soon the driver looks again. It is shorter than what one look can
	// see of a calm.
	passEvery = 2 * time.Second
	// page is how many campaigns, or previews, are listed at a time.
	page = 100
	// stepsAtOnce bounds how far one campaign goes in one pass.
	stepsAtOnce = 8
)

// Run drives until ctx ends, and then returns nil. Any other end is damage of ours and
// returned.
func (d *Driver) Run(ctx context.Context) error {
	for {
		wait, err := d.Pass(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// Pass opens what may open, brings every campaign as far as it can go now, and returns
// when to look again. What others do not do or say now is for a later pass.
func (d *Driver) Pass(ctx context.Context) (wait time.Duration, err error) {
	// Before anything is read: what happened until then is in what will be read.
	known, certain := d.watch.look(d.progress(), d.now())
	d.metrics.behind(d.now(), known)
	if err := d.openings(ctx, known); err != nil {
		return 0, err
	}
	for after := ledger.AttemptKey(""); ; {
		var keys []ledger.AttemptKey
		err := d.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
			keys, err = Unfinished(ctx, q, after, page)
			return err
		})
		if err != nil {
			return 0, err
		}
		for _, key := range keys {
			if err := d.advance(ctx, key, known, certain); err != nil {
				return 0, err
			}
		}
		if len(keys) < page {
			return passEvery, nil
		}
		after = keys[len(keys)-1]
	}
}

// advance brings one campaign as far as it can go now.
func (d *Driver) advance(ctx context.Context, key ledger.AttemptKey, known time.Time, certain bool) error {
	c, err := d.load(ctx, key)
	if err != nil {
		return err
	}
	t, err := d.look(ctx, c)
	if err != nil {
		return err
	}
	for range stepsAtOnce {
		c, s, err := d.see(ctx, key, t)
		if err != nil {
			return err
		}
		s.Known, s.Certain = t.known(c, known), certain
		step := Next(c, s, d.now())
		if step.Act == ActNone {
			return nil
		}
		on, err := d.do(ctx, c, step, s, t)
		if err != nil || !on {
			return err
		}
		if step.Act == ActFinish {
			// Whoever had paid by then may have taken the pledge back before the closing.
			if t, err = d.look(ctx, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// look looks into the index once, and notes what follows at once from what is there.
func (d *Driver) look(ctx context.Context, c Campaign) (told, error) {
	t, err := d.lookUp(ctx, c)
	if err != nil {
		return t, err
	}
	for _, note := range []func(context.Context, Campaign, told) error{d.watchPreview, d.withdraw, d.noteDeletedRelease, d.remember, d.noteDisputes} {
		if err := note(ctx, c, t); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (d *Driver) load(ctx context.Context, key ledger.AttemptKey) (c Campaign, err error) {
	err = d.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		c, err = Load(ctx, q, key)
		return err
	})
	return c, err
}

// see puts together what the next step depends on, but for the time.
func (d *Driver) see(ctx context.Context, key ledger.AttemptKey, t told) (c Campaign, s Seen, err error) {
	s = Seen{Cancelled: t.cancelled}
	err = d.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		if c, err = Load(ctx, q, key); err != nil {
			return err
		}
		newest, err := newestVersion(ctx, q, key)
		if err != nil {
			return err
		}
		s.Unseen, s.Verdict, s.Later = t.unseen(newest), newest.verdict(), newest.later(d.now())
		if s.Disputes, err = standingOf(ctx, q, c); err != nil {
			return err
		}
		if s.Money, err = ledger.StateOf(ctx, q, key); err != nil {
			return err
		}
		s.Withdrawing, err = withdrawing(ctx, q, key)
		return err
	})
	return c, s, err
}

// do takes a step. It reports whether another one may follow at once: not when somebody
// else has to do something first.
func (d *Driver) do(ctx context.Context, c Campaign, step Step, s Seen, t told) (on bool, err error) {
	if step.Act == ActFinish {
		return d.finish(ctx, c)
	}
	if step.Act == ActPay {
		return d.pay(ctx, c)
	}
	switch step.Act {
	case ActNoteRelease:
		err = d.noteRelease(ctx, c, s, t)
	case ActClose:
		err = d.move(ctx, c, lifecycle.PhaseClosed, potIsFinal)
	case ActCheck:
		err = d.move(ctx, c, lifecycle.PhaseChecking, nil)
	case ActReopen:
		err = d.move(ctx, c, lifecycle.PhaseClosed, nil)
	case ActAccept:
		err = d.move(ctx, c, lifecycle.PhaseVerifying, d.accept)
	case ActResume:
		err = d.move(ctx, c, lifecycle.PhaseVerifying, resume)
	case ActRule:
		err = d.ruleByDefault(ctx, c)
	case ActSettle:
		err = d.move(ctx, c, lifecycle.PhaseSettling, undisputed)
	case ActRelease:
		err = d.move(ctx, c, lifecycle.PhaseReleased, nil)
	case ActRefund:
		err = d.move(ctx, c, lifecycle.PhaseRefunding, goBack(step.Reason))
	case ActDecide:
		err = d.move(ctx, c, lifecycle.PhaseRefunding, d.decideRefunds)
	case ActEnd:
		err = d.move(ctx, c, lifecycle.PhaseRefunded, nil)
	default:
		return false, fmt.Errorf("campaign: nobody knows how to %s", step.Act)
	}
	if errors.Is(err, ErrMoved) || errors.Is(err, ledger.ErrPending) {
		return false, nil // the next pass sees what came in between
	}
	return true, err
}

// finish ends the checkouts of a campaign that lets no money in any more.
func (d *Driver) finish(ctx context.Context, c Campaign) (on bool, err error) {
	if d.checkouts == nil {
		return false, nil
	}
	open, err := d.checkouts.Finish(ctx, c.Attempt)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		d.failed("finish", "the checkouts of a campaign could not be ended", "development", c.Development.Uri, "err", err)
		return false, nil
	}
	if err := d.crash.At(crashpoint.AfterFinish); err != nil {
		return false, err
	}
	return open == 0, nil
}

// standing wants the campaign to be where it was when a step was chosen, and returns it as
// it is now.
func standing(ctx context.Context, tx *store.Tx, c Campaign) (Campaign, error) {
	now, err := Load(ctx, tx, c.Attempt)
	if err == nil && now.Phase != c.Phase {
		return now, fmt.Errorf("%w: %s is %s", ErrMoved, c.Development.Uri, now.Phase)
	}
	return now, err
}

// change is what else happens when a campaign comes into a phase, in the transaction that
// brings it there. It gets the campaign as it is, and returns it as it is to be.
type change func(ctx context.Context, tx *store.Tx, c Campaign) (Campaign, error)

// move brings a campaign into a phase, with what changes then.
func (d *Driver) move(ctx context.Context, c Campaign, to lifecycle.Phase, change change) error {
	return d.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		now, err := standing(ctx, tx, c)
		if err != nil {
			return err
		}
		if change != nil {
			if now, err = change(ctx, tx, now); err != nil {
				return err
			}
		}
		_, err = d.bring(ctx, tx, now, to)
		return err
	})
}

// bring lets a campaign come into a phase, with what had become of the money.
func (d *Driver) bring(ctx context.Context, tx *store.Tx, c Campaign, to lifecycle.Phase) (Campaign, error) {
	from := c.Phase
	if to != from && !slices.Contains(follows[from], to) {
		return c, fmt.Errorf("campaign: %s does not go from %s to %s", c.Development.Uri, from, to)
	}
	c, err := enter(ctx, tx, c, to)
	if err != nil {
		return c, err
	}
	tx.OnCommit(func() {
		d.metrics.moved(to)
		d.log.Info("a campaign is in another phase", "development", c.Development.Uri, "attempt", c.Attempt, "from", from, "phase", to,
			"reason", c.Reason, "amount", c.Totals.Held, "currency", c.Currency)
	})
	return c, nil
}

// enter writes that a campaign is in a phase, with what had become of the money by then.
func enter(ctx context.Context, tx *store.Tx, c Campaign, to lifecycle.Phase) (_ Campaign, err error) {
	c.Phase = to
	if to != lifecycle.PhaseOpen {
		if err := concludeAll(ctx, tx, c.Attempt, OutcomeLate); err != nil {
			return c, err
		}
	}
	if !watched(c) {
		if err := watch.End(ctx, tx, c.Attempt); err != nil {
			return c, err
		}
	}
	if c.Totals, err = TotalsOf(ctx, tx, c.Attempt); err != nil {
		return c, err
	}
	return c, save(ctx, tx, c)
}

// potIsFinal keeps what is held at the closing. Pledges that nobody may pay for any more
// must not be pending then.
func potIsFinal(ctx context.Context, tx *store.Tx, c Campaign) (Campaign, error) {
	money, err := ledger.StateOf(ctx, tx, c.Attempt)
	if err != nil {
		return c, err
	}
	if money.Pending > 0 {
		return c, fmt.Errorf("%w: of %s", ledger.ErrPending, c.Development.Uri)
	}
	c.Pot = &money.Held
	return c, nil
}

// goBack lets no money in any more, and all of it go back. Nobody needs to rule on disputes
// any more.
func goBack(reason Reason) change {
	return func(ctx context.Context, tx *store.Tx, c Campaign) (Campaign, error) {
		c.Reason, c.PausedAt = reason, time.Time{}
		return c, endDisputes(ctx, tx, c.Attempt, EndedOver)
	}
}

func (d *Driver) decideRefunds(ctx context.Context, tx *store.Tx, c Campaign) (Campaign, error) {
	return c, d.ledger.DecideRefunds(ctx, tx, c.Attempt, c.Reason.OfRefunds())
}

// save writes where a campaign stands, and has its record published.
func save(ctx context.Context, tx *store.Tx, c Campaign) error {
	sums, err := json.Marshal(c.Totals)
	if err != nil {
		return fmt.Errorf("campaign: encode the totals of %s: %w", c.Development.Uri, err)
	}
	list := c.Checks
	if list == nil {
		list = []checks.Check{}
	}
	looked, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("campaign: encode the checks of %s: %w", c.Development.Uri, err)
	}
	var accepted Accepted
	if c.Accepted != nil {
		accepted = *c.Accepted
	}
	// A clock that was set back does not put a phase before the one that it follows.
	at := max(tx.Now().UnixMilli(), c.UpdatedAt.UnixMilli())
	_, err = tx.ExecContext(ctx, `
		UPDATE campaign SET phase = $1, reason = nullif($2, ''), pot = $3, totals = $4, checks = $5, correct_by = $6, corrections = $7,
			release = nullif($8, ''), release_cid = nullif($9, ''), accepted_at = $10, mirror = nullif($11, ''), verification_ends_at = $12,
			paused_at = $13, updated_at = $14
		WHERE attempt = $15`,
		c.Phase, c.Reason, c.Pot, string(sums), string(looked), column(c.CorrectBy), c.Corrections,
		accepted.Release.Uri, accepted.Release.Cid, column(accepted.At), accepted.Mirror, column(accepted.EndsAt),
		column(c.PausedAt), at, c.Attempt)
	if err != nil {
		return fmt.Errorf("campaign: bring %s into phase %s: %w", c.Development.Uri, c.Phase, err)
	}
	return nil
}

// failed counts and tells what others did not do.
func (d *Driver) failed(what, message string, facts ...any) {
	d.metrics.failures.WithLabelValues(what).Inc()
	d.log.Warn(message, facts...)
}
