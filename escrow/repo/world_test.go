package repo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

const (
	someCID                   = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"
	attempt ledger.AttemptKey = "attemptaaaaaaaaaaaaaaaaa"
)

// world is an escrow with a ledger and an account at a real PDS, behind a gate that
// misbehaves when it is told to.
type world struct {
	t       *testing.T
	clock   time.Time
	store   *store.Store
	ledger  *ledger.Ledger
	repo    *Repo
	account *atmosphere.Account
	gate    *gate
	pub     *Publisher
	moved   int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	network := atmospheretest.Shared(t)
	w := &world{
		t: t, clock: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
		ledger:  ledger.New(payments.Simulator),
		account: atmospheretest.NewAccount(t, network, "escrow"),
		gate:    newGate(t, network.PDSURL()),
	}
	var err error
	w.store, err = store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "escrow.db"), Mode: payments.Simulator},
		store.Options{Clock: w.now})
	w.ok(err)
	t.Cleanup(func() { w.ok(w.store.Close()) })
	w.repo = New(w.account.DID, w.store.Mode())
	w.restart(nil)
	return w
}

func (w *world) now() time.Time { return w.clock }

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// restart is a new process, which knows what is in the database.
func (w *world) restart(crash crashpoint.Hook) {
	w.pub = NewPublisher(w.repo, w.store, Login{
		DID: w.account.DID, Identifier: w.account.Handle.String(), Password: payments.NewSecret(w.account.Password),
		Host: func(context.Context) (string, error) { return w.gate.url, nil },
	}, Options{Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)), Clock: w.now, Crash: crash})
}

// pass runs one pass, and lets its time go by.
func (w *world) pass() {
	w.t.Helper()
	wait, err := w.pub.Pass(w.t.Context())
	w.ok(err)
	w.clock = w.clock.Add(wait)
}

// settle runs passes until nothing waits.
func (w *world) settle() {
	w.t.Helper()
	for range 50 {
		w.pass()
		if w.waiting().Records == 0 {
			return
		}
	}
	w.t.Fatalf("%+v still wait", w.waiting())
}

func (w *world) waiting() (out Waiting) {
	w.t.Helper()
	w.ok(w.store.Read(w.t.Context(), func(ctx context.Context, q sqlite.Querier) (err error) {
		out, err = w.repo.Waiting(ctx, q)
		return err
	}))
	return out
}

func (w *world) oldestWaiting() (at time.Time) {
	w.t.Helper()
	w.ok(w.store.Read(w.t.Context(), func(ctx context.Context, q sqlite.Querier) (err error) {
		at, err = OldestWaiting(ctx, q)
		return err
	}))
	return at
}

func (w *world) do(fn func(context.Context, *store.Tx) error) {
	w.t.Helper()
	w.clock = w.clock.Add(time.Minute)
	w.ok(w.store.Update(w.t.Context(), fn))
}

func (w *world) movement(amount int64) ledger.Transaction {
	w.moved++
	return ledger.Transaction{ID: fmt.Sprintf("txn_%03d", w.moved), Amount: amount, Currency: "USD"}
}

// pledgeOf is another pledge for each h1 to h9.
func pledgeOf(hold ledger.HoldID) syntax.ATURI {
	return syntax.ATURI("at://did:plc:payerpayerpayerpayerpaye/fund.stratos.feature.pledge/" + string(syntax.NewTID(int64(hold[1]), 0)))
}

func pinOf(hold ledger.HoldID, escrow syntax.DID) Pin {
	in := func(collection syntax.NSID) comatproto.RepoStrongRef {
		return comatproto.RepoStrongRef{Uri: "at://did:plc:developerdeveloperdevelo/" + collection.String() + "/3lbqxkdzvqk2a", Cid: someCID}
	}
	return Pin{
		Pledge: pledgeOf(hold), Development: in(lexicons.CollectionDevelopment), Proposal: in(lexicons.CollectionProposal),
		Terms:     comatproto.RepoStrongRef{Uri: "at://" + escrow.String() + "/fund.stratos.escrow.terms/3lbqxkdzvqk2a", Cid: someCID},
		HeldUntil: time.Date(2027, 1, 10, 0, 0, 0, 0, time.UTC),
	}
}

// held is a pledge that was paid.
func (w *world) held(hold ledger.HoldID) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.repo.PinReceipt(ctx, tx, pinOf(hold, w.account.DID))
	})
	w.charged(hold)
}

// charged is a pledge that was paid, and that nobody had pinned.
func (w *world) charged(hold ledger.HoldID) {
	w.t.Helper()
	value := money.Money{Amount: 2500, Currency: "USD"}
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.ledger.OpenHold(ctx, tx, ledger.Checkout{Hold: hold, Pledge: pledgeOf(hold), CID: someCID, Attempt: attempt, Value: value})
	})
	t := w.movement(2500)
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.ledger.Charge(ctx, tx, ledger.Charged{Hold: hold, Charge: "ch_" + string(hold), Transaction: t})
	})
}

func (w *world) refunding(hold ledger.HoldID, reason ledger.Reason) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.ledger.DecideRefund(ctx, tx, hold, reason) })
}

// read returns a record of the escrow, as anybody can read it, and as every reader
// checks it; nil when it is not there.
func (w *world) read(collection syntax.NSID, rkey syntax.RecordKey) (lexicons.Record, string) {
	w.t.Helper()
	var out struct {
		CID   string          `json:"cid"`
		Value json.RawMessage `json:"value"`
	}
	err := w.account.Client.Get(w.t.Context(), "com.atproto.repo.getRecord",
		map[string]any{"repo": w.account.DID.String(), "collection": collection.String(), "rkey": rkey.String()}, &out)
	if err != nil && strings.Contains(err.Error(), "RecordNotFound") {
		return nil, ""
	}
	w.ok(err)
	record, err := lexicons.ParseRecordJSON(w.account.DID, collection, rkey, out.Value)
	w.ok(err)
	return record, out.CID
}

// receipt shows the history that a receipt tells.
func (w *world) receipt(hold ledger.HoldID) string {
	w.t.Helper()
	record, _ := w.read(lexicons.CollectionReceipt, lexicons.DerivedKey(pledgeOf(hold)))
	if record == nil {
		return ""
	}
	var out []string
	for _, c := range record.(*stratos.EscrowReceipt).History {
		s := c.Status
		if c.Reason != nil {
			s += "(" + *c.Reason + ")"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func (w *world) wantReceipt(hold ledger.HoldID, want string) {
	w.t.Helper()
	if got := w.receipt(hold); got != want {
		w.t.Errorf("the receipt of %s says %q, want %q", hold, got, want)
	}
}

// rev is the repository's revision: it changes with each commit.
func (w *world) rev() string {
	w.t.Helper()
	out, err := comatproto.SyncGetLatestCommit(w.t.Context(), atclient.NewAPIClient(w.account.Client.Host), w.account.DID.String())
	w.ok(err)
	return out.Rev
}

func (w *world) found(f found) int {
	return int(testutil.ToFloat64(w.pub.metrics.repairs.WithLabelValues(string(f))))
}

// gate stands between the escrow and its PDS.
type gate struct {
	url string

	mu sync.Mutex
	// before answers instead of the PDS when it returns true, after when the PDS has
	// done what it was asked.
	before, after func(http.ResponseWriter, *http.Request) bool
	puts          []string // keys that the PDS was asked to write, in order
}

func newGate(t *testing.T, pds string) *gate {
	t.Helper()
	target, err := url.Parse(pds)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{}
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.before != nil && g.before(rw, r) {
			return
		}
		if isPut(r) {
			body, _ := io.ReadAll(r.Body) // what is cut off, the PDS refuses
			var put struct{ Rkey string }
			_ = json.Unmarshal(body, &put)
			g.puts = append(g.puts, put.Rkey)
			r.Body = io.NopCloser(strings.NewReader(string(body)))
		}
		if g.after == nil {
			proxy.ServeHTTP(rw, r)
			return
		}
		done := httptest.NewRecorder()
		proxy.ServeHTTP(done, r)
		if g.after(rw, r) {
			return
		}
		for name, values := range done.Header() {
			rw.Header()[name] = values
		}
		rw.WriteHeader(done.Code)
		_, _ = rw.Write(done.Body.Bytes())
	}))
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

func isPut(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "com.atproto.repo.putRecord") }

// set changes how the gate behaves.
func (g *gate) set(before, after func(http.ResponseWriter, *http.Request) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.before, g.after, g.puts = before, after, nil
}

func (g *gate) written() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.puts
}

// answer writes an error in the form of XRPC.
func answer(rw http.ResponseWriter, status int, name string) bool {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	fmt.Fprintf(rw, `{"error":%q,"message":"the gate says so"}`, name)
	return true
}

func (w *world) uri(raw string) syntax.ATURI {
	w.t.Helper()
	uri, err := syntax.ParseATURI(raw)
	w.ok(err)
	return uri
}

// lastEntry is when the ledger moved last.
func (w *world) lastEntry() (at time.Time) {
	w.t.Helper()
	w.ok(w.store.Read(w.t.Context(), func(ctx context.Context, q sqlite.Querier) error {
		var ms int64
		err := q.QueryRowContext(ctx, `SELECT max(at) FROM entry`).Scan(&ms)
		at = time.UnixMilli(ms)
		return err
	}))
	return at
}
