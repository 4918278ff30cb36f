package repo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
)

const (
	// lookEvery is how soon after its commit a change is published at the latest,
	// while the PDS is well.
	lookEvery = time.Second
	// compareEvery is how often the whole repository is compared.
	compareEvery = time.Hour
	// batch is how many records are taken from the outbox at a time.
	batch = 100
	// writes bounds how often one record is written in a row, when somebody else
	// writes it as well.
	writes = 3

	firstDelay   = time.Second
	longestDelay = 5 * time.Minute
)

// delay grows with the number of tries that failed before.
func delay(tries int) time.Duration {
	return min(longestDelay, firstDelay<<min(tries, 16))
}

// Options are what a process, or a test, brings along.
type Options struct {
	Log      *slog.Logger
	Clock    func() time.Time
	Registry prometheus.Registerer
	// Transport replaces the one to the PDS, after the login. Nil in production.
	Transport http.RoundTripper
	// Crash is told of the moments before and after each write. Nil in production.
	Crash crashpoint.Hook
}

// Publisher brings the escrow's repository to what the database says.
type Publisher struct {
	repo    *Repo
	store   *store.Store
	account *account
	log     *slog.Logger
	now     func() time.Time
	crash   crashpoint.Hook
	metrics *metrics

	failures int       // of the PDS, in a row
	resumeAt time.Time // after them
	compare  time.Time // when the repository is compared next
}

// NewPublisher wires a publisher. It neither logs in nor starts anything.
func NewPublisher(r *Repo, s *store.Store, login Login, opts Options) *Publisher {
	transport := opts.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	return &Publisher{
		repo: r, store: s, log: opts.Log.With("component", "repo"), now: opts.Clock, crash: opts.Crash,
		account: &account{login: login, pace: &pace{base: transport, now: opts.Clock}},
		metrics: newMetrics(opts.Registry),
	}
}

// Run publishes until ctx ends, and then returns nil. Any other end is damage of ours,
// or the account of somebody else, and returned.
func (p *Publisher) Run(ctx context.Context) error {
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

// Pass publishes what is due, and returns when to look again. What goes wrong at the
// PDS is for a later pass.
func (p *Publisher) Pass(ctx context.Context) (wait time.Duration, err error) {
	defer func() {
		if counted := p.count(ctx); err == nil {
			err = counted
		}
	}()
	if wait := p.pause(); wait > 0 {
		return wait, nil
	}
	if !p.now().Before(p.compare) {
		if err := p.compareAll(ctx); err != nil {
			return p.away(ctx, err)
		}
		p.failures = 0
		p.compare = p.now().Add(compareEvery)
	}
	for {
		rows, err := p.due(ctx)
		if err != nil {
			return 0, err
		}
		for _, row := range rows {
			if err := p.publish(ctx, row); err != nil {
				return p.away(ctx, err)
			}
			if wait := p.pause(); wait > 0 {
				return wait, nil
			}
		}
		if len(rows) < batch {
			return lookEvery, nil
		}
	}
}

func (p *Publisher) due(ctx context.Context) (rows []outboxRow, err error) {
	err = p.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		rows, err = due(ctx, q, p.now(), batch)
		return err
	})
	return rows, err
}

func (p *Publisher) count(ctx context.Context) error {
	return p.store.Read(context.WithoutCancel(ctx), func(ctx context.Context, q sqlite.Querier) error {
		w, err := p.repo.Waiting(ctx, q)
		if err == nil {
			p.metrics.waiting.Set(float64(w.Records))
			p.metrics.failing.Set(float64(w.Failing))
		}
		return err
	})
}

// pause is how long the PDS is left alone: because it said so, or because it failed.
func (p *Publisher) pause() time.Duration {
	return max(p.account.pace.remaining(), p.resumeAt.Sub(p.now()))
}

// outsideError is trouble at the PDS or on the way to it, for which everything waits.
type outsideError struct{ err error }

func (e *outsideError) Error() string { return e.err.Error() }
func (e *outsideError) Unwrap() error { return e.err }

// away lets everything wait after trouble outside. Any other error goes on to the
// caller.
func (p *Publisher) away(ctx context.Context, err error) (time.Duration, error) {
	var foreign *ForeignAccountError
	var outside *outsideError
	if ctx.Err() != nil || errors.As(err, &foreign) || !errors.As(err, &outside) {
		return 0, err
	}
	p.resumeAt = p.now().Add(delay(p.failures))
	p.failures++
	wait := p.pause()
	p.log.Warn("the escrow's repository cannot be written now", "err", err, "failures", p.failures, "wait", wait)
	return wait, nil
}

// publish brings one record into the repository. The error is damage of ours, or an
// *outsideError; a record that cannot be published waits by itself.
func (p *Publisher) publish(ctx context.Context, row outboxRow) error {
	row, want, err := p.compose(ctx, row)
	if _, invalid := errors.AsType[*lexicons.InvalidError](err); invalid || errors.Is(err, errUnpinned) {
		return p.hold(ctx, row, err)
	}
	if err != nil {
		return err
	}
	if row.cid == want.cid {
		p.metrics.tried(outcomeUnchanged)
		return p.note(ctx, row, want.cid)
	}
	if err := p.crash.At(crashpoint.BeforePublish); err != nil {
		return err
	}
	switch err := p.write(ctx, want, row.cid); {
	case err == nil:
	case refused(err) || swapped(err):
		return p.hold(ctx, row, err)
	case broke(err):
		if err := p.hold(ctx, row, err); err != nil {
			return err
		}
		return &outsideError{err}
	default:
		p.metrics.tried(outcomeFailed)
		return &outsideError{err}
	}
	if err := p.crash.At(crashpoint.AfterPublish); err != nil {
		return err
	}
	p.failures = 0
	p.metrics.tried(outcomePublished)
	return p.note(ctx, row, want.cid)
}

// compose reads a row again, together with what it is to say at the same moment.
func (p *Publisher) compose(ctx context.Context, row outboxRow) (now outboxRow, want *record, err error) {
	now = row
	err = p.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		if now, err = outboxRowOf(ctx, q, row); err != nil {
			return err
		}
		want, err = p.repo.compose(ctx, q, now)
		return err
	})
	return now, want, err
}

// write puts a record in the place of what is there, and finds out what that is when
// it is not what was noted.
func (p *Publisher) write(ctx context.Context, want *record, before syntax.CID) (err error) {
	for range writes {
		fresh, putErr := p.account.put(ctx, want, before)
		if putErr == nil && !fresh {
			p.metrics.found(foundSame)
		}
		if err = putErr; !swapped(err) {
			return err
		}
		held, readErr := p.account.get(ctx, want.collection, want.rkey)
		if readErr != nil {
			return readErr
		}
		switch held {
		case want.cid:
			p.metrics.found(foundSame)
			return nil
		case "":
			p.found(foundNothing, want.collection, want.rkey, held)
		default:
			p.found(foundOther, want.collection, want.rkey, held)
		}
		before = held
	}
	return err
}

// found counts what should not have been there, and tells the operator.
func (p *Publisher) found(f found, collection syntax.NSID, rkey syntax.RecordKey, held syntax.CID) {
	p.metrics.found(f)
	p.log.Warn("the escrow's repository held something else than was published", "found", f, "collection", collection, "rkey", rkey, "cid", held)
}

func (p *Publisher) note(ctx context.Context, row outboxRow, held syntax.CID) error {
	// What was written is noted, also when the process is asked to stop meanwhile.
	return p.store.Update(context.WithoutCancel(ctx), func(ctx context.Context, tx *store.Tx) error {
		return published(ctx, tx, row, held)
	})
}

// hold lets one record wait, and nothing else.
func (p *Publisher) hold(ctx context.Context, row outboxRow, cause error) error {
	p.metrics.tried(outcomeRefused)
	wait := delay(row.tries)
	p.log.Error("a record of the escrow cannot be published", "collection", row.collection, "subject", row.subject, "err", cause, "tries", row.tries+1, "wait", wait)
	err := p.store.Update(context.WithoutCancel(ctx), func(ctx context.Context, tx *store.Tx) error {
		return failed(ctx, tx, row, p.now().Add(wait))
	})
	if err != nil {
		return fmt.Errorf("repo: let a record wait: %w", err)
	}
	return nil
}
