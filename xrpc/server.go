package xrpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bluesky-social/indigo/atproto/lexicon"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"
)

const didPath = "/.well-known/did.json"

// Server answers XRPC requests. Make one with New.
type Server struct {
	cfg      Config
	opts     Options
	did      syntax.DID
	explains bool                // serves the DID document
	declared map[syntax.NSID]any // definitions of Options.Methods
	methods  map[syntax.NSID]*method
	pages    *http.ServeMux
	echo     *echo.Echo
	auth     *authentication
	metrics  *metrics
	clients  *clientLimit  // nil for no limit
	places   chan struct{} // nil for no limit
	loud     *loudLog

	mu       sync.Mutex
	listener net.Listener
}

// New checks cfg and opts and wires the server. It neither listens nor starts
// anything.
func New(cfg Config, opts Options) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("xrpc: configuration: %w", err)
	}
	cfg = cfg.withDefaults()
	if opts.Catalog == nil {
		return nil, errors.New("xrpc: options: Catalog is required")
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.MapError == nil {
		opts.MapError = func(error) *Error { return nil }
	}
	web, err := WebDID(cfg.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("xrpc: configuration: %w", err)
	}
	did := cmp.Or(cfg.DID, web)
	s := &Server{
		cfg: cfg, opts: opts, did: did, explains: opts.ServiceID != "" && did == web,
		declared: make(map[syntax.NSID]any, len(opts.Methods)),
		methods:  make(map[syntax.NSID]*method, len(opts.Methods)),
		pages:    http.NewServeMux(),
		loud:     &loudLog{Logger: opts.Log, limit: rate.NewLimiter(10, 50), now: opts.Now},
	}
	for _, nsid := range opts.Methods {
		if s.declared[nsid], err = resolveMethod(opts.Catalog, nsid); err != nil {
			return nil, fmt.Errorf("xrpc: %w", err)
		}
	}
	if s.clients, err = newClientLimit(cfg.RateLimit, cfg.RateBurst); err != nil {
		return nil, err
	}
	if cfg.MaxInFlight > 0 {
		s.places = make(chan struct{}, cfg.MaxInFlight)
	}
	if s.metrics, err = newMetrics(opts.Registry); err != nil {
		return nil, err
	}
	if s.auth, err = newAuthentication(did, opts, s.metrics); err != nil {
		return nil, err
	}
	s.route()
	return s, nil
}

func resolveMethod(cat lexicon.Catalog, nsid syntax.NSID) (any, error) {
	schema, err := cat.Resolve(nsid.String())
	if err != nil {
		return nil, fmt.Errorf("method %s: %w", nsid, err)
	}
	switch schema.Def.(type) {
	case lexicon.SchemaQuery, lexicon.SchemaProcedure:
		return schema.Def, nil
	default:
		return nil, fmt.Errorf("method %s: the lexicon is neither a query nor a procedure but %T", nsid, schema.Def)
	}
}

// route puts the layers around the routes, from the outside in.
func (s *Server) route() {
	s.echo = echo.New()
	s.echo.Logger.SetOutput(io.Discard)
	s.echo.IPExtractor = clientAddress(s.cfg.TrustedProxies)
	s.echo.Use(s.observe, s.api, s.limitClient, s.limitTotal)
	s.echo.Any("/xrpc/*", s.serveMethod)
	if s.explains {
		s.echo.Any(didPath, s.serveDID)
	}
	s.echo.Any("/*", echo.WrapHandler(s.pages))
}

func (s *Server) serveMethod(c echo.Context) error {
	r := c.Request()
	name := strings.TrimPrefix(r.URL.Path, "/xrpc/")
	if name == healthPath {
		if err := onlyGet(c); err != nil {
			return err
		}
		body, status, err := s.health(r.Context())
		if err != nil {
			return err
		}
		writeJSON(c, status, body)
		return nil
	}
	m, err := s.find(name)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Vary", "Authorization") // of what is kept, too
	body, err := s.kept(m, r, func(ctx context.Context) ([]byte, error) {
		return s.answer(ctx, m, c.Response(), r, client(c.RealIP()))
	})
	if err != nil {
		return err
	}
	if body == nil {
		return c.NoContent(http.StatusOK)
	}
	writeJSON(c, http.StatusOK, body)
	return nil
}

// answer finds out who asks, and answers them.
func (s *Server) answer(ctx context.Context, m *method, w http.ResponseWriter, r *http.Request, from netip.Prefix) ([]byte, error) {
	ctx, err := s.auth.authenticate(ctx, m, r.Header, from)
	if err != nil {
		return nil, err
	}
	return s.run(ctx, m, w, r)
}

func (s *Server) serveDID(c echo.Context) error {
	if err := onlyGet(c); err != nil {
		return err
	}
	body, err := EncodeJSON(s.didDocument())
	if err != nil {
		return fmt.Errorf("encode the DID document: %w", err)
	}
	writeJSON(c, http.StatusOK, body)
	return nil
}

func onlyGet(c echo.Context) error {
	if m := c.Request().Method; m != http.MethodGet && m != http.MethodHead {
		c.Response().Header().Set("Allow", allowed(http.MethodGet))
		return InvalidRequest("takes GET, got %s", cut(m, maxEcho))
	}
	return nil
}

// Handle adds pages beside the API, with the patterns and precedence of
// http.ServeMux. They share request ids, limits, metrics and recovery with it, and
// have no CORS outside of /.well-known/. It panics for a path that the server
// answers itself.
func (s *Server) Handle(pattern string, h http.Handler) {
	path := pattern[strings.LastIndexByte(pattern, ' ')+1:]
	if strings.HasPrefix(path, "/xrpc/") || path == didPath && s.explains {
		panic(fmt.Sprintf("xrpc: %s is not free for a page", pattern))
	}
	s.pages.Handle(pattern, h)
}

// DID is whose service it is.
func (s *Server) DID() syntax.DID { return s.did }

// Handler is the whole server without its listener.
func (s *Server) Handler() http.Handler { return s.echo }

// Listen binds to Config.Bind, so that Addr is known before Run. A second call
// changes nothing.
func (s *Server) Listen(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return nil
	}
	if s.cfg.Bind == "" {
		return errors.New("xrpc: listen: bind is not configured")
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.cfg.Bind)
	if err != nil {
		return fmt.Errorf("xrpc: listen on %s: %w", s.cfg.Bind, err)
	}
	s.listener = l
	return nil
}

// Addr is where the server listens, nil before Listen or Run.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Run listens, if Listen was not called, and serves until ctx is done. See Serve.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Listen(ctx); err != nil {
		return err
	}
	return s.Serve(ctx, s.listener)
}

// Serve answers requests on l until ctx is done, then takes no more, gives those
// under way ShutdownTimeout to finish, and cuts off what is left, which is an error.
// It closes l. Once it has returned nil, no handler runs.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if missing := s.unserved(); len(missing) > 0 {
		s.opts.Log.InfoContext(ctx, "declared methods without a handler", "methods", missing)
	}
	// It speaks no TLS itself, so who promises https has a proxy in front.
	if strings.HasPrefix(s.cfg.PublicURL, "https://") && len(s.cfg.TrustedProxies) == 0 {
		s.opts.Log.WarnContext(ctx, "no proxy is trusted (trusted-proxies), so all who come through the proxy in front are one client, and any of them can use up everybody's requests", "url", s.cfg.PublicURL)
	}
	srv := &http.Server{
		Handler:           s.echo,
		ReadHeaderTimeout: s.cfg.ReadTimeout,
		ReadTimeout:       s.cfg.ReadTimeout,
		WriteTimeout:      s.cfg.WriteTimeout,
		IdleTimeout:       s.cfg.IdleTimeout,
		MaxHeaderBytes:    s.cfg.MaxHeader,
		ErrorLog:          slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelDebug), // strangers cause most of it
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("xrpc: serve on %s: %w", l.Addr(), err), srv.Close())
	case <-ctx.Done():
	}
	// The requests under way do not end with ctx: that is the point of the bound.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ShutdownTimeout)
	defer cancel()
	err := srv.Shutdown(grace)
	if err != nil {
		err = errors.Join(fmt.Errorf("xrpc: requests still running after %v: %w", s.cfg.ShutdownTimeout, err), srv.Close())
	}
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("xrpc: serve: %w", e))
	}
	return err
}

// unserved lists the declared methods that answer MethodNotImplemented.
func (s *Server) unserved() []syntax.NSID {
	return slices.DeleteFunc(slices.Clone(s.opts.Methods), func(nsid syntax.NSID) bool { return s.methods[nsid] != nil })
}

// Close releases the listener of a server that was never run. It may be called at
// any time and more than once.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("xrpc: close listener: %w", err)
	}
	return nil
}
