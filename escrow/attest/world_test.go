package attest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/statement"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

const (
	someCID                   = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"
	attempt ledger.AttemptKey = "attemptaaaaaaaaaaaaaaaaa"
	payee   syntax.DID        = "did:plc:payeepayeepayeepayeepaye"
)

// world is an escrow with a ledger and an account at a real PDS.
type world struct {
	t       *testing.T
	path    string
	network *atmosphere.Network
	account *atmosphere.Account
	store   *store.Store
	ledger  *ledger.Ledger
	repo    *repo.Repo
	pub     *repo.Publisher
	maker   *Maker

	mu    sync.Mutex
	clock time.Time
	moved int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	network := atmospheretest.Shared(t)
	w := &world{
		t: t, path: filepath.Join(t.TempDir(), "escrow.db"), network: network, account: atmospheretest.NewAccount(t, network, "escrow"),
		clock: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
	}
	w.start(nil)
	t.Cleanup(func() { w.ok(w.store.Close()) })
	return w
}

// start is a process, which may die.
func (w *world) start(crash crashpoint.Hook) {
	w.t.Helper()
	if w.store != nil {
		w.ok(w.store.Close())
	}
	var err error
	w.store, err = store.Open(w.t.Context(), store.Config{Path: w.path, Mode: payments.Simulator}, store.Options{Clock: w.now, Crash: crash})
	w.ok(err)
	log := slog.New(slog.NewTextHandler(w.t.Output(), nil))
	w.ledger, w.repo = ledger.New(payments.Simulator), repo.New(w.account.DID, payments.Simulator)
	w.pub = repo.NewPublisher(w.repo, w.store, repo.Login{
		DID: w.account.DID, Identifier: w.account.Handle.String(), Password: payments.NewSecret(w.account.Password),
		Host: func(context.Context) (string, error) { return w.network.PDSURL(), nil },
	}, repo.Options{Log: log, Clock: w.now, Crash: crash})
	w.maker = New(w.store, w.ledger, w.repo, Options{Log: log, Clock: w.now})
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) advance(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(by)
}

func (w *world) do(fn func(context.Context, *store.Tx) error) {
	w.t.Helper()
	w.advance(time.Minute)
	w.ok(w.store.Update(w.t.Context(), fn))
}

// publish runs passes until nothing waits that the PDS takes.
func (w *world) publish() {
	w.t.Helper()
	for range 12 { // a pass writes one statement: the next follows it
		wait, err := w.pub.Pass(w.t.Context())
		w.ok(err)
		w.advance(wait)
	}
}

func (w *world) movement(amount int64) ledger.Transaction {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved++
	return ledger.Transaction{ID: fmt.Sprintf("txn_%05d", w.moved), Amount: amount, Currency: "USD"}
}

func pledgeOf(n int) syntax.ATURI {
	return syntax.ATURI("at://did:plc:payerpayerpayerpayerpaye/fund.stratos.feature.pledge/" + string(syntax.NewTID(int64(n), 0)))
}

func (w *world) pin(subject syntax.ATURI) repo.Pin {
	in := func(did syntax.DID, collection syntax.NSID) comatproto.RepoStrongRef {
		return comatproto.RepoStrongRef{Uri: "at://" + did.String() + "/" + collection.String() + "/3lbqxkdzvqk2a", Cid: someCID}
	}
	return repo.Pin{
		Pledge: subject, Development: in(payee, lexicons.CollectionDevelopment), Proposal: in(payee, lexicons.CollectionProposal),
		Terms: in(w.account.DID, lexicons.CollectionTerms), HeldUntil: time.Date(2027, 1, 10, 0, 0, 0, 0, time.UTC),
	}
}

func holdOf(n int) ledger.HoldID { return ledger.HoldID(fmt.Sprintf("h%d", n)) }

// charge is a pledge that was paid; of one that nobody pinned no receipt can be made.
func (w *world) charge(ctx context.Context, n int, amount int64, pinned bool) error {
	moved := w.movement(amount)
	return w.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		if pinned {
			if err := w.repo.PinReceipt(ctx, tx, w.pin(pledgeOf(n))); err != nil {
				return err
			}
		}
		value := money.Money{Amount: amount, Currency: "USD"}
		err := w.ledger.OpenHold(ctx, tx, ledger.Checkout{Hold: holdOf(n), Pledge: pledgeOf(n), CID: someCID, Attempt: attempt, Value: value})
		if err != nil {
			return err
		}
		return w.ledger.Charge(ctx, tx, ledger.Charged{Hold: holdOf(n), Charge: "ch_" + string(holdOf(n)), Transaction: moved})
	})
}

func (w *world) held(n int, amount int64) {
	w.t.Helper()
	w.advance(time.Minute)
	w.ok(w.charge(w.t.Context(), n, amount, true))
}

func (w *world) refunding(n int) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.ledger.DecideRefund(ctx, tx, holdOf(n), ledger.ReasonWithdrawn)
	})
}

func (w *world) refunded(n int, amount int64) {
	w.t.Helper()
	w.refunding(n)
	taken := w.movement(-amount)
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.ledger.Refund(ctx, tx, ledger.RefundObject{ID: "re_" + string(holdOf(n)), Hold: holdOf(n), Amount: amount, Status: ledger.RefundSucceeded, Taken: &taken})
	})
}

// make has a statement made.
func (w *world) make() repo.View {
	w.t.Helper()
	w.advance(time.Minute)
	view, err := w.maker.Make(w.t.Context())
	w.ok(err)
	return view
}

// statements are those in the repository, the oldest first, with their leaves.
func (w *world) statements() (keys []syntax.RecordKey, list []statement.Published) {
	w.t.Helper()
	w.list(lexicons.CollectionStatement, func(rkey syntax.RecordKey, _ syntax.CID, record lexicons.Record) {
		s := statement.Published{Record: *record.(*stratos.EscrowStatement)}
		if s.Record.Leaves != nil {
			s.Leaves = w.blob(s.Record.Leaves.Ref.String())
		}
		keys, list = append(keys, rkey), append(list, s)
	})
	return keys, list
}

// receipts are those in the repository.
func (w *world) receipts() map[syntax.RecordKey]statement.Receipt {
	w.t.Helper()
	out := map[syntax.RecordKey]statement.Receipt{}
	w.list(lexicons.CollectionReceipt, func(rkey syntax.RecordKey, cid syntax.CID, record lexicons.Record) {
		out[rkey] = statement.Receipt{CID: cid, Record: *record.(*stratos.EscrowReceipt)}
	})
	return out
}

// list reads a collection of the escrow's as anybody can, in the order of its keys.
func (w *world) list(collection syntax.NSID, each func(syntax.RecordKey, syntax.CID, lexicons.Record)) {
	w.t.Helper()
	for cursor := ""; ; {
		var page struct {
			Cursor  string
			Records []struct {
				URI   syntax.ATURI
				CID   syntax.CID
				Value json.RawMessage
			}
		}
		w.ok(w.account.Client.Get(w.t.Context(), "com.atproto.repo.listRecords", map[string]any{
			"repo": w.account.DID.String(), "collection": collection.String(), "limit": 100, "reverse": true, "cursor": cursor,
		}, &page))
		for _, r := range page.Records {
			record, err := lexicons.ParseRecordJSON(w.account.DID, collection, r.URI.RecordKey(), r.Value)
			w.ok(err)
			each(r.URI.RecordKey(), r.CID, record)
		}
		if page.Cursor == "" {
			return
		}
		cursor = page.Cursor
	}
}

func (w *world) blob(cid string) []byte {
	w.t.Helper()
	query := url.Values{"did": {w.account.DID.String()}, "cid": {cid}}
	resp, err := http.Get(w.network.PDSURL() + "/xrpc/com.atproto.sync.getBlob?" + query.Encode())
	w.ok(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	w.ok(err)
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("the leaves %s: %d %s", cid, resp.StatusCode, bytes.TrimSpace(b))
	}
	return b
}

// holds insists that every statement in the repository holds, each after the one before.
func (w *world) holds() []statement.Published {
	w.t.Helper()
	receipts := w.receipts()
	_, list := w.statements()
	for n := range list {
		var before *statement.Published
		if n > 0 {
			before = &list[n-1]
		}
		for _, found := range statement.Check(list[n], receipts, before) {
			w.t.Errorf("statement %d of %d: %s", n+1, len(list), found)
		}
		if (list[n].Record.Prev == nil) != (n == 0) {
			w.t.Errorf("statement %d follows %v", n+1, list[n].Record.Prev)
		}
	}
	return list
}
