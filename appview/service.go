package appview

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/appview/escrows"
	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/xrpc"
)

// Service is a whole AppView: index, API and metrics.
type Service struct {
	cfg      Config
	lock     io.Closer
	store    *store.Store
	indexer  *indexer.Indexer
	server   *xrpc.Server
	registry *prometheus.Registry
	pages    *API              // what pages ask; nil without them
	sessions *session.Sessions // nil without pages
	escrows  *escrows.Client   // nil without pages
}

// Build opens the index and wires the service. It listens already, so that
// [Service.Addr] is known and a taken port is noticed, and answers with Run.
func Build(ctx context.Context, cfg Config, opts Options) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	path, err := sqlite.PathOf(cfg.DatabaseURL)
	if err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, registry: prometheus.NewRegistry()}
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	lock, err := sqlite.Lock(path)
	if err != nil {
		return nil, err
	}
	s.lock = lock
	s.store, err = store.Open(ctx, store.Config{Path: path, Policy: cfg.policy()}, store.Options{Log: opts.Log, Clock: opts.Clock})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.wire(ctx, opts); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Service) wire(ctx context.Context, opts Options) (err error) {
	s.indexer, err = indexer.New(s.cfg.indexer(), s.store, indexer.Options{
		Log: opts.Log, Clock: opts.Clock, Registry: s.registry, Transport: opts.Transport,
	})
	if err != nil {
		return err
	}
	answers, err := NewAnswers(s.store, s.registry)
	if err != nil {
		return err
	}
	s.server, err = xrpc.New(s.cfg.server(), xrpc.Options{
		Catalog: lexicons.Catalog(), Methods: Methods(), MapError: WireError,
		ServiceID: ServiceID, ServiceType: ServiceType,
		Identities: indexer.NewDirectory(s.cfg.indexer(), opts.Transport),
		Health:     NewHealth(s.cfg.Version, s.indexer.Progress),
		Answers:    answers,
		Log:        opts.Log.With("component", "xrpc"),
		Registry:   s.registry, CheckOutput: opts.CheckOutput, Now: opts.Clock,
	})
	if err != nil {
		return err
	}
	api, err := New(s.store, s.cfg.policy(), s.registry)
	if err != nil {
		return err
	}
	api.Register(s.server)
	if s.cfg.Web {
		pages, err := s.wirePages(ctx, api, answers, opts)
		if err != nil {
			return err
		}
		s.server.Handle("/", pages)
		s.pages = api
	}
	return s.server.Listen(ctx)
}

// Addr is where the API listens.
func (s *Service) Addr() net.Addr { return s.server.Addr() }

// Run serves and indexes until ctx ends; then it finishes what is under way and
// returns nil. When a part dies, all of it ends, with that part's error.
func (s *Service) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.server.Run(ctx) })
	g.Go(func() error { return s.indexer.Run(ctx) })
	if s.pages != nil {
		g.Go(func() error { return s.pages.KeepStats(ctx) })
	}
	if s.cfg.MetricsBind != "" {
		g.Go(func() error { return xrpc.ServeMetrics(ctx, s.cfg.MetricsBind, s.registry) })
	}
	return g.Wait()
}

// Close releases everything, in the reverse order of Build.
func (s *Service) Close() error {
	var errs []error
	if s.server != nil {
		errs = append(errs, s.server.Close())
	}
	if s.escrows != nil {
		errs = append(errs, s.escrows.Close())
	}
	if s.sessions != nil {
		errs = append(errs, s.sessions.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
		s.lock = nil
	}
	return errors.Join(errs...)
}
