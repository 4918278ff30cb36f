package escrow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"

	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payee"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	index "github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/xrpc"
)

// Service is a whole escrow.
type Service struct {
	cfg       Config
	log       *slog.Logger
	store     *store.Store
	ledger    *ledger.Ledger
	repo      *repo.Repo
	publisher *repo.Publisher
	processor *processor
	lock      io.Closer // of the index
	index     *index.Store
	indexer   *indexer.Indexer
	directory identity.Directory
	payees    *payee.Payees // nil without a processor
	campaigns *campaign.Driver
	releases  releases
	server    *xrpc.Server
	taking    taking

	statements statements
	registry   *prometheus.Registry
}

// Build opens the databases, announces the service and its terms, and wires the rest.
// It listens already, so that [Service.Addr] is known and a taken port is noticed, and
// answers with Run. It returns sqlite.ErrLocked while another escrow runs on the
// database.
func Build(ctx context.Context, cfg Config, opts Options) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	terms, err := repo.ReadTerms(cfg.TermsFile)
	if err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, log: opts.Log, registry: prometheus.NewRegistry(), ledger: ledger.New(cfg.Mode), repo: repo.New(cfg.DID, cfg.Mode)}
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, step := range []func(context.Context, Options) error{s.openStores, s.announce(terms), s.wire} {
		if err := step(ctx, opts); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func (s *Service) openStores(ctx context.Context, opts Options) error {
	path, err := sqlite.PathOf(s.cfg.DatabaseURL)
	if err != nil {
		return err
	}
	if s.store, err = store.Open(ctx, store.Config{Path: path, Mode: s.cfg.Mode}, store.Options{Clock: opts.Clock, Crash: opts.Crash}); err != nil {
		return err
	}
	lock, err := sqlite.Lock(indexPath(path))
	if err != nil {
		return err
	}
	s.lock = lock
	s.index, err = index.Open(ctx, index.Config{Path: indexPath(path), Policy: s.cfg.policy()}, index.Options{Log: opts.Log, Clock: opts.Clock})
	return err
}

func (s *Service) announce(terms repo.Terms) func(context.Context, Options) error {
	return func(ctx context.Context, _ Options) error {
		return s.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
			return s.repo.Announce(ctx, tx, s.cfg.introduction(), terms)
		})
	}
}

func (s *Service) wire(ctx context.Context, opts Options) (err error) {
	s.indexer, err = indexer.New(s.cfg.indexer(), s.index, indexer.Options{
		Log: opts.Log, Clock: opts.Clock, Registry: s.registry, Transport: opts.Transport,
	})
	if err != nil {
		return err
	}
	s.directory = indexer.NewDirectory(s.cfg.indexer(), opts.Transport)
	s.publisher = repo.NewPublisher(s.repo, s.store, repo.Login{
		DID: s.cfg.DID, Identifier: s.cfg.Identifier, Password: s.cfg.AppPassword, Host: s.pds,
	}, repo.Options{Log: opts.Log, Clock: opts.Clock, Registry: s.registry, Crash: opts.Crash})
	if s.taking.key, err = checkout.ParseKey(s.cfg.AcknowledgementKey); err != nil {
		return err
	}
	s.server, err = xrpc.New(s.cfg.server(), xrpc.Options{
		Catalog: lexicons.Catalog(), Methods: methods(), MapError: wireError,
		ServiceID: ServiceID, ServiceType: ServiceType, Account: s.cfg.account(s.taking.key),
		Identities: s.directory, Health: s.health,
		Log:      opts.Log.With("component", "xrpc"),
		Registry: s.registry, CheckOutput: opts.CheckOutput, Now: opts.Clock,
	})
	if err != nil {
		return err
	}
	s.wirePayees(opts)
	if err := s.wireCheckout(opts); err != nil {
		return err
	}
	s.wireCampaigns(opts)
	if err := s.wireReleases(opts); err != nil {
		return err
	}
	if err := s.wireProcessor(ctx, opts); err != nil {
		return err
	}
	s.wireStatements(opts)
	return s.server.Listen(ctx)
}

// methods are those of the API. One whose part is off is not implemented.
func methods() []syntax.NSID {
	return []syntax.NSID{
		createCheckout, getPayment, listPayments, createPayoutAccount, getPayoutAccount,
		getCampaign, listReceipts, resolveDispute, getStatement, getInclusionProof,
	}
}

// pds finds out where the escrow's account is. On the way it looks whether clients can
// find this service by the account.
func (s *Service) pds(ctx context.Context) (string, error) {
	if s.cfg.explains() {
		return s.cfg.PDSURL, nil
	}
	account, err := s.directory.LookupDID(ctx, s.cfg.DID)
	if err != nil {
		return "", fmt.Errorf("escrow: look up %s: %w", s.cfg.DID, err)
	}
	if want := strings.TrimSuffix(s.cfg.PublicURL, "/"); account.GetServiceEndpoint(ServiceID) != want {
		s.log.Warn("the escrow's DID document does not lead to this service, so nobody can find it",
			"did", s.cfg.DID, "service", "#"+ServiceID, "want", want, "have", account.GetServiceEndpoint(ServiceID))
	}
	s.checkKey(account)
	pds := account.PDSEndpoint()
	if !strings.HasPrefix(pds, "https://") && !s.cfg.indexer().Local() {
		return "", fmt.Errorf("escrow: the PDS of %s is %q, and a password goes to https only", s.cfg.DID, pds)
	}
	return pds, nil
}

// Addr is where the API listens.
func (s *Service) Addr() net.Addr { return s.server.Addr() }

// Run serves, indexes and publishes until ctx ends; then it finishes what is under way
// and returns nil. When a part dies, all of it ends, with that part's error. It returns
// ErrWindingDown for an escrow that was told to end.
func (s *Service) Run(ctx context.Context) error {
	if err := s.running(context.WithoutCancel(ctx)); err != nil { // a signal may be faster
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.server.Run(ctx) })
	g.Go(func() error { return s.indexer.Run(ctx) })
	s.runMoney(ctx, g)
	if s.cfg.MetricsBind != "" {
		g.Go(func() error { return xrpc.ServeMetrics(ctx, s.cfg.MetricsBind, s.registry) })
	}
	return g.Wait()
}

// Close releases everything, in the reverse order of Build. It may be called twice.
func (s *Service) Close() error {
	var errs []error
	if s.server != nil {
		errs = append(errs, s.server.Close())
	}
	errs = append(errs, s.releases.close())
	if s.index != nil {
		errs = append(errs, s.index.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
		s.lock = nil
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}
