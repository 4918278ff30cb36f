package campaign

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/escrow/checks"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/mirror"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// Checker finds out whether a release can be accepted.
type Checker interface {
	// Prepare does what takes long and can be done before there is a release.
	Prepare()
	Check(ctx context.Context, release checks.Release, commitment *checks.Commitment) (checks.Report, error)
}

// Mirror keeps what passed.
type Mirror interface {
	Keep(ctx context.Context, key ledger.AttemptKey, source mirror.Source) error
	Remove(key ledger.AttemptKey) error
	// Whole tells whether a commit is kept under a key, and can be served.
	Whole(key ledger.AttemptKey, commit plumbing.Hash) (bool, error)
	// Keys lists what is kept.
	Keys() ([]ledger.AttemptKey, error)
}

var (
	_ Checker = (*checks.Checker)(nil)
	_ Mirror  = (*mirror.Mirror)(nil)
)

// ExaminerOptions are what a process, or a test, brings along.
type ExaminerOptions struct {
	Store    *store.Store
	Checker  Checker
	Mirror   Mirror
	Log      *slog.Logger
	Clock    func() time.Time
	Registry prometheus.Registerer
	// Crash is told of the moments at which the process may die. Nil in production.
	Crash crashpoint.Hook
}

// Examiner has releases checked, keeps those that pass in the mirror, and then notes what
// was found. What follows from it is the [Driver]'s. Pass belongs to one goroutine, and so
// do Tidy and Recover, which look after the mirror beside it.
type Examiner struct {
	store   *store.Store
	checker Checker
	mirror  Mirror
	log     *slog.Logger
	now     func() time.Time
	crash   crashpoint.Hook
	metrics *examinerMetrics
	// prepared: the checker has learned what takes long.
	prepared bool
}

// NewExaminer wires an examiner. It looks at nothing yet.
func NewExaminer(opts ExaminerOptions) *Examiner {
	return &Examiner{
		store: opts.Store, checker: opts.Checker, mirror: opts.Mirror,
		log: opts.Log.With("component", "examiner"), now: opts.Clock, crash: opts.Crash,
		metrics: newExaminerMetrics(opts.Registry),
	}
}

const (
	// examineEvery is how soon a version is looked at after it is due.
	examineEvery = 2 * time.Second
	// examineAtOnce is how many releases are checked at the same time, with some hundred
	// megabytes each.
	examineAtOnce = 2
	// decideWithin is how long nobody has to be able to have a release until that counts
	// against it (rule 12).
	decideWithin = 24 * time.Hour
	// firstAgain and longestAgain are how soon a check that could not be made is made again.
	firstAgain   = 15 * time.Second
	longestAgain = time.Hour
	// keptAfter is how long what was accepted can be cloned after the end, at least.
	keptAfter = 90 * 24 * time.Hour
	// tidyEvery is how often is looked whether that is over for some, and whether something
	// is lost.
	tidyEvery = time.Hour
)

// Run examines until ctx ends, and then returns nil. Any other end is damage of ours and
// returned.
func (e *Examiner) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return repeat(ctx, e.Pass) })
	// A repository that is fetched again does not let a release wait.
	var tidied time.Time
	g.Go(func() error {
		return repeat(ctx, func(ctx context.Context) error {
			if e.now().Sub(tidied) < tidyEvery {
				return nil
			}
			tidied = e.now()
			if err := e.Tidy(ctx); err != nil {
				return err
			}
			return e.Recover(ctx)
		})
	})
	return g.Wait()
}

// repeat calls do every now and then until ctx ends, and then returns nil; it ends with the
// first error.
func repeat(ctx context.Context, do func(context.Context) error) error {
	for {
		err := do(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		timer := time.NewTimer(examineEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// Pass checks the releases that are due. Once there is a campaign whose release may come,
// the checker is prepared, so that the release does not wait for that.
func (e *Examiner) Pass(ctx context.Context) error {
	var due []*version
	expecting := false
	err := e.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		if due, err = dueVersions(ctx, q, e.now(), examineAtOnce); err != nil {
			return err
		}
		if !e.prepared {
			expecting, err = expectsRelease(ctx, q)
		}
		return err
	})
	if err != nil {
		return err
	}
	if expecting {
		e.checker.Prepare()
		e.prepared = true
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, v := range due {
		g.Go(func() error { return e.examine(ctx, v) })
	}
	return g.Wait()
}

// examine makes the checks of one version, and keeps what they say.
func (e *Examiner) examine(ctx context.Context, v *version) (err error) {
	var c Campaign
	err = e.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		c, err = Load(ctx, q, v.attempt)
		return err
	})
	if err != nil {
		return err
	}
	report, err := e.checker.Check(ctx, v.code(), commitmentOf(c))
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), removeCopy(report))
	}
	undecided, ok := errors.AsType[*checks.UndecidedError](err)
	switch {
	case ok:
		return e.troubled(ctx, v, undecided)
	case err != nil:
		return fmt.Errorf("campaign: check the release of %s: %w", c.Development.Uri, err)
	case !report.Passed():
		return e.keep(ctx, v, report.Checks, false)
	}
	err = e.mirrored(ctx, v, report.Copy)
	if err := errors.Join(err, removeCopy(report)); err != nil {
		return err
	}
	if err := e.crash.At(crashpoint.AfterMirror); err != nil {
		return err
	}
	return e.keep(ctx, v, report.Checks, true)
}

func removeCopy(r checks.Report) error {
	if r.Copy == nil {
		return nil
	}
	return r.Copy.Remove()
}

// troubled asks again later. What nobody could have for a day counts against the release;
// trouble of ours never does.
func (e *Examiner) troubled(ctx context.Context, v *version, trouble *checks.UndecidedError) error {
	e.log.Warn("a release cannot be checked now", "attempt", v.attempt, "cid", v.cid, "tries", v.tries+1, "err", trouble)
	if verdict, ok := trouble.Verdict(); ok && !e.now().Before(v.seenAt.Add(decideWithin)) {
		return e.keep(ctx, v, verdict, false)
	}
	again := e.now().Add(min(longestAgain, firstAgain<<min(v.tries, 8)))
	// The day is over on time.
	if end := v.seenAt.Add(decideWithin); end.After(e.now()) {
		again = earliest(again, end)
	}
	return e.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error { return checkLater(ctx, tx, v, again) })
}

// mirrored keeps what passed. Another version that passed before, and was edited before
// it was accepted, makes room.
func (e *Examiner) mirrored(ctx context.Context, v *version, copied *checks.Copy) error {
	source := mirror.Source{Folder: copied.Folder, Commit: copied.Commit, Preview: copied.PreviewCommit}
	err := e.mirror.Keep(ctx, v.attempt, source)
	if !errors.Is(err, mirror.ErrOtherCommit) {
		return err
	}
	accepted := false
	err = e.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		c, err := Load(ctx, q, v.attempt)
		accepted = c.Accepted != nil
		return err
	})
	if err != nil || accepted {
		return err // what was accepted stays, and nothing is made of this one
	}
	if err := e.mirror.Remove(v.attempt); err != nil {
		return err
	}
	return e.mirror.Keep(ctx, v.attempt, source)
}

// keep notes what the checks say, unless the campaign has gone on without them, or there
// is a newer version.
func (e *Examiner) keep(ctx context.Context, v *version, list []checks.Check, passed bool) error {
	return e.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		c, err := Load(ctx, tx, v.attempt)
		if err != nil {
			return err
		}
		newest, err := newestVersion(ctx, tx, v.attempt)
		if err != nil {
			return err
		}
		if !c.cancellable() || newest == nil || newest.n != v.n || newest.passed != nil {
			return nil
		}
		if err := decideVersion(ctx, tx, v, passed); err != nil {
			return err
		}
		// Whoever has to correct it has the time from now on, and everybody reckons that from
		// what is published.
		for i := range list {
			list[i].CheckedAt = tx.Now()
		}
		c = c.withChecks(list)
		if !passed {
			c = c.failed(tx.Now())
		}
		tx.OnCommit(func() {
			e.log.Info("a release was checked", "development", c.Development.Uri, "cid", v.cid, "passed", passed, "due", c.ReleaseDue())
		})
		return save(ctx, tx, c)
	})
}

// Tidy removes what the mirror need not serve any more: what was never accepted, and what
// was accepted long ago. What no campaign is known for stays.
func (e *Examiner) Tidy(ctx context.Context) error {
	keys, err := e.mirror.Keys()
	if err != nil {
		return err
	}
	for _, key := range keys {
		over := false
		err := e.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
			c, err := Load(ctx, q, key)
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			over = c.Over() && (c.Accepted == nil || !e.now().Before(c.UpdatedAt.Add(keptAfter)))
			return err
		})
		if err != nil {
			return err
		}
		if !over {
			continue
		}
		e.log.Info("a mirror is over", "attempt", key)
		if err := e.mirror.Remove(key); err != nil {
			return err
		}
	}
	return nil
}
