package oracle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/store"
)

// Options of a run.
type Options struct {
	Seed uint64
	// Folder is for the databases.
	Folder string
	// Steps is how many things happen; 0 means the usual number.
	Steps int
	// Patience is how long the index may take, in real time, to get everything
	// right on a day on which all is well; 0 means the usual time.
	Patience time.Duration
	Log      *slog.Logger
}

const (
	usualSteps    = 120
	usualPatience = 4 * time.Second
	// longPatience is for what no other day will bring: only a failure waits
	// so long, or a machine that has much else to do.
	longPatience = 2 * time.Minute
	// days is how many may pass until what failed at one repository by chance is
	// right.
	days = 3
	// catchUp is how long a run waits, at times, for the index to catch up.
	catchUp = 250 * time.Millisecond
	// tail is how much of what happened a failure shows.
	tail = 150
)

// ErrWrong is returned by Run when the index is not what it should be.
var ErrWrong = errors.New("oracle: the index is wrong")

// Report is what a run saw.
type Report struct {
	Fired map[Fault]int
	// Told counts what was judged before a day had passed: a status, or the rev
	// of a repository, that the index must know because it was told.
	Told int
	// Again counts the repositories that were judged after a relay lied once
	// more about each.
	Again int
	// Claimed counts the proposals that an account had made its project's own by a
	// claim, when they were judged, and Expired those that were so before.
	Claimed, Expired int
}

// Run lets a world happen to an indexer, puts everything right, and compares.
// The error wraps [ErrWrong] when the index differs, and is of the simulation
// otherwise.
func Run(ctx context.Context, o Options) (report Report, err error) {
	if o.Steps == 0 {
		o.Steps = usualSteps
	}
	if o.Patience == 0 {
		o.Patience = usualPatience
	}
	if err := os.MkdirAll(o.Folder, 0o755); err != nil {
		return report, fmt.Errorf("oracle: make a folder: %w", err)
	}
	net := NewNetwork(new(Clock), pdses, upstream(o.Seed))
	defer net.Close()
	r := &run{Options: o, World: NewWorld(o.Seed, net)}
	r.index = newIndex(net, o.Folder, r.trusted(), o.Log)
	if err := r.index.Start(); err != nil {
		return report, err
	}
	defer func() {
		err = errors.Join(err, r.index.Stop())
		report = r.report
		report.Fired = net.fired.Counts()
		report.Claimed, report.Expired = r.claimed, r.expired
	}()
	if r.db, err = openDatabase(r.index.path()); err != nil {
		return report, err
	}
	defer r.db.Close()
	if err := r.live(ctx); err != nil {
		return report, err
	}
	return report, r.end(ctx)
}

// upstream is what the index of a world follows: mostly a relay.
func upstream(seed uint64) Upstream {
	switch seed % 5 {
	case 3:
		return Upstream{Relays: 2}
	case 4:
		return Upstream{Relays: 1, AtPDS: true}
	}
	return Upstream{Relays: 1}
}

// run is a world and the index that watches it.
type run struct {
	Options
	*World
	index  *Index
	db     database
	report Report

	born      time.Time // when the index began its present life
	hasCursor bool      // the index knew a cursor when we looked last
	beaten    time.Time // when the relay last spoke only to be heard
}

// live lets things happen, and stops the index now and then.
func (r *run) live(ctx context.Context) error {
	for range r.Steps {
		r.Act()
		if err := r.await(ctx, catchUp, r.unasked); err != nil {
			return err
		}
		switch n := r.IntN(40); {
		case n < 10:
			if err := r.sleep(ctx, time.Duration(r.IntN(4))*time.Millisecond); err != nil {
				return err
			}
		case n < 15:
			if err := r.await(ctx, catchUp, r.caughtUp); err != nil {
				return err
			}
		case n < 18:
			if err := r.check(ctx, "while things happen", r.checkAlways); err != nil {
				return err
			}
		case n == 18 || n == 19:
			p := pick(r.dice, crashpoint.Points())
			r.note("the index will die at %s", p)
			r.index.doom.arm(p, 1+r.IntN(3))
		case n == 20:
			if err := r.restartIndex(ctx, FaultStop, time.Duration(r.IntN(3))*90*time.Minute); err != nil {
				return err
			}
		}
		ended, err := r.index.Ended()
		if err != nil {
			return r.wrong([]string{err.Error()}, "while things happen")
		}
		if ended {
			died := FaultCrash + Fault(r.index.doom.point())
			if err := r.restartIndex(ctx, died, time.Duration(r.IntN(3))*90*time.Minute); err != nil {
				return err
			}
		}
	}
	return nil
}

// restartIndex ends the life of the index, lets time pass, and begins another.
func (r *run) restartIndex(ctx context.Context, how Fault, after time.Duration) error {
	r.net.fired.fire(how)
	r.note("  %s", how)
	if err := r.index.Stop(); err != nil {
		return r.wrong([]string{err.Error()}, "at a stop")
	}
	if err := r.check(ctx, "after a stop", r.checkAlways); err != nil {
		return err
	}
	r.leap(after)
	r.born = r.net.clock.Now()
	return r.index.Start()
}

// end puts everything right, waits until the index has nothing left to do, and
// compares it with the truth.
func (r *run) end(ctx context.Context) error {
	if r.index.doom.spare() {
		if err := r.restartIndex(ctx, FaultCrash+Fault(r.index.doom.point()), 0); err != nil {
			return err
		}
	}
	r.Heal()
	if err := r.judgeTold(ctx); err != nil {
		return err
	}
	// What a lie makes the index fetch, no sweep needs to find any more: only
	// some worlds go this way.
	if r.one(2) {
		if err := r.tellAgain(ctx); err != nil {
			return err
		}
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	// A sweep that came before an old frame is right a day later, and so is a claim
	// that was edited just after it had been checked.
	late, err := r.checkEnd(ctx, r.db)
	if err != nil {
		return err
	}
	unclaimed, err := r.checkClaims(ctx, r.db)
	if err != nil {
		return err
	}
	if late = append(late, unclaimed...); len(late) > 0 {
		r.note("wrong on the first day: %s", strings.Join(late, "; "))
		if err := r.settle(ctx); err != nil {
			return err
		}
	}
	if r.one(3) {
		if err := r.expire(ctx); err != nil {
			return err
		}
	}
	if err := r.handOver(ctx); err != nil {
		return err
	}
	for _, c := range []func(context.Context, database) ([]string, error){r.checkAlways, r.checkEnd, r.checkClaims, r.checkRules} {
		if err := r.check(ctx, "at the end", c); err != nil {
			return err
		}
	}
	wrong, err := r.compare(ctx, r.index, r.db)
	if err != nil {
		return err
	}
	return r.wrong(wrong, "beside an index of the same truth")
}

// claimHolds is how long a proof counts when nobody can be asked again.
const claimHolds = 7 * 24 * time.Hour

// expire lets what was proven on the web expire, since nobody answers there any
// more. It counted until then.
func (r *run) expire(ctx context.Context) error {
	if err := r.check(ctx, "before the web is down", r.checkRules); err != nil {
		return err
	}
	r.darken()
	r.leap(claimHolds)
	return r.settle(ctx)
}

// judgeTold judges what was told, while no day passes and the process goes on.
func (r *run) judgeTold(ctx context.Context) error {
	const when = "while the process goes on and all is well"
	if err := r.quiet(ctx, when, r.waiting); err != nil {
		return err
	}
	index, err := r.db.read(ctx)
	if err != nil {
		return err
	}
	judged, wrong := r.checkTold(index)
	r.report.Told += judged
	return r.wrong(wrong, when)
}

// tellAgain lets the relays tell of every account something that cannot be
// proven, again when it has moved since, and then how it is. The first makes the
// index fetch it, the last look: what it follows is all right then, while the
// process goes on.
func (r *run) tellAgain(ctx context.Context) error {
	const when = "when something was told of every account again"
	r.net.mu.Lock()
	r.leap(2 * time.Hour) // whatever was put off is due
	for _, a := range r.net.accounts {
		r.tellNothing(a)
	}
	r.net.mu.Unlock()
	if err := r.quiet(ctx, when, r.fetching); err != nil {
		return err
	}
	r.net.mu.Lock()
	r.net.astray = 0
	for _, a := range r.net.accounts {
		if a.status == store.AccountActive {
			r.moveUnheard(a)
			r.tellNothing(a)
		}
	}
	r.net.mu.Unlock()
	if err := r.quiet(ctx, when, r.fetching); err != nil {
		return err
	}
	r.net.mu.Lock()
	for _, a := range r.net.accounts {
		r.tellAccount(a)
	}
	r.net.mu.Unlock()
	if err := r.quiet(ctx, when, r.unsettled); err != nil {
		return err
	}
	index, err := r.db.read(ctx)
	if err != nil {
		return err
	}
	judged, wrong := r.checkAgain(index)
	r.report.Again += judged
	return r.wrong(wrong, when)
}

// quiet waits until there is no such work left.
func (r *run) quiet(ctx context.Context, when string, work func(context.Context) ([]string, error)) error {
	left, err := r.rest(ctx, longPatience, work)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return r.wrong(left, when+", there is still work")
	}
	return nil
}

// settle lets days pass until the index has nothing left to do. What went wrong
// at one repository or address by chance may take it to the next day, and no longer.
func (r *run) settle(ctx context.Context) error {
	for day := 1; ; day++ {
		known, err := query(ctx, r.db, `SELECT did FROM repo`)
		if err != nil {
			return err
		}
		r.index.doom.revive()
		if err := r.restartIndex(ctx, FaultStop, 25*time.Hour); err != nil {
			return err
		}
		healed := r.born
		busy := func(ctx context.Context) ([]string, error) { return r.busy(ctx, known, healed) }
		byChance := func(left []string) bool {
			return day < days && (strings.HasPrefix(left[0], "repo: ") || strings.HasPrefix(left[0], "claim: "))
		}
		left, err := r.rest(ctx, r.Patience, busy)
		if err == nil && len(left) > 0 && !byChance(left) {
			left, err = r.rest(ctx, longPatience, busy)
			if err == nil && len(left) > 0 && !byChance(left) {
				return r.wrong(left, fmt.Sprintf("on day %d after all was well, there is still work", day))
			}
		}
		if err != nil || len(left) == 0 {
			return err
		}
		r.note("left on day %d: %s", day, strings.Join(left, "; "))
	}
}

// rest waits for the index, and returns what was left for it to do when it was looked at
// last: what was put off may be due a moment after there was nothing.
func (r *run) rest(ctx context.Context, patience time.Duration, work func(context.Context) ([]string, error)) ([]string, error) {
	var left []string
	err := r.await(ctx, patience, func(ctx context.Context) (_ []string, err error) {
		r.beat()
		left, err = work(ctx)
		return left, err
	})
	return left, err
}

func (r *run) check(ctx context.Context, when string, what func(context.Context, database) ([]string, error)) error {
	wrong, err := what(ctx, r.db)
	if err != nil {
		return err
	}
	return r.wrong(wrong, when)
}

// wrong is nil when nothing is.
func (r *run) wrong(findings []string, when string) error {
	if len(findings) == 0 {
		return nil
	}
	return fmt.Errorf("%w, seed %d, %s:\n  %s\nwhat happened:\n%s",
		ErrWrong, r.Seed, when, strings.Join(findings, "\n  "), r.Tail(tail))
}

// await waits until nothing is left, at most for the patience.
func (r *run) await(ctx context.Context, patience time.Duration, left func(context.Context) ([]string, error)) error {
	for until := time.Now().Add(patience); time.Now().Before(until); {
		what, err := left(ctx)
		if err != nil || len(what) == 0 {
			return err
		}
		if err := r.sleep(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
