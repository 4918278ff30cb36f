package oracle

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/stratosfund/stratosfund/escrow/simulator"
)

const (
	// looks is how often somebody looks at most, lookOver after lookOver, whether anything
	// is still written.
	looks    = 2000
	lookOver = 10 * time.Millisecond
	// still is how long nothing must be written until that means that nothing is to do:
	// longer than any part of the escrow rests.
	still = 1200 * time.Millisecond
	// stir is after how long of waiting the escrow is started again at the earliest, since
	// timers that are set do not see a leap; on a slow machine it has as long as it took
	// to start, several times.
	stir = 5 * time.Second
	slow = 10
	// stirs is after how many of them what should have come does not come any more. They
	// are counted, and not the time: a machine may be busy, or this process be paused. On
	// a busy one a new process gets nowhere within the first; each waits half as long again
	// as the one before.
	stirs = 7
	// calmLeap is how much time passes at once when all is well.
	calmLeap = 20 * day
)

// calm ends all faults, lets the time pass in which banks may still act, and waits until
// nothing is left to do.
func (w *World) calm(ctx context.Context) error {
	w.note("all is well from now on")
	w.net.Disarm()
	w.net.Release()
	w.escrow.dooms = nil
	w.forge.set(moodWell, w.clock.Now())
	w.forge.setPreview(moodWell)
	if err := w.liftRestrictions(ctx); err != nil {
		return err
	}
	if err := w.processor.SetFaults(ctx, simulator.Faults{Seed: w.seed}); err != nil {
		return err
	}
	if _, err := w.processor.ReleaseWebhooks(ctx); err != nil {
		return err
	}
	end := w.clock.Now()
	for _, a := range w.attempts {
		end = later(end, a.closesAt.Add(mostHold))
	}
	for end = end.Add(lastChargebacks); w.clock.Now().Before(end); {
		if err := w.leap(ctx, calmLeap); err != nil {
			return err
		}
		if err := w.processor.fill(ctx); err != nil {
			return err
		}
		if err := w.restart(ctx); err != nil {
			return err
		}
		if err := w.untilStill(ctx); err != nil {
			return err
		}
		if err := w.heard(ctx); err != nil {
			return err
		}
		if err := w.claims(ctx, w.one(2)); err != nil {
			return err
		}
	}
	return w.await(ctx, "nothing is left to do", func() ([]string, error) {
		if err := w.claims(ctx, false); err != nil {
			return nil, err
		}
		return w.left(ctx)
	})
}

// fill puts money in when the balance is below zero, as it can be after chargebacks: no
// refund leaves an empty account.
func (p *processor) fill(ctx context.Context) error {
	const enough = 500_000
	r, err := p.records(ctx)
	if err != nil || r.balance.Available >= enough {
		return err
	}
	_, err = p.TopUp(ctx, enough-r.balance.Available, "usd")
	return err
}

// restart gives the escrow a new life, without any doom.
func (w *World) restart(ctx context.Context) error {
	if err := w.escrow.end(w.one(2)); err != nil {
		return err
	}
	w.escrow.dooms = nil
	return w.escrow.start()
}

// await waits until nothing is left. The escrow is started when it is not there, and
// again when it has not noticed how late it is.
func (w *World) await(ctx context.Context, what string, left func() ([]string, error)) error {
	var last []string
	begun, patience := time.Now(), stir
	for stirred := 0; stirred < stirs; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.escrow.start(); err != nil {
			return err
		}
		w.cough()
		if err := w.listen(ctx); err != nil {
			return err
		}
		var err error
		if last, err = left(); err != nil || len(last) == 0 {
			return err
		}
		if time.Since(begun) > max(patience, slow*w.escrow.took) {
			begun, patience = time.Now(), patience+patience/2
			stirred++
			if err := w.leap(ctx, time.Hour); err != nil {
				return err
			}
			if err := w.restart(ctx); err != nil {
				return err
			}
		}
		if err := sleep(ctx, lookOver); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: it never came that %s; what is left:\n  %s", ErrWrong, what, strings.Join(last, "\n  "))
}

// coughEvery is how often a calm network says something, in real time.
const coughEvery = 100 * time.Millisecond

// cough lets the network say something now and then: an index that hears nothing does not
// know how late it is.
func (w *World) cough() {
	if time.Since(w.coughed) > coughEvery {
		w.coughed = time.Now()
		w.net.Cough()
	}
}

// untilStill waits until the escrow's database is not written any more.
func (w *World) untilStill(ctx context.Context) error {
	db, err := w.escrow.open()
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("oracle: look at the escrow's database: %w", err)
	}
	defer func() { _ = conn.Close() }() // it only read
	var version int64
	since := time.Now()
	for range looks {
		if time.Since(since) >= still {
			return nil
		}
		var now int64
		if err := conn.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&now); err != nil {
			return fmt.Errorf("oracle: look at the escrow's database: %w", err)
		}
		if now != version {
			version, since = now, time.Now()
		}
		w.cough()
		if err := sleep(ctx, lookOver); err != nil {
			return err
		}
		if err := w.escrow.bury(); err != nil {
			return err
		}
	}
	return nil
}

// lingering is how often somebody looks whether the escrow has done something.
const lingering = 250

// linger lets the escrow do what it does by itself: until a campaign says something new,
// or a look of the escrow is over.
func (w *World) linger(ctx context.Context) error {
	said := func() (n int) {
		for _, a := range w.attempts {
			n += len(a.told)
		}
		return n
	}
	before := said()
	for range lingering {
		w.cough()
		if err := w.listen(ctx); err != nil {
			return err
		}
		if said() > before || w.escrow.process == nil || w.escrow.process.gone() {
			return nil
		}
		if err := sleep(ctx, lookOver); err != nil {
			return err
		}
	}
	return nil
}

// readyLooks is how often somebody looks whether a process has begun to take money.
const readyLooks = 150

// ready waits a while until the escrow takes money: at first it compares what it knows
// with what was published.
func (w *World) ready(ctx context.Context) error {
	if w.escrow.process == nil {
		return nil
	}
	db, err := w.escrow.open()
	if err != nil {
		return err
	}
	defer db.Close()
	for range readyLooks {
		var standing int
		if err := db.QueryRowContext(ctx, `SELECT count(*) FROM halt WHERE lifted_at IS NULL`).Scan(&standing); err != nil {
			return fmt.Errorf("oracle: look at the escrow's database: %w", err)
		}
		if standing == 0 || w.escrow.process.gone() {
			return nil
		}
		if err := sleep(ctx, lookOver); err != nil {
			return err
		}
	}
	return nil
}

// open reads the escrow's database beside its process.
func (o *operator) open() (*sql.DB, error) {
	db, err := sql.Open("sqlite3", "file:"+o.database()+"?mode=ro&_query_only=true&_busy_timeout=5000")
	if err != nil {
		return nil, fmt.Errorf("oracle: open the escrow's database: %w", err)
	}
	return db, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
