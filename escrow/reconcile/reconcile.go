package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

const (
	// inFlight is how long a movement may be on its way into the ledger.
	inFlight = 48 * time.Hour
	// window is what the hourly comparison looks at: all that may be in flight, and some
	// more.
	window = inFlight + 24*time.Hour
	// hourly and daily are how often the recent movements and all of them are compared.
	hourly = time.Hour
	daily  = 24 * time.Hour
	// again is how soon after the processor could not be asked.
	again = time.Minute
	// rounds bounds how often balances are compared, when something moves meanwhile, and
	// between is how long to wait until they are compared again.
	rounds  = 3
	between = 2 * time.Second
	// batch bounds what is read of the ledger at a time.
	batch = 1000
	// strangers bounds how many are named, and logged how many findings are told each time.
	strangers = 10
	logged    = 10
)

// Processor is what is asked of the payment processor.
type Processor interface {
	payments.Balances
	Charges(context.Context, payments.AccountID, payments.ChargeQuery) iter.Seq2[payments.Charge, error]
	Platform(context.Context) (payments.PlatformAccount, error)
}

// Observe looks at a movement that the ledger does not have, and posts what it can. Its
// error is damage of ours.
type Observe func(context.Context, payments.MovementID) error

// Options are what a process, or a test, brings along.
type Options struct {
	Log      *slog.Logger
	Clock    func() time.Time
	Registry prometheus.Registerer
	// Pause waits a little between two rounds; nil for [between].
	Pause func(context.Context) error
}

// Reconciler compares. Run belongs to one goroutine; Compare to any.
type Reconciler struct {
	escrow    syntax.DID
	store     *store.Store
	processor Processor
	observe   Observe
	log       *slog.Logger
	now       func() time.Time
	pause     func(context.Context) error
	metrics   *metrics
	all       time.Time // when all is compared next
}

// New wires a reconciler for the escrow of this DID, and starts nothing.
func New(escrow syntax.DID, s *store.Store, p Processor, observe Observe, opts Options) *Reconciler {
	r := &Reconciler{
		escrow: escrow, store: s, processor: p, observe: observe,
		log: opts.Log.With("component", "reconcile"), now: opts.Clock, pause: opts.Pause, metrics: newMetrics(opts.Registry),
	}
	if r.pause == nil {
		r.pause = pause
	}
	return r
}

func pause(ctx context.Context) error {
	timer := time.NewTimer(between)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Run compares now and every hour until ctx ends, and then returns nil. Any other end is
// damage of ours.
func (r *Reconciler) Run(ctx context.Context) error {
	for {
		wait, err := r.Pass(ctx)
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

// Pass looks at the account and compares, and returns when to do so again. While something
// did not agree, all is compared each time: money goes on as soon as it does. What stands
// still is told each hour.
func (r *Reconciler) Pass(ctx context.Context) (wait time.Duration, err error) {
	wait, err = r.pass(ctx)
	if err != nil || wait < hourly {
		return wait, err
	}
	return wait, r.remind(ctx)
}

// remind tells what stands still, and what to do about it, in a line for each reason.
func (r *Reconciler) remind(ctx context.Context) error {
	return r.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		standing, err := halt.Standing(ctx, q)
		for _, reason := range halt.Reasons() {
			first := slices.IndexFunc(standing, func(h halt.Halt) bool { return h.Reason == reason })
			if first >= 0 {
				r.log.Error(reason.Remedy(), "reason", reason, "since", standing[first].Since, "detail", standing[first].Detail)
			}
		}
		return err
	})
}

func (r *Reconciler) pass(ctx context.Context) (wait time.Duration, err error) {
	err = r.Watch(ctx)
	var wrong bool
	if err == nil {
		wrong, err = r.wrong(ctx)
	}
	if err == nil {
		left := r.all.Sub(r.now())
		full := wrong || left <= 0 || left > daily // or the clock was set back
		var report *Report
		report, err = r.Compare(ctx, full)
		switch {
		case err != nil:
		case report.Moving:
			return again, nil
		case full:
			r.all = r.now().Add(daily)
		}
	}
	if err != nil && payments.Outside(err) {
		r.log.Warn("the processor cannot be compared with now", "err", err)
		return again, nil
	}
	return hourly, err
}

// wrong reports whether money stands still for what was found, or something was found the
// last time that a person has lifted: once that is older than the recent movements, they
// alone would not explain the balance.
func (r *Reconciler) wrong(ctx context.Context) (wrong bool, err error) {
	err = r.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		standing, err := halt.Standing(ctx, q)
		if err != nil {
			return err
		}
		last, err := LastOf(ctx, q)
		wrong = slices.ContainsFunc(standing, func(h halt.Halt) bool { return h.Reason == halt.Unreconciled }) ||
			slices.ContainsFunc(last, func(l Last) bool { return l.Scope == ScopeAll && l.Findings > 0 })
		return err
	})
	return wrong, err
}

// Watch looks at the account itself: whether it holds money, and whether others use it.
func (r *Reconciler) Watch(ctx context.Context) error {
	account, err := r.processor.Platform(ctx)
	if err != nil {
		return err
	}
	strange, err := payments.Strangers(r.processor.Charges(ctx, payments.Platform, payments.ChargeQuery{Since: r.now().Add(-window)}), r.escrow, strangers)
	if err != nil {
		return err
	}
	return r.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		if account.HoldsMoney() {
			err = halt.Clear(ctx, tx, halt.PayoutSchedule, "payouts are manual")
		} else {
			err = halt.Stop(ctx, tx, halt.PayoutSchedule, account.Payouts)
		}
		for _, charge := range strange {
			if err == nil {
				err = halt.Stop(ctx, tx, halt.Strangers, string(charge))
			}
		}
		return err
	})
}

// Compare compares the recent movements, or all of them, and stops money for what is
// wrong. When nothing is wrong with all of them, money that it had stopped goes on: what
// was missing has come, as after an outage that lasted longer than anything may be in
// flight.
//
// Balances may differ because something moved while they were compared. Only the same
// difference in each round is one.
func (r *Reconciler) Compare(ctx context.Context, full bool) (*Report, error) {
	at := r.now().UTC()
	var steady map[string]bool // the differences that each round found
	for round := 1; ; round++ {
		report := newReport(at, full)
		different, err := r.compare(ctx, report)
		if err != nil {
			return nil, err
		}
		same := map[string]bool{}
		for _, f := range different {
			if round == 1 || steady[f.String()] {
				same[f.String()] = true
			}
		}
		steady = same
		if len(different) > 0 && round < rounds {
			if err := r.pause(ctx); err != nil {
				return nil, err
			}
			continue
		}
		for _, f := range different {
			if steady[f.String()] {
				report.wrong(f)
			} else {
				report.Moving = true
			}
		}
		return report, r.keep(ctx, report)
	}
}

// compare is one round. It returns where the balances differ.
func (r *Reconciler) compare(ctx context.Context, report *Report) (different []Finding, err error) {
	since := time.Time{}
	if !report.Full {
		since = report.At.Add(-window)
	}
	listed := map[payments.MovementID]bool{}
	flying := map[money.Currency]int64{}
	for m, err := range r.processor.Movements(ctx, payments.MovementQuery{Since: since}) {
		if err != nil {
			return nil, err
		}
		report.Movements++
		listed[m.ID] = true
		if err := r.match(ctx, report, flying, m); err != nil {
			return nil, err
		}
	}
	if report.Full {
		if err := r.unlisted(ctx, report, listed); err != nil {
			return nil, err
		}
	}
	return r.balances(ctx, report, flying)
}

// match compares one movement with what the ledger made of it: nothing of a reserve, which
// the balance still shows.
func (r *Reconciler) match(ctx context.Context, report *Report, flying map[money.Currency]int64, m payments.Movement) error {
	if m.Kind == payments.MovementReserve {
		return nil
	}
	booked, known, err := r.booked(ctx, m.ID)
	if err != nil {
		return err
	}
	if !known {
		if err := r.observe(ctx, m.ID); err != nil {
			return err
		}
		if booked, known, err = r.booked(ctx, m.ID); err != nil {
			return err
		}
		r.log.Warn("a movement of the processor's was not in the ledger", "movement", m.ID, "type", m.Kind, "amount", m.Amount, "now", known)
	}
	f := Finding{
		Kind: KindMissing, Movement: m.ID, Type: m.Kind, Source: m.Source, At: m.CreatedAt, Processor: m.Net,
		Ledger: money.Money{Amount: booked.Net, Currency: m.Net.Currency},
	}
	switch {
	case !known:
		if err := report.unmatched(m.Net); err != nil {
			return err
		}
		flying[m.Net.Currency] += m.Net.Amount
		if report.At.Sub(m.CreatedAt) < inFlight {
			report.flying(f)
		} else {
			report.wrong(f)
		}
	case booked.Net != m.Net.Amount || booked.Currency != m.Net.Currency || booked.Kind != ledger.Kind(ledger.OperatorCost) && booked.Fee != m.Fee.Amount:
		f.Kind = KindDiffers
		report.wrong(f)
		if booked.Currency == m.Net.Currency {
			return report.unmatched(money.Money{Amount: m.Net.Amount - booked.Net, Currency: m.Net.Currency})
		}
		if err := report.unmatched(m.Net); err != nil {
			return err
		}
		return report.unmatched(money.Money{Amount: -booked.Net, Currency: booked.Currency})
	}
	return nil
}

func (r *Reconciler) booked(ctx context.Context, id payments.MovementID) (b ledger.Booked, known bool, err error) {
	err = r.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		b, known, err = ledger.BookedAs(ctx, q, string(id))
		return err
	})
	return b, known, err
}

// unlisted looks for movements that the ledger has and the list did not. What was posted
// while the list was read is not in it, so the processor is asked for each.
func (r *Reconciler) unlisted(ctx context.Context, report *Report, listed map[payments.MovementID]bool) error {
	for after := ""; ; {
		var page []string
		err := r.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
			page, err = ledger.BookedAfter(ctx, q, after, batch)
			return err
		})
		if err != nil {
			return err
		}
		for _, id := range page {
			id := payments.MovementID(id)
			if listed[id] {
				continue
			}
			switch _, err := r.processor.Movement(ctx, id); {
			case errors.Is(err, payments.ErrNotFound):
				booked, _, err := r.booked(ctx, id)
				if err != nil {
					return err
				}
				report.wrong(Finding{
					Kind: KindUnmatched, Movement: id,
					Processor: money.Money{Currency: booked.Currency}, Ledger: money.Money{Amount: booked.Net, Currency: booked.Currency},
				})
				if err := report.unmatched(money.Money{Amount: -booked.Net, Currency: booked.Currency}); err != nil {
					return err
				}
			case err != nil:
				return err
			}
		}
		if len(page) < batch {
			return nil
		}
		after = page[len(page)-1]
	}
}

// balances compares what the processor shows with what the ledger has and what flies.
func (r *Reconciler) balances(ctx context.Context, report *Report, flying map[money.Currency]int64) (different []Finding, err error) {
	b, err := r.processor.Balance(ctx)
	if err != nil {
		return nil, err
	}
	report.Balance = Balance{b.Available, b.Pending, b.Reserved}
	shown := map[money.Currency]int64{}
	for _, list := range [][]money.Money{b.Available, b.Pending, b.Reserved} {
		for _, m := range list {
			shown[m.Currency] += m.Amount
		}
	}
	var have []money.Money
	err = r.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		have, err = ledger.AtProcessor(ctx, q)
		return err
	})
	if err != nil {
		return nil, err
	}
	expected := flying
	for _, m := range have {
		expected[m.Currency] += m.Amount
	}
	for currency := range shown {
		expected[currency] += 0 // also one of which the ledger has nothing
	}
	for currency, want := range expected {
		r.metrics.difference.WithLabelValues(string(currency)).Set(float64(shown[currency] - want))
		if shown[currency] != want {
			different = append(different, Finding{Kind: KindBalance, Processor: money.Money{Amount: shown[currency], Currency: currency}, Ledger: money.Money{Amount: want, Currency: currency}})
		}
	}
	return different, nil
}

// keep notes how it ended, and stops money for what is wrong, or lets it go on.
func (r *Reconciler) keep(ctx context.Context, report *Report) error {
	r.metrics.report(report)
	if report.Moving && report.Found == 0 {
		r.log.Info("the balance moved each time that it was compared, and is compared again")
		return nil // what was found before stands
	}
	for _, f := range report.Findings[:min(logged, len(report.Findings))] {
		r.log.Error("the processor and the ledger do not agree", "finding", f.Kind, "movement", f.Movement, "type", f.Type, "source", f.Source, "processor", f.Processor, "ledger", f.Ledger)
	}
	scope := scopeOf(report.Full)
	balance, err := json.Marshal(report.Balance)
	if err != nil {
		return fmt.Errorf("reconcile: encode the balance: %w", err)
	}
	unmatched, err := json.Marshal(report.Unmatched)
	if err != nil {
		return fmt.Errorf("reconcile: encode what does not match: %w", err)
	}
	return r.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, f := range report.Findings {
			if err := halt.Stop(ctx, tx, halt.Unreconciled, f.String()); err != nil {
				return err
			}
		}
		if report.Full && report.Clean() {
			if err := halt.Clear(ctx, tx, halt.Unreconciled, "all movements agree"); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO reconciliation (scope, at, movements, in_flight, findings, balance, unmatched) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (scope) DO UPDATE SET at = excluded.at, movements = excluded.movements, in_flight = excluded.in_flight,
				findings = excluded.findings, balance = excluded.balance, unmatched = excluded.unmatched`,
			scope, report.At.UnixMilli(), report.Movements, report.Flying, report.Found, string(balance), string(unmatched))
		if err != nil {
			return fmt.Errorf("reconcile: keep the report: %w", err)
		}
		return nil
	})
}
