package simulator

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	headerTimeout = 10 * time.Second
	stopWithin    = time.Second
	tagLength     = 6
)

// Server is a simulator: its file, its clock, its listener.
type Server struct {
	config Config
	log    *slog.Logger

	store    *store
	clock    *clock
	dice     *dice
	inFlight inFlight
	delayed  delayed
	hooks    *http.Client

	tag      string // of this database, in every id
	platform string // the id of the platform's own account

	listener net.Listener
	mux      *http.ServeMux
	wake     chan struct{} // something may be due sooner than thought
	damaged  chan error    // what stops the process
	sending  sync.Mutex    // one round of webhooks at a time
	held     atomic.Bool   // webhooks wait until they are let go
	closed   sync.Once
}

// Build opens the file and the listener. The caller runs the server, then closes it.
func Build(ctx context.Context, config Config, options Options) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	s := &Server{
		config: config, log: options.Log.With("component", "simulator"),
		clock: &clock{base: options.Clock}, dice: &dice{drawn: map[string]uint64{}},
		hooks: newHookClient(config.Terms.WebhookPatience),
		wake:  make(chan struct{}, 1), damaged: make(chan error, 1),
	}
	var err error
	if s.store, err = openStore(ctx, config.DatabasePath); err != nil {
		return nil, err
	}
	if err := s.resume(ctx); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	if s.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", config.Bind); err != nil {
		return nil, errors.Join(fmt.Errorf("simulator: listen: %w", err), s.store.Close())
	}
	if s.config.PublicURL == "" {
		s.config.PublicURL = "http://" + s.listener.Addr().String()
	}
	s.config.PublicURL = strings.TrimSuffix(s.config.PublicURL, "/")
	s.mux = s.routes()
	return s, nil
}

// resume restores what the last run left, or founds a new world. Nothing that is due is
// done before the clock is right.
func (s *Server) resume(ctx context.Context) error {
	return s.store.transact(ctx, func(sqlTx *sql.Tx) error {
		t := &tx{Tx: sqlTx, ctx: ctx, server: s}
		if err := t.restoreClock(); err != nil {
			return err
		}
		if err := t.restoreFaults(); err != nil {
			return err
		}
		if err := t.restoreIdentity(); err != nil {
			return err
		}
		return t.restoreWebhooks()
	})
}

func (t *tx) restoreClock() error {
	var saved savedClock
	found, err := t.setting("clock", &saved)
	if found {
		t.server.clock.restore(saved)
	}
	t.now = t.server.clock.now()
	return err
}

func (t *tx) restoreFaults() error {
	var faults Faults
	if _, err := t.setting("faults", &faults); err != nil {
		return err
	}
	t.server.dice.set(faults)
	if _, err := t.setting("starts", &t.server.dice.starts); err != nil {
		return err
	}
	t.server.dice.starts++
	return t.set("starts", t.server.dice.starts)
}

// restoreIdentity finds, or makes, the mark of this database and the platform's account.
func (t *tx) restoreIdentity() error {
	s := t.server
	found, err := t.setting("tag", &s.tag)
	if err != nil {
		return err
	}
	if found {
		_, err := t.setting("platform", &s.platform)
		return err
	}
	s.tag = strings.ToLower(rand.Text()[:tagLength])
	if err := t.set("tag", s.tag); err != nil {
		return err
	}
	return t.found()
}

func (t *tx) restoreWebhooks() error {
	var held bool
	if _, err := t.setting("webhooks-held", &held); err != nil {
		return err
	}
	t.server.held.Store(held)
	if len(t.server.config.Endpoints) > 0 {
		if err := t.set("endpoints", t.server.config.Endpoints); err != nil {
			return err
		}
	}
	return t.exec("send again what was being sent", `UPDATE delivery SET state = 'waiting' WHERE state = 'sending'`)
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL is where the API and the pages are.
func (s *Server) URL() string { return s.config.PublicURL }

// Run serves until ctx ends, or until its own state is damaged.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	web := &http.Server{
		Handler: s, ReadHeaderTimeout: headerTimeout,
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return ctx }, // a hanging answer ends with the server
	}
	group.Go(func() error {
		if err := web.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("simulator: serve: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
		defer cancel()
		err := web.Shutdown(stop)
		if errors.Is(err, context.DeadlineExceeded) { // connections that never asked anything, or do not end
			err = web.Close()
		}
		if err != nil {
			return fmt.Errorf("simulator: stop serving: %w", err)
		}
		return nil
	})
	group.Go(func() error { return s.tick(ctx) })
	group.Go(func() error {
		select {
		case err := <-s.damaged:
			return err
		case <-ctx.Done():
			return nil
		}
	})
	return group.Wait()
}

// Close frees the listener and the file. It may be called twice.
func (s *Server) Close() error {
	var err error
	s.closed.Do(func() {
		if stop := s.listener.Close(); stop != nil && !errors.Is(stop, net.ErrClosed) {
			err = fmt.Errorf("simulator: close listener: %w", stop)
		}
		err = errors.Join(err, s.store.Close())
	})
	return err
}

// ServeHTTP marks every answer as the simulator's.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Simulator", "true")
	s.mux.ServeHTTP(w, r)
}

// transact runs f in a transaction at the simulator's time, after everything that is
// due by then. A client that went away does not stop what it asked for.
func (s *Server) transact(ctx context.Context, why cause, f func(*tx) error) error {
	ctx = context.WithoutCancel(ctx)
	return s.store.transact(ctx, func(sqlTx *sql.Tx) error {
		t := &tx{Tx: sqlTx, ctx: ctx, server: s, now: s.clock.now()}
		if err := t.catchUp(); err != nil {
			return err
		}
		t.cause = why
		return f(t)
	})
}

// tick does what is due, when it is due: tasks, then webhooks.
func (s *Server) tick(ctx context.Context) error {
	for {
		if err := s.sendDue(ctx); err != nil {
			return err
		}
		next, ok, err := s.nextDue(ctx)
		if err != nil {
			return err
		}
		if s.rest(ctx, next, ok); ctx.Err() != nil {
			return nil
		}
	}
}

// rest waits for the next due time if there is one and time runs, or until stirred.
func (s *Server) rest(ctx context.Context, next time.Time, planned bool) {
	var alarm <-chan time.Time
	if wait, runs := s.clock.until(next); planned && runs {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		alarm = timer.C
	}
	select {
	case <-alarm:
	case <-s.wake:
	case <-ctx.Done():
	}
}

// nextDue is when the next task or delivery is due; ok is false when none ever is.
func (s *Server) nextDue(ctx context.Context) (at time.Time, ok bool, err error) {
	var due sql.NullInt64
	err = s.transact(ctx, cause{}, func(t *tx) error {
		if err := t.QueryRowContext(t.ctx, `SELECT min(due) FROM (
				SELECT min(due) AS due FROM task
				UNION ALL SELECT min(due) FROM delivery WHERE state = 'waiting' AND NOT ?)`, s.held.Load()).Scan(&due); err != nil {
			return fmt.Errorf("simulator: next due: %w", err)
		}
		return nil
	})
	return time.Unix(due.Int64, 0), due.Valid, err
}

// stir lets tick look again.
func (s *Server) stir() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// fail reports damage, which stops the process.
func (s *Server) fail(err error) {
	select {
	case s.damaged <- err:
	default: // stopping already
	}
}
