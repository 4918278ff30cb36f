package xrpc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"
)

const (
	maxLoggedError = 2 << 10
	maxLoggedStack = 8 << 10
)

// observe is the outermost layer: it gives the request its id, turns errors and
// panics into answers, and counts and logs the outcome. Query strings, headers and
// client addresses are not logged; they may hold what belongs to somebody.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := s.opts.Now()
		r := c.Request()
		id := s.requestID(r)
		ctx := withRequestID(r.Context(), id)
		c.SetRequest(r.WithContext(ctx))
		c.Response().Header().Set("X-Request-Id", id)

		method := s.label(r.URL.Path)
		s.metrics.begin()
		defer func() { // also when a handler aborts the connection by panicking
			dur := s.opts.Now().Sub(start)
			s.metrics.end(method, c.Response().Status, dur)
			if s.opts.Log.Enabled(ctx, slog.LevelDebug) { // what is not logged need not be gathered
				s.opts.Log.DebugContext(ctx, "request", "method", method, "verb", cut(r.Method, 16), "status", c.Response().Status,
					"bytes", c.Response().Size, "dur", dur, "request", id)
			}
		}()
		if err := s.guard(next, c); err != nil {
			s.fail(c, method, err)
		}
		return nil
	}
}

// guard makes an error of a panic, as net/http does for the process: one broken
// handler must not take the others with it.
func (s *Server) guard(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if e, ok := v.(error); ok && errors.Is(e, http.ErrAbortHandler) {
			panic(v)
		}
		s.metrics.panicked()
		err = &panicError{value: v, stack: cut(string(debug.Stack()), maxLoggedStack)}
	}()
	return next(c)
}

type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string { return fmt.Sprintf("handler panicked: %v\n%s", e.value, e.stack) }

// fail answers with err and logs what the client must not see.
func (s *Server) fail(c echo.Context, method string, err error) {
	ctx := c.Request().Context()
	e := s.wireError(ctx, err)
	if e.Status >= http.StatusInternalServerError && e.Status != http.StatusNotImplemented {
		s.loud.log(ctx, "request failed", "method", method, "status", e.Status, "request", RequestID(ctx), "err", cut(err.Error(), maxLoggedStack+maxLoggedError))
	}
	if c.Response().Committed {
		return
	}
	if !isAPI(c.Request().URL.Path) {
		http.Error(c.Response(), e.Message, e.Status)
		return
	}
	if e.Status == http.StatusUnauthorized {
		c.Response().Header().Set("WWW-Authenticate", challenge(e))
	}
	body, err := EncodeJSON(struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}{e.Name, e.Message})
	if err != nil {
		panic(err) // two strings always encode
	}
	writeJSON(c, e.Status, body)
}

// writeJSON sends a whole body. An error here is a client that went away.
func writeJSON(c echo.Context, status int, body []byte) {
	// Without a length net/http sends all but short bodies in chunks.
	c.Response().Header().Set("Content-Length", strconv.Itoa(len(body)))
	_ = c.Blob(status, "application/json; charset=utf-8", body)
}

var saneRequestID = regexp.MustCompile(`^[0-9A-Za-z._-]{8,64}$`)

// requestID takes the id that a trusted proxy gave, so that its log and ours agree.
// From anybody else it would let strangers write what operators search for.
func (s *Server) requestID(r *http.Request) string {
	if given := r.Header.Get("X-Request-Id"); saneRequestID.MatchString(given) && s.fromProxy(r) {
		return given
	}
	return rand.Text()
}

func (s *Server) fromProxy(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	for _, p := range s.cfg.TrustedProxies {
		if p.Contains(peer.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// label names a path in metrics and logs, from a closed set.
func (s *Server) label(path string) string {
	name, ok := strings.CutPrefix(path, "/xrpc/")
	switch {
	case ok && name == healthPath:
		return labelHealth
	case ok && s.methods[syntax.NSID(name)] != nil:
		return name
	case ok:
		return labelOther
	case path == didPath && s.explains:
		return labelDID
	default:
		return labelPages
	}
}

// loudLog bounds what strangers can make the log grow by.
type loudLog struct {
	*slog.Logger
	limit      *rate.Limiter
	now        func() time.Time
	suppressed atomic.Int64
}

func (l *loudLog) log(ctx context.Context, msg string, attrs ...any) {
	if !l.limit.AllowN(l.now(), 1) {
		l.suppressed.Add(1)
		return
	}
	if n := l.suppressed.Swap(0); n > 0 {
		attrs = append(attrs, "suppressed", n)
	}
	l.ErrorContext(ctx, msg, attrs...)
}
