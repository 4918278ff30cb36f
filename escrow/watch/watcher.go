package watch

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

const (
	// Every is how often a host is asked at most.
	Every = 5 * time.Minute
	// jitter is added to it, so that previews that began together are not asked together.
	jitter = Every / 5
	// lookEvery is how soon a preview is asked after it is due.
	lookEvery = 15 * time.Second
	// atOnce bounds the questions at the same time, and batch those of a pass.
	atOnce = 8
	batch  = 64
)

// Config says how previews are asked.
type Config struct {
	// UserAgent says who asks, and how to reach them.
	UserAgent string
	// Transport makes the connections, and refuses those to private addresses.
	Transport http.RoundTripper
}

// Options are what a process, or a test, brings along.
type Options struct {
	Log      *slog.Logger
	Clock    func() time.Time
	Registry prometheus.Registerer
	// Online asks somebody who always answers. When nobody answered for a preview, and
	// not this one either, the trouble is ours and does not count. Nil means that it
	// always counts.
	Online func(ctx context.Context) error
}

// Watcher asks previews.
type Watcher struct {
	keeper    Keeper
	agent     string
	transport http.RoundTripper
	online    func(ctx context.Context) error
	log       *slog.Logger
	now       func() time.Time
	// turns are those of hosts with previews, and led those of hosts to which previews
	// redirect: whoever redirects to the host of somebody else's preview takes no turn
	// from it.
	turns, led *turns
	probes     *prometheus.CounterVec
}

// The outcomes that do not count, as metrics.
const (
	outcomePostponed = "postponed"
	outcomeOffline   = "offline"
)

// New wires a watcher. It asks nobody yet.
func New(cfg Config, keeper Keeper, opts Options) *Watcher {
	w := &Watcher{
		keeper: keeper, agent: cfg.UserAgent, transport: cfg.Transport, online: opts.Online,
		log: opts.Log.With("component", "watch"), now: opts.Clock, turns: newTurns(), led: newTurns(),
		probes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stratos_escrow_watch_probes_total", Help: "Questions to previews, by outcome.",
		}, []string{"outcome"}),
	}
	for _, outcome := range append(Outcomes(), outcomePostponed, outcomeOffline) {
		w.probes.WithLabelValues(string(outcome))
	}
	if opts.Registry != nil {
		opts.Registry.MustRegister(w.probes)
	}
	return w
}

// Run asks until ctx ends, and then returns nil. Any other end is damage of ours and
// returned.
func (w *Watcher) Run(ctx context.Context) error {
	for {
		wait, err := w.Pass(ctx)
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

// Pass asks all that are due, and returns when to look again. Its errors are damage of
// ours.
func (w *Watcher) Pass(ctx context.Context) (wait time.Duration, err error) {
	due, err := w.keeper.Due(ctx, w.now(), batch)
	if err != nil {
		return 0, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, watched := range due {
		// Turns are given one after another: whoever waits for longest comes first.
		if err := w.turns.take(watched.Host, watched.Asked, w.now()); err != nil {
			g.Go(func() error { return w.postpone(ctx, watched, err) })
			continue
		}
		g.Go(func() error { return w.probe(ctx, watched) })
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	if len(due) == batch {
		return 0, nil
	}
	return lookEvery, nil
}

func (w *Watcher) probe(ctx context.Context, watched Watched) error {
	probe, err := w.ask(ctx, watched)
	if err != nil {
		return w.postpone(ctx, watched, err)
	}
	if probe.Status == 0 && w.online != nil {
		if err := w.online(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			w.log.Warn("previews cannot be watched now: we are offline", "err", err)
			w.probes.WithLabelValues(outcomeOffline).Inc()
			return w.keeper.Postpone(ctx, watched, w.now().Add(Every))
		}
	}
	w.probes.WithLabelValues(string(probe.Outcome)).Inc()
	return w.keeper.Keep(ctx, watched, probe, w.now().Add(Every+rand.N(jitter)))
}

// postpone lets a preview wait for a host's turn. Any other error goes on to the caller.
func (w *Watcher) postpone(ctx context.Context, watched Watched, cause error) error {
	turn, ok := errors.AsType[*turnError](cause)
	if !ok {
		return cause
	}
	w.probes.WithLabelValues(outcomePostponed).Inc()
	return w.keeper.Postpone(ctx, watched, turn.next)
}
