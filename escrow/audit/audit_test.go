package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/attest"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

const someCID = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"

// world is an escrow that published statements, at a real PDS, and somebody who asks it
// through a line that may lie.
type world struct {
	t       *testing.T
	account *atmosphere.Account
	config  indexer.Config
	asker   *indexer.Asker
	clock   time.Time
	store   *store.Store
	ledger  *ledger.Ledger
	repo    *repo.Repo
	pub     *repo.Publisher
	maker   *attest.Maker
	// lie changes what the PDS answers to a method; nil for nothing.
	lie func(syntax.NSID, []byte) []byte
}

func newWorld(t *testing.T) *world {
	t.Helper()
	network := atmospheretest.Shared(t)
	w := &world{
		t: t, account: atmospheretest.NewAccount(t, network, "escrow"), clock: time.Now().Add(-24 * time.Hour),
		config: indexer.Config{RelayURLs: []string{network.PLCURL()}, PLCURL: network.PLCURL(), UserAgent: "test"},
	}
	var err error
	w.asker, err = indexer.NewAsker(w.config, nil)
	w.ok(err)
	w.store, err = store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "escrow.db"), Mode: payments.Simulator}, store.Options{Clock: w.now})
	w.ok(err)
	t.Cleanup(func() { w.ok(w.store.Close()) })
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	w.ledger, w.repo = ledger.New(payments.Simulator), repo.New(w.account.DID, payments.Simulator)
	w.pub = repo.NewPublisher(w.repo, w.store, repo.Login{
		DID: w.account.DID, Identifier: w.account.Handle.String(), Password: payments.NewSecret(w.account.Password),
		Host: func(context.Context) (string, error) { return network.PDSURL(), nil },
	}, repo.Options{Log: log, Clock: w.now})
	w.maker = attest.New(w.store, w.ledger, w.repo, attest.Options{Log: log, Clock: w.now})
	return w
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) now() time.Time { return w.clock }

// Query asks the real PDS and then lies.
func (w *world) Query(ctx context.Context, server string, method syntax.NSID, params url.Values, accept string, read func(io.Reader) error) error {
	return w.asker.Query(ctx, server, method, params, accept, func(r io.Reader) error {
		if w.lie == nil {
			return read(r)
		}
		honest, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		return read(bytes.NewReader(w.lie(method, honest)))
	})
}

func pledgeOf(n int) syntax.ATURI {
	return syntax.ATURI("at://did:plc:payerpayerpayerpayerpaye/fund.stratos.feature.pledge/" + string(syntax.NewTID(int64(n), 0)))
}

// held is a pledge that was paid.
func (w *world) held(n int) {
	w.t.Helper()
	w.clock = w.clock.Add(time.Minute)
	in := func(did syntax.DID, collection syntax.NSID) comatproto.RepoStrongRef {
		return comatproto.RepoStrongRef{Uri: "at://" + did.String() + "/" + collection.String() + "/3lbqxkdzvqk2a", Cid: someCID}
	}
	const developer syntax.DID = "did:plc:developerdeveloperdevelo"
	value := money.Money{Amount: 2500, Currency: "USD"}
	hold := ledger.HoldID(fmt.Sprintf("h%d", n))
	w.ok(w.store.Update(w.t.Context(), func(ctx context.Context, tx *store.Tx) error {
		err := w.repo.PinReceipt(ctx, tx, repo.Pin{
			Pledge: pledgeOf(n), Development: in(developer, lexicons.CollectionDevelopment), Proposal: in(developer, lexicons.CollectionProposal),
			Terms: in(w.account.DID, lexicons.CollectionTerms), HeldUntil: w.clock.AddDate(0, 0, 80),
		})
		if err != nil {
			return err
		}
		if err := w.ledger.OpenHold(ctx, tx, ledger.Checkout{Hold: hold, Pledge: pledgeOf(n), CID: someCID, Attempt: "attemptaaaaaaaaaaaaaaaaa", Value: value}); err != nil {
			return err
		}
		return w.ledger.Charge(ctx, tx, ledger.Charged{
			Hold: hold, Charge: "ch_" + string(hold), Transaction: ledger.Transaction{ID: "txn_" + string(hold), Amount: value.Amount, Currency: "USD"},
		})
	}))
}

// states makes a statement and publishes it.
func (w *world) states() syntax.ATURI {
	w.t.Helper()
	w.clock = w.clock.Add(time.Minute)
	view, err := w.maker.Make(w.t.Context())
	w.ok(err)
	for range 2 {
		wait, err := w.pub.Pass(w.t.Context())
		w.ok(err)
		w.clock = w.clock.Add(wait)
	}
	return view.URI
}

func (w *world) auditor() *Auditor {
	return New(indexer.NewDirectory(w.config, nil), w, time.Now)
}

func (w *world) audit(q Question) *Report {
	w.t.Helper()
	q.Escrow = w.account.DID
	r, err := w.auditor().Audit(w.t.Context(), q)
	w.ok(err)
	return r
}

// wrong wants a finding with these words.
func (w *world) wrong(r *Report, words string) {
	w.t.Helper()
	if !slices.ContainsFunc(r.Findings, func(f string) bool { return strings.Contains(f, words) }) {
		w.t.Errorf("found %q, want something with %q", r.Findings, words)
	}
}

// published is a world with three statements of two, three and four receipts.
func published(t *testing.T) (w *world, statements []syntax.ATURI) {
	t.Helper()
	w = newWorld(t)
	w.held(1)
	for n := range 3 {
		w.held(n + 2)
		statements = append(statements, w.states())
	}
	return w, statements
}

func TestAudit_WhatIsTrueHolds(t *testing.T) {
	t.Parallel()
	w, statements := published(t)
	for n, uri := range append(statements, "") {
		for _, all := range []bool{false, true} {
			place := min(n, 2)
			r := w.audit(Question{Statement: uri.RecordKey(), All: all, Receipts: []syntax.RecordKey{lexicons.DerivedKey(pledgeOf(1)), lexicons.DerivedKey(pledgeOf(2))}})
			checked := 1
			if all {
				checked = place + 1
			}
			if len(r.Findings) > 0 || r.Statement.Receipts != int64(place+2) || r.Chain != place+1 || r.Checked != checked || len(r.Included) != 2 || r.Receipts != 4 {
				t.Errorf("statement %d: %+v", n+1, r)
			}
			if r.Ref.Uri != statements[place].String() {
				t.Errorf("%s was checked, want %s", r.Ref.Uri, statements[place])
			}
		}
	}
}

func TestAudit_LiesOfTheOperatorAreFound(t *testing.T) {
	t.Parallel()
	edited := func(w *world, uri syntax.ATURI, field string, value any) {
		w.t.Helper()
		var out struct{ Value map[string]any }
		w.ok(w.account.Client.Get(w.t.Context(), "com.atproto.repo.getRecord", map[string]any{
			"repo": w.account.DID.String(), "collection": uri.Collection().String(), "rkey": uri.RecordKey().String(),
		}, &out))
		out.Value[field] = value
		_, _, err := w.account.PutRecord(w.t.Context(), uri.Collection(), uri.RecordKey(), out.Value)
		w.ok(err)
	}
	receipt := func(w *world, n int) syntax.ATURI {
		return syntax.ATURI("at://" + w.account.DID.String() + "/" + lexicons.CollectionReceipt.String() + "/" + lexicons.DerivedKey(pledgeOf(n)).String())
	}
	for name, c := range map[string]struct {
		lie  func(w *world, statements []syntax.ATURI)
		all  bool
		want string
	}{
		"a receipt is deleted": {func(w *world, _ []syntax.ATURI) { w.ok(w.account.DeleteRecord(w.t.Context(), receipt(w, 1))) }, false, "has vanished"},
		"a receipt is of less money": {func(w *world, _ []syntax.ATURI) {
			edited(w, receipt(w, 1), "value", map[string]any{"amount": 25, "currency": "USD"})
		}, false, "of other money"},
		"a receipt is not one any more": {func(w *world, _ []syntax.ATURI) { edited(w, receipt(w, 1), "status", "gone") }, false, "is not valid"},
		"less is owed":                  {func(w *world, s []syntax.ATURI) { edited(w, s[2], "owed", []any{}) }, false, "owed by attempt"},
		"another root":                  {func(w *world, s []syntax.ATURI) { edited(w, s[2], "root", strings.Repeat("0", 64)) }, false, "the root of the leaves"},
		"the statement before is edited": {func(w *world, s []syntax.ATURI) {
			edited(w, s[1], "float", []any{map[string]any{"amount": 9, "currency": "USD"}})
		}, false, "does not follow"},
		"the statement before is deleted":   {func(w *world, s []syntax.ATURI) { w.ok(w.account.DeleteRecord(w.t.Context(), s[1])) }, false, "does not follow"},
		"the first statement is deleted":    {func(w *world, s []syntax.ATURI) { w.ok(w.account.DeleteRecord(w.t.Context(), s[0])) }, false, "is not in the repository"},
		"the first statement said too much": {func(w *world, s []syntax.ATURI) { edited(w, s[0], "receipts", 7) }, true, "in the statement "},
		"a statement is for another moment": {func(w *world, s []syntax.ATURI) { edited(w, s[2], "asOf", "2026-01-01T00:00:00.000Z") }, false, "and the one before it for"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, statements := published(t)
			c.lie(w, statements)
			w.wrong(w.audit(Question{All: c.all}), c.want)
		})
	}
}

func TestAudit_LiesOnTheWayProveNothing(t *testing.T) {
	t.Parallel()
	w, _ := published(t)
	w.lie = func(method syntax.NSID, honest []byte) []byte {
		if method == getRepo {
			honest[len(honest)/2] ^= 1
		}
		return honest
	}
	if _, err := w.auditor().Audit(t.Context(), Question{Escrow: w.account.DID}); !errors.Is(err, ErrForged) && !errors.Is(err, ErrUnavailable) {
		t.Errorf("a repository with another bit: %v", err)
	}
	w.lie = func(method syntax.NSID, honest []byte) []byte {
		if method == getBlob {
			return honest[:len(honest)-1]
		}
		return honest
	}
	w.wrong(w.audit(Question{}), "not those that the statement names")
	// Another account's repository is well signed, and not this one's.
	other, _ := published(t)
	var repository []byte
	other.lie = func(method syntax.NSID, honest []byte) []byte {
		if method == getRepo {
			repository = honest
		}
		return honest
	}
	other.audit(Question{})
	w.lie = func(method syntax.NSID, honest []byte) []byte {
		if method == getRepo {
			return repository
		}
		return honest
	}
	if _, err := w.auditor().Audit(t.Context(), Question{Escrow: w.account.DID}); !errors.Is(err, ErrForged) {
		t.Errorf("another account's repository: %v", err)
	}
}

func TestAudit_WithoutAnythingToCheckItSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.auditor().Audit(t.Context(), Question{Escrow: w.account.DID}); !errors.Is(err, ErrNoStatement) {
		t.Errorf("no statement: %v", err)
	}
	if _, err := w.auditor().Audit(t.Context(), Question{Escrow: "did:plc:nobodynobodynobodynobody"}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("nobody: %v", err)
	}
	w.held(1)
	w.states()
	r := w.audit(Question{Receipts: []syntax.RecordKey{lexicons.DerivedKey(pledgeOf(2))}})
	w.wrong(r, "is not counted")
}
