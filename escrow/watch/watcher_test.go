package watch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/util/ssrf"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/escrow/watch"
	"github.com/stratosfund/stratosfund/indexer/claims/claimstest"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/indexer/sqlite/sqlitetest"
)

const attempt ledger.AttemptKey = "attemptaaaaaaaaaaaaaaaaa"

type world struct {
	*claimstest.Web
	t         *testing.T
	clock     time.Time
	store     *store.Store
	transport http.RoundTripper
	online    func(context.Context) error
	registry  *prometheus.Registry
	watcher   *watch.Watcher
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Web: claimstest.New(t), t: t, clock: start}
	w.transport = w.Web
	var err error
	w.store, err = store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "escrow.db"), Mode: payments.Simulator},
		store.Options{Clock: func() time.Time { return w.clock }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.restart()
	return w
}

// restart is a new process, which knows what is in the database.
func (w *world) restart() {
	w.registry = prometheus.NewRegistry()
	w.watcher = watch.New(watch.Config{UserAgent: "stratosfund-escrow (https://escrow.test)", Transport: w.transport}, watch.Tables{Store: w.store}, watch.Options{
		Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)), Clock: func() time.Time { return w.clock }, Registry: w.registry,
		Online: w.online,
	})
}

func (w *world) do(fn func(context.Context, *store.Tx) error) {
	w.t.Helper()
	if err := w.store.Update(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) begin(attempt ledger.AttemptKey, uri string) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error { return watch.Begin(ctx, tx, attempt, uri) })
}

// pass runs one pass, some time after the one before.
func (w *world) pass(later time.Duration) {
	w.t.Helper()
	w.clock = w.clock.Add(later)
	if _, err := w.watcher.Pass(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) uptime(attempt ledger.AttemptKey) (u watch.Uptime) {
	w.t.Helper()
	err := w.store.Read(w.t.Context(), func(ctx context.Context, q sqlite.Querier) (err error) {
		u, err = watch.Load(ctx, q, attempt)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

// soon is when a preview is certainly due again.
const soon = watch.Every * 2

func TestR7_APreviewIsAskedAndWhatWasSeenIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var agent string
	w.Serve("app.web.test", "/try", http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) { agent = req.UserAgent() }))
	w.begin(attempt, "https://app.web.test/try")
	w.pass(0)
	u := w.uptime(attempt)
	if u.Checks != 1 || u.Failures != 0 || !u.LastOK() || !u.LastAt.Equal(start) || u.LastStatus != 200 || u.TLSUntil.IsZero() || len(u.Outages) != 0 {
		t.Errorf("%+v", u)
	}
	if agent != "stratosfund-escrow (https://escrow.test)" {
		t.Errorf("asked by %q", agent)
	}
	for _, c := range []struct {
		page    http.Handler
		outcome watch.Outcome
		reason  string
	}{
		{claimstest.Status(http.StatusNotFound), watch.Down, "status 404"},
		{claimstest.Status(http.StatusBadGateway), watch.Down, "status 502"},
		{claimstest.Status(http.StatusUnauthorized), watch.TurnedAway, ""},
		{claimstest.Status(http.StatusTooManyRequests), watch.TurnedAway, ""},
		{http.RedirectHandler("http://app.web.test/", http.StatusFound), watch.Down, "do not follow"},
		{http.RedirectHandler("https://app.web.test/try", http.StatusFound), watch.Down, "do not follow"}, // round and round
		{claimstest.Text("Hello."), watch.Up, ""},
		{http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Length", "100")
			fmt.Fprint(rw, "broken")
			rw.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}), watch.Down, "broke off"},
		{http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), watch.Down, "EOF"},
		{http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) { // without an end
			for page := []byte(strings.Repeat("x", 1<<16)); req.Context().Err() == nil; {
				if _, err := rw.Write(page); err != nil {
					return
				}
			}
		}), watch.Up, ""},
	} {
		w.Serve("app.web.test", "/try", c.page)
		before := w.uptime(attempt)
		w.pass(soon)
		u := w.uptime(attempt)
		if u.Checks != before.Checks+1 || u.Last != c.outcome {
			t.Fatalf("%+v, want %s, %q", u, c.outcome, c.reason)
		}
		if since, down := u.DownSince(); down != (c.reason != "") || down && (since.After(u.LastAt) || !strings.Contains(u.Outages[len(u.Outages)-1].Reason, c.reason)) {
			t.Errorf("%+v, want %q", u, c.reason)
		}
	}
	if u := w.uptime(attempt); len(u.Outages) != 3 || u.Failures != 6 || u.TurnedAway != 2 || u.Checks != 11 {
		t.Errorf("%+v", u)
	}
	if got := testutil.CollectAndCount(w.registry, "stratos_escrow_watch_probes_total"); got != 5 {
		t.Errorf("%d outcomes", got)
	}
}

// counted is a page that counts its visits.
func (w *world) counted(host, path string, page http.Handler) func() int {
	visits := make(chan struct{}, 1000)
	w.Serve(host, path, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		visits <- struct{}{}
		page.ServeHTTP(rw, req)
	}))
	return func() int { return len(visits) }
}

func TestR7_AHostIsAskedOnceInAWhileForAllItsPreviews(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.counted("app.web.test", "/a", claimstest.Text("a")), w.counted("APP.web.test", "/b", claimstest.Text("b"))
	w.begin("a", "https://app.web.test/a")
	w.begin("b", "https://APP.web.test/b")
	for n := range 100 {
		if n%7 == 0 {
			w.restart()
		}
		before := a() + b()
		w.pass(watch.Every / 5)
		if asked := a() + b() - before; asked > 1 {
			t.Fatalf("%d at once", asked)
		}
	}
	// 20 turns, of which some are lost to the jitter.
	if a() < 5 || b() < 5 || a()+b() > 20 {
		t.Errorf("asked %d and %d times", a(), b())
	}
	if u := w.uptime("a"); u.Checks != int64(a()) || u.Failures != 0 {
		t.Errorf("%+v", u)
	}
}

func TestR7_ManyPreviewsDoNotDriveTheEscrowToAStrangersHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	visits := w.counted("victim.web.test", "/", claimstest.Text("What is it?"))
	for n := range 20 {
		host := fmt.Sprintf("app%d.web.test", n)
		w.Serve(host, "/", http.RedirectHandler("https://victim.web.test/", http.StatusFound))
		w.begin(ledger.AttemptKey(fmt.Sprint("a", n)), "https://"+host+"/")
	}
	w.begin("victim", "https://victim.web.test/")
	for range 3 {
		before := visits()
		w.pass(soon)
		if asked := visits() - before; asked != 2 {
			t.Errorf("the host was asked %d times, and not once for itself and once for the others", asked)
		}
	}
	if u := w.uptime("victim"); u.Checks != 3 {
		t.Errorf("%+v", u)
	}
	// Who waits for a turn counts as nothing.
	for n := range 20 {
		if u := w.uptime(ledger.AttemptKey(fmt.Sprint("a", n))); u.Failures != 0 {
			t.Errorf("%+v", u)
		}
	}
}

// guarded lets the web's hosts pass and leaves all others to the guard that production
// uses.
type guarded struct {
	*claimstest.Web
	guard *http.Transport
}

func (g guarded) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Hostname(), claimstest.Domain) {
		return g.Web.RoundTrip(req)
	}
	return g.guard.RoundTrip(req)
}

func TestR7_APrivateAddressIsNotReached(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.transport = guarded{w.Web, ssrf.PublicOnlyTransport()}
	w.restart()
	w.Serve("app.web.test", "/", http.RedirectHandler("https://169.254.169.254/latest", http.StatusFound))
	w.begin("a", "https://app.web.test/")
	w.begin("b", "https://127.0.0.1/")
	w.pass(0)
	for _, key := range []ledger.AttemptKey{"a", "b"} {
		if u := w.uptime(key); u.Failures != 1 || !strings.Contains(u.Outages[0].Reason, "is not a public IP address") {
			t.Errorf("%+v", u)
		}
	}
}

func TestR7_OurOwnTroubleDoesNotCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	offline := errors.New("no route")
	w.online = func(context.Context) error { return offline }
	w.restart()
	w.begin("a", "https://nobody.example/")
	w.Serve("b.web.test", "/", claimstest.Status(http.StatusInternalServerError))
	w.begin("b", "https://b.web.test/")
	w.pass(0)
	if u := w.uptime("a"); u.Checks != 0 {
		t.Errorf("nobody could be asked: %+v", u)
	}
	if u := w.uptime("b"); u.Failures != 1 {
		t.Errorf("somebody answered: %+v", u)
	}
	offline = nil
	w.pass(soon)
	if u := w.uptime("a"); u.Failures != 1 || !strings.Contains(u.Outages[0].Reason, "no such host") {
		t.Errorf("%+v", u)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.watcher.Run(ctx); err != nil {
		t.Error(err)
	}
	if u := w.uptime("a"); u.Checks != 1 {
		t.Errorf("stopped: %+v", u)
	}
}

func TestR7_AMovedPreviewIsWatchedWhereItIsAndAnEndedOneNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old, moved := w.counted("old.web.test", "/", claimstest.Status(http.StatusGone)), w.counted("new.web.test", "/", claimstest.Text("Hello."))
	w.begin(attempt, "https://old.web.test/")
	w.pass(0)
	w.begin(attempt, "https://new.web.test/")
	w.pass(time.Second)
	w.begin(attempt, "https://new.web.test/") // nothing new
	w.pass(time.Second)
	if u := w.uptime(attempt); u.URI != "https://new.web.test/" || u.Checks != 2 || u.Failures != 1 || len(u.Outages) != 1 || !u.LastOK() {
		t.Errorf("%+v", u)
	}
	// What was asked before is not counted for what is there now.
	err := watch.Tables{Store: w.store}.Keep(t.Context(), watch.Watched{Attempt: attempt, URI: "https://old.web.test/"}, watch.Probe{At: w.clock, Outcome: watch.Down}, w.clock)
	if u := w.uptime(attempt); err != nil || u.Checks != 2 {
		t.Errorf("%v, %+v", err, u)
	}
	w.do(func(ctx context.Context, tx *store.Tx) error { return watch.End(ctx, tx, attempt) })
	w.pass(soon)
	if old() != 1 || moved() != 1 {
		t.Errorf("asked %d and %d times", old(), moved())
	}
	err = w.store.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) error {
		_, err := watch.Load(ctx, q, "never")
		return err
	})
	if !errors.Is(err, watch.ErrNotFound) {
		t.Error(err)
	}
	for _, bad := range []string{"http://app.web.test/", "app", "https://", "javascript:alert(1)"} {
		err := w.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error { return watch.Begin(ctx, tx, "bad", bad) })
		if err == nil {
			t.Errorf("%s is watched", bad)
		}
	}
}

func TestTables_KeepWhatUptimeCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tables := watch.Tables{Store: w.store}
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		key := ledger.AttemptKey(fmt.Sprint("attempt", n))
		w.begin(key, "https://app.web.test/")
		want := watch.Uptime{URI: "https://app.web.test/"}
		for _, p := range probes(r) {
			want.Add(p)
			if err := tables.Keep(t.Context(), watch.Watched{Attempt: key, URI: want.URI}, p, p.At); err != nil {
				r.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, w.uptime(key), cmpopts.EquateEmpty()); diff != "" {
			r.Fatal(diff)
		}
	})
}

func TestStatements_ParametersAppearInOrder(t *testing.T) {
	t.Parallel()
	sqlitetest.ParametersInOrder(t, ".", 9)
}
