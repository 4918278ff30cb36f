package indexer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/bluesky-social/indigo/util/ssrf"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/stratosfund/stratosfund/indexer/claims"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/firehose"
	"github.com/stratosfund/stratosfund/indexer/reposync"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
)

const (
	// keyTimeout bounds how long a commit may wait for its account's key. After
	// it the repository is left to the resyncer, and the stream goes on.
	keyTimeout = 2 * time.Second
	// identityCacheSize and identityTTL bound the cache of DID documents. A
	// rotated key is noticed earlier, by its first signature that fails.
	identityCacheSize = 50_000
	identityTTL       = 24 * time.Hour
	identityErrTTL    = 30 * time.Second
	// logsPerSecond bounds what strangers can make us write.
	logsPerSecond = 5
)

// Indexer follows the upstreams.
type Indexer struct {
	cfg     Config
	store   *store.Store
	clients []*firehose.Client // one for each upstream
	hosts   *hosts
	crash   crashpoint.Hook
	dir     *identity.BaseDirectory
	keys    *reposync.Keys
	turns   *reposync.Turns
	claims  *claims.Checker
	log     *slog.Logger
	loud    *rate.Limiter // for warnings that strangers can cause
	quiet   *rate.Limiter // for what is in order, so that it does not use up the other
	now     func() time.Time
	metrics *metrics
	foreign prometheus.Counter // frames that were not even parsed

	wanted   map[syntax.NSID]bool
	interest *firehose.Interest

	trackedMu sync.RWMutex
	tracked   map[syntax.DID]bool

	wakeResync    signal
	wakeHandles   signal
	wakeClaims    signal
	wakeDerive    signal
	wakeDiscovery signal
	wakeSweep     signal

	live      gate // open while a subscription stands
	upstream  atomic.Int64
	atPDS     atomic.Bool // the upstream is a PDS, which speaks for its own accounts only
	connected atomic.Bool
	cursor    atomic.Int64
	received  atomic.Int64 // sequence number of the last frame that was read
	lag       atomic.Int64 // nanoseconds
	eventAt   atomic.Int64 // milliseconds: the last applied event's own time

	behind atomic.Bool // more events wait than were applied last
	later  atomic.Bool // the deriver will be woken in a while
}

// New wires an index on an open store. It starts nothing.
func New(cfg Config, st *store.Store, opts Options) (*Indexer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("indexer: %w", err)
	}
	transport := opts.Transport
	if transport == nil {
		transport = outgoing(cfg.Local())
	}
	var clients []*firehose.Client
	for _, u := range cfg.RelayURLs {
		client, err := firehose.NewClient(u, nil, cfg.UserAgent)
		if err != nil {
			return nil, err
		}
		clients = append(clients, client)
	}
	// Other servers are asked within bounds of their own: a large repository
	// takes longer than a DID document may.
	hosts, err := newHosts(asking(transport), cfg.UserAgent, cfg.Local())
	if err != nil {
		return nil, err
	}
	// Keys must not depend on handles: an account whose handle does not
	// resolve, or lies in a reserved domain, signs its records all the same.
	cached := identity.NewCacheDirectory(NewDirectory(cfg, transport), identityCacheSize, identityTTL, identityErrTTL, identityTTL)
	ix := &Indexer{
		cfg:     cfg,
		store:   st,
		clients: clients,
		hosts:   hosts,
		crash:   opts.Crash,
		dir:     directory(cfg, transport, opts.DialDNS),
		keys:    reposync.NewKeys(cached, keyTimeout),
		turns:   reposync.NewTurns(runtime.GOMAXPROCS(0)),
		claims: claims.New(claims.Config{
			Transport: transport, Acquire: hosts.acquire, DialDNS: opts.DialDNS,
			UserAgent: cfg.UserAgent, Limits: claims.DefaultLimits(),
		}),
		log:         opts.Log.With("component", "indexer"),
		loud:        rate.NewLimiter(logsPerSecond, 4*logsPerSecond),
		quiet:       rate.NewLimiter(logsPerSecond, 4*logsPerSecond),
		now:         opts.Clock,
		metrics:     newMetrics(opts.Registry, st),
		wanted:      map[syntax.NSID]bool{},
		tracked:     map[syntax.DID]bool{},
		wakeResync:  newSignal(),
		wakeHandles: newSignal(),
		wakeClaims:  newSignal(),
		wakeDerive:  newSignal(),

		wakeDiscovery: newSignal(),
		wakeSweep:     newSignal(),
		live:          newGate(),
	}
	for _, c := range lexicons.Collections() {
		ix.wanted[c] = true
	}
	// Identity events are few, and any account may be one that a view names.
	ix.interest = firehose.NewInterest(lexicons.Collections(), ix.isTrackedBytes, func([]byte) bool { return true })
	ix.foreign = ix.metrics.frames.WithLabelValues("foreign")
	return ix, nil
}

// Transport is how requests go to addresses that strangers choose, for those who ask them
// something else than the index does: to public addresses only, unless the whole network is
// on this machine.
func Transport(cfg Config) http.RoundTripper { return outgoing(cfg.Local()) }

// outgoing is the transport of requests to addresses that strangers choose. It
// reaches public addresses only, unless the whole network is on this machine.
func outgoing(local bool) http.RoundTripper {
	transport := ssrf.PublicOnlyTransport()
	if local {
		transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	transport.Proxy = nil
	transport.MaxIdleConnsPerHost = 16
	transport.ResponseHeaderTimeout = 20 * time.Second
	return transport
}

// Run follows the upstream until ctx ends, and then returns nil. Any other end
// is damage of ours and returned.
func (ix *Indexer) Run(ctx context.Context) error {
	dids, err := ix.store.Tracked(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	ix.track(dids...)

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return ix.follow(ctx) })
	g.Go(func() error { return ix.resyncs(ctx) })
	g.Go(func() error { return ix.handles(ctx) })
	g.Go(func() error { return ix.checkClaims(ctx) })
	g.Go(func() error { return ix.derive(ctx) })
	g.Go(func() error { return ix.discoveries(ctx) })
	g.Go(func() error { return ix.sweeps(ctx) })
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("indexer: %w", err)
	}
	return nil
}

// Progress is where the index is in its upstream.
type Progress struct {
	Upstream  string
	Connected bool
	Cursor    int64
	// Received is the sequence number of the last event that was read; 0 for none yet.
	Received int64
	// EventAt is when the last applied event happened, as its PDS wrote it; zero
	// before there was one.
	EventAt time.Time
	// Lag is how old the last applied event was when it was applied.
	Lag time.Duration
}

// Progress says where the index is. It may be called at any time.
func (ix *Indexer) Progress() Progress {
	p := Progress{
		Upstream:  ix.client().Host(),
		Connected: ix.connected.Load(),
		Cursor:    ix.cursor.Load(),
		Received:  ix.received.Load(),
		Lag:       time.Duration(ix.lag.Load()),
	}
	if at := ix.eventAt.Load(); at != 0 {
		p.EventAt = time.UnixMilli(at).UTC()
	}
	return p
}

func (ix *Indexer) isTracked(did string) bool {
	ix.trackedMu.RLock()
	defer ix.trackedMu.RUnlock()
	return ix.tracked[syntax.DID(did)]
}

// isTrackedBytes is asked for every frame, and must not allocate.
func (ix *Indexer) isTrackedBytes(did []byte) bool {
	ix.trackedMu.RLock()
	defer ix.trackedMu.RUnlock()
	return ix.tracked[syntax.DID(did)]
}

func (ix *Indexer) track(dids ...syntax.DID) {
	ix.trackedMu.Lock()
	defer ix.trackedMu.Unlock()
	for _, did := range dids {
		ix.tracked[did] = true
	}
}

func (ix *Indexer) isWanted(collection syntax.NSID) bool { return ix.wanted[collection] }

// warn logs what strangers can cause, at a bounded rate and size.
func (ix *Indexer) warn(msg string, args ...any) {
	if ix.loud.Allow() {
		ix.log.Warn(msg, args...)
	}
}

// note logs what is in order and as frequent as strangers make it, likewise.
func (ix *Indexer) note(msg string, args ...any) {
	if ix.quiet.Allow() {
		ix.log.Info(msg, args...)
	}
}

// brief cuts an error that quotes strangers to a size fit for a log.
func brief(err error) string {
	return cut(err.Error())
}

func cut(s string) string {
	const most = 300
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// client is that of the upstream that is followed.
func (ix *Indexer) client() *firehose.Client { return ix.clients[ix.upstream.Load()] }

// gate holds back those who must not pass while it is shut.
type gate struct {
	mu   sync.Mutex
	open chan struct{} // closed while the gate is open
}

func newGate() gate { return gate{open: make(chan struct{})} }

// set opens or shuts the gate.
func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case open == g.isOpen():
	case open:
		close(g.open)
	default:
		g.open = make(chan struct{})
	}
}

func (g *gate) isOpen() bool {
	select {
	case <-g.open:
		return true
	default:
		return false
	}
}

func (g *gate) pass(ctx context.Context) error {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-open:
		return nil
	}
}

// signal wakes a worker; several wakes before it looks are one.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) wake() {
	select {
	case s <- struct{}{}:
	default:
	}
}
