package payee

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/escrow/intent"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// Config is whose payees they are, and where they are sent.
type Config struct {
	Escrow syntax.DID
	// PublicURL is where the escrow's pages are.
	PublicURL string
	// Local allows addresses on this machine to return to.
	Local bool
}

// Options are what a process, or a test, brings along.
type Options struct {
	Store     *store.Store
	Processor payments.Accounts
	// Watched lists the accounts that campaigns which are not over pay to, page by page.
	Watched func(ctx context.Context, q sqlite.Querier, after payments.AccountID, limit int) ([]payments.AccountID, error)
	// Doubled is told, in a transaction, that a payee has two accounts: outgoing money
	// has to stop. Nil where nothing can stop it.
	Doubled  func(ctx context.Context, tx *store.Tx, detail string) error
	Log      *slog.Logger
	Clock    func() time.Time
	Registry prometheus.Registerer
	Crash    crashpoint.Hook
}

// Payees are those of an escrow.
type Payees struct {
	cfg       Config
	store     *store.Store
	processor payments.Accounts
	carrier   *intent.Carrier
	watched   func(context.Context, sqlite.Querier, payments.AccountID, int) ([]payments.AccountID, error)
	doubled   func(context.Context, *store.Tx, string) error
	log       *slog.Logger
	now       func() time.Time
	checks    *prometheus.CounterVec
}

// New wires the payees of an escrow. It asks and starts nothing.
func New(cfg Config, opts Options) *Payees {
	p := &Payees{
		cfg: cfg, store: opts.Store, processor: opts.Processor, carrier: intent.NewCarrier(opts.Store, opts.Crash),
		watched: opts.Watched, doubled: opts.Doubled, log: opts.Log.With("component", "payee"), now: opts.Clock,
		checks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stratos_escrow_payee_checks_total", Help: "Questions to the processor about payees' accounts, by outcome.",
		}, []string{"outcome"}),
	}
	if opts.Registry != nil {
		opts.Registry.MustRegister(p.checks)
	}
	return p
}

// Outcomes of a check.
const (
	checkPayable   = "payable"
	checkUnpayable = "unpayable"
	checkFailed    = "failed"
)

// Observe asks the processor about an account and keeps what it says. It returns
// ErrStranger for an account that is not of this escrow's payees, and
// payments.ErrDoubled for one that is a payee's second.
func (p *Payees) Observe(ctx context.Context, id payments.AccountID) error {
	_, err := p.observe(ctx, id)
	return err
}

func (p *Payees) observe(ctx context.Context, id payments.AccountID) (payments.Account, error) {
	found, err := p.processor.Account(ctx, id)
	if err != nil {
		p.checks.WithLabelValues(checkFailed).Inc()
		return found, fmt.Errorf("payee: ask about account %s: %w", id, err)
	}
	if found.Mark.Escrow != p.cfg.Escrow {
		return found, fmt.Errorf("%w: %s", ErrStranger, id)
	}
	outcome := checkUnpayable
	if payable, _ := found.Payable(); payable {
		outcome = checkPayable
	}
	p.checks.WithLabelValues(outcome).Inc()
	return found, p.stop(ctx, p.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		err := note(ctx, tx, found)
		if errors.Is(err, ErrNotFound) {
			if err = adopt(ctx, tx, found); err == nil {
				err = note(ctx, tx, found)
			}
		}
		if errors.Is(err, ErrNotFound) {
			return fmt.Errorf("%w: %s", ErrStranger, id) // marked as ours, and nobody asked for it
		}
		if err != nil {
			return err
		}
		// Its answer may have been lost, also by a database that was restored.
		return intent.Adopt(ctx, tx, found.Mark.Intent, intent.KindAccount, found.Mark.Payee.String(), string(found.ID))
	}))
}

// stop lets outgoing money stop when a payee has two accounts.
func (p *Payees) stop(ctx context.Context, err error) error {
	if !errors.Is(err, payments.ErrDoubled) {
		return err
	}
	p.log.Error("a payee has two accounts at the processor", "err", err)
	if p.doubled == nil {
		return err
	}
	return errors.Join(err, p.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		return p.doubled(ctx, tx, err.Error())
	}))
}

// Account reads what is known of a payee, or returns ErrNotFound.
func (p *Payees) Account(ctx context.Context, did syntax.DID) (a Account, err error) {
	err = p.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		a, err = Load(ctx, q, did)
		return err
	})
	return a, err
}

// Fresh asks the processor about a payee and returns what is known then. It returns
// ErrNotFound for somebody who has not begun onboarding, and else what is known also
// with an error of the processor.
func (p *Payees) Fresh(ctx context.Context, did syntax.DID) (Account, error) {
	a, err := p.Account(ctx, did)
	if err != nil || a.ID == "" {
		return a, err
	}
	if err := p.Observe(ctx, a.ID); err != nil {
		return a, err
	}
	return p.Account(ctx, did)
}

// Ready asks the processor whether a payee can be paid now, and returns where. It
// returns ErrNotFound for somebody without an account, and an *UnpayableError.
func (p *Payees) Ready(ctx context.Context, did syntax.DID) (payments.AccountID, error) {
	return p.ask(ctx, did, payments.Account.Payable)
}

// ReadyForDonations is Ready for donations, which are charged on the account itself.
func (p *Payees) ReadyForDonations(ctx context.Context, did syntax.DID) (payments.AccountID, error) {
	return p.ask(ctx, did, payments.Account.Chargeable)
}

func (p *Payees) ask(ctx context.Context, did syntax.DID, can func(payments.Account) (bool, []payments.Obstacle)) (payments.AccountID, error) {
	a, err := p.Account(ctx, did)
	if err != nil {
		return "", err
	}
	if a.ID == "" {
		return "", fmt.Errorf("%w: that of %s is not opened", ErrNotFound, did)
	}
	found, err := p.observe(ctx, a.ID)
	if err != nil {
		return "", err
	}
	if ok, against := can(found); !ok {
		return "", &UnpayableError{did, against}
	}
	return a.ID, nil
}

const (
	// checkEvery is how often the accounts of campaigns are asked about.
	checkEvery = time.Hour
	// lookEvery is how often is looked whether one is due.
	lookEvery = time.Minute
	page      = 100
)

// Run asks about the accounts of campaigns until ctx ends, and then returns nil. Any
// other end is damage of ours, or a payee with two accounts, and returned.
func (p *Payees) Run(ctx context.Context) error {
	for {
		wait, err := p.Pass(ctx)
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

// Pass opens the accounts of which nobody knows whether they are, asks about those that
// nobody asked about for an hour, and returns when to look again. What the processor
// does not say now is for a later pass.
func (p *Payees) Pass(ctx context.Context) (wait time.Duration, err error) {
	if err := p.openAgain(ctx); err != nil {
		return 0, err
	}
	for after := payments.AccountID(""); ; {
		var listed, due []payments.AccountID
		err := p.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
			if listed, err = p.watched(ctx, q, after, page); err != nil {
				return err
			}
			due, err = uncheckedSince(ctx, q, listed, p.now().Add(-checkEvery))
			return err
		})
		if err != nil {
			return 0, err
		}
		for _, id := range due {
			if err := p.Observe(ctx, id); p.damage(err) {
				return 0, err
			} else if err != nil {
				p.log.Warn("a payee's account could not be asked about", "account", id, "err", err)
			}
		}
		if len(listed) < page {
			return lookEvery, nil
		}
		after = listed[len(listed)-1]
	}
}

// openAgain carries the intents out that an earlier process, or the processor's silence,
// left open.
func (p *Payees) openAgain(ctx context.Context) error {
	var due []intent.Intent
	err := p.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		due, err = intent.Due(ctx, q, intent.KindAccount, p.now(), page)
		return err
	})
	if err != nil {
		return err
	}
	for _, i := range due {
		a, err := p.Account(ctx, syntax.DID(i.Subject))
		if err != nil {
			return err
		}
		if _, err = p.opened(ctx, a.DID, a.Country); p.damage(err) && !errors.Is(err, ErrUnsupported) {
			return err
		} else if err != nil {
			p.log.Warn("a payee's account could not be opened", "did", a.DID, "err", err)
		}
	}
	return nil
}

// damage tells an error of ours from one of the processor.
func (p *Payees) damage(err error) bool {
	return err != nil && !payments.Outside(err) && !errors.Is(err, ErrStranger)
}

// uncheckedSince are those of the accounts that were asked about last before a moment.
func uncheckedSince(ctx context.Context, q sqlite.Querier, ids []payments.AccountID, before time.Time) (due []payments.AccountID, err error) {
	for _, id := range ids {
		var checkedAt int64
		err := q.QueryRowContext(ctx, `SELECT checked_at FROM payee WHERE account = $1`, id).Scan(&checkedAt)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, fmt.Errorf("payee: read when account %s was checked: %w", id, err)
		}
		if checkedAt <= before.UnixMilli() {
			due = append(due, id)
		}
	}
	return due, nil
}
