package restored

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/intake"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/outgoing"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/processortest"
	"github.com/stratosfund/stratosfund/escrow/reconcile"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const amount = 2500

// world is an escrow with a repository on a real PDS and a simulator for a processor.
type world struct {
	*processortest.World
	network *atmosphere.Network
	account *atmosphere.Account
	away    bool // the PDS

	repo      *repo.Repo
	publisher *repo.Publisher
	sender    *outgoing.Sender
	worker    *intake.Worker
	guard     *Guard
}

func newWorld(t *testing.T) *world {
	t.Helper()
	network := atmospheretest.Shared(t)
	w := &world{network: network, account: atmospheretest.NewAccount(t, network, "escrow")}
	w.World = processortest.NewUnder(t, w.account.DID)
	w.start()
	w.guarded(true)
	return w
}

// start is a new process on the database.
func (w *world) start() {
	w.T.Helper()
	w.repo = repo.New(w.account.DID, payments.Simulator)
	w.publisher = repo.NewPublisher(w.repo, w.Store, repo.Login{
		DID: w.account.DID, Identifier: w.account.Handle.String(), Password: payments.NewSecret(w.account.Password),
		Host: func(context.Context) (string, error) {
			if w.away {
				return "", fmt.Errorf("the PDS is away")
			}
			return w.network.PDSURL(), nil
		},
	}, repo.Options{Log: w.Log, Clock: w.Now})
	w.sender = outgoing.New(processortest.Escrow, w.Store, w.Ledger, w.Client, outgoing.Options{Log: w.Log, Clock: w.Now})
	w.worker = intake.New(intake.Parts{
		Escrow: processortest.Escrow, Store: w.Store, Ledger: w.Ledger, Processor: w.Client, Outgoing: w.sender, Checkouts: pinning{w},
	}, intake.Options{Log: w.Log, Clock: w.Now})
	account := reconcile.New(processortest.Escrow, w.Store, w.Client, w.worker.ObserveMovement, reconcile.Options{Log: w.Log, Clock: w.Now}).Watch
	w.guard = New(w.Store, w.Ledger, w.publisher, w.repo, w.worker, nil, account, w.Log)
	w.OK(w.guard.Raise(w.T.Context()))
}

// pinning adopts as a desk does: with what the receipt is to say.
type pinning struct{ *world }

func (p pinning) Adopt(ctx context.Context, s payments.Session) error {
	if err := p.World.Adopt(ctx, s); err != nil {
		return err
	}
	return p.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		return p.repo.PinReceipt(ctx, tx, p.pin(s.Mark.Subject))
	})
}

func (w *world) pin(pledge syntax.ATURI) repo.Pin {
	of := func(did syntax.DID, collection syntax.NSID) comatproto.RepoStrongRef {
		return comatproto.RepoStrongRef{Uri: "at://" + did.String() + "/" + collection.String() + "/3lbqxkdzvqk2a", Cid: processortest.CID}
	}
	return repo.Pin{
		Pledge: pledge, Development: of(processortest.Ann, lexicons.CollectionDevelopment), Proposal: of(processortest.Ann, lexicons.CollectionProposal),
		Terms: of(w.account.DID, lexicons.CollectionTerms), HeldUntil: processortest.Begin.AddDate(0, 0, 80),
	}
}

// guarded makes a pass of the guard.
func (w *world) guarded(want bool) {
	w.T.Helper()
	done, err := w.guard.Pass(w.T.Context())
	w.OK(err)
	if done != want {
		w.T.Fatalf("the guard is done: %t, want %t", done, want)
	}
}

// held is a pledge that was paid and published.
func (w *world) held(hold ledger.HoldID, card string) {
	w.T.Helper()
	w.Update(func(ctx context.Context, tx *store.Tx) error {
		return w.repo.PinReceipt(ctx, tx, w.pin(processortest.PledgeOf(hold)))
	})
	w.Held(hold, amount, card)
	w.publish()
}

// publish publishes all that waits.
func (w *world) publish() {
	w.T.Helper()
	for range 20 {
		w.Advance(time.Minute)
		_, err := w.publisher.Pass(w.T.Context())
		w.OK(err)
		var waiting repo.Waiting
		w.Read(func(ctx context.Context, q sqlite.Querier) (err error) {
			waiting, err = w.repo.Waiting(ctx, q)
			return err
		})
		if waiting.Records == 0 {
			return
		}
	}
	w.T.Fatal("not everything could be published")
}

func (w *world) send() {
	w.T.Helper()
	w.Advance(time.Minute)
	_, err := w.sender.Pass(w.T.Context())
	w.OK(err)
}

// holds are those of which tests speak.
var holds = []ledger.HoldID{"a", "b", "c", "d", "e", "f", "g"}

// published is what the receipts in the repository say, by hold.
func (w *world) published() map[string]string {
	w.T.Helper()
	var page struct {
		Records []struct{ Value json.RawMessage }
	}
	w.OK(w.account.Client.Get(w.T.Context(), "com.atproto.repo.listRecords", map[string]any{
		"repo": w.account.DID.String(), "collection": lexicons.CollectionReceipt.String(), "limit": 100,
	}, &page))
	out := map[string]string{}
	for _, r := range page.Records {
		var receipt struct {
			Subject        struct{ URI syntax.ATURI }
			Status, Reason string
		}
		w.OK(json.Unmarshal(r.Value, &receipt))
		for _, hold := range holds {
			if processortest.PledgeOf(hold) == receipt.Subject.URI {
				out[string(hold)] = strings.Trim(receipt.Status+" "+receipt.Reason, " ")
			}
		}
	}
	return out
}

func (w *world) halts() (reasons []halt.Reason) {
	w.T.Helper()
	w.Read(func(ctx context.Context, q sqlite.Querier) error {
		standing, err := halt.Standing(ctx, q)
		for _, h := range standing {
			reasons = append(reasons, h.Reason)
		}
		return err
	})
	return reasons
}

func (w *world) backup() { w.OK(w.Store.Backup(w.T.Context(), w.Path+".backup")) }

// restore starts a process on the backup.
func (w *world) restore() {
	w.T.Helper()
	w.OK(w.Store.Close())
	w.Path += ".backup"
	w.Open()
	w.start()
}

func TestGuard_ALedgerThatWasNeverRestoredIsNotBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1", processortest.Pays)
	w.DecideRefund("h1", ledger.ReasonWithdrawn) // and not published
	w.start()
	if halts := w.halts(); !slices.Equal(halts, []halt.Reason{halt.Behind}) {
		t.Errorf("before the comparison there stand %v", halts)
	}
	w.send()
	w.Want("h1", "refunding(withdrawn)")
	w.guarded(true)
	if halts := w.halts(); len(halts) != 0 {
		t.Errorf("after it there stand %v", halts)
	}
	w.send()
	w.Want("h1", "refunded(withdrawn)")
}

func TestGuard_WaitsWhileNobodyKnowsWhatWasPublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1", processortest.Pays)
	w.DecideRefund("h1", ledger.ReasonWithdrawn)
	w.start()
	w.away = true
	w.guarded(false)
	w.send()
	w.Want("h1", "refunding(withdrawn)")
	w.away = false
	w.guarded(true)
}

// While nobody could look whether the account still holds money, nobody can pay.
func TestGuard_LooksAtTheAccountBeforeAnybodyCanPay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	truth, err := w.Control.Truth(t.Context())
	w.OK(err)
	w.OK(w.Control.SchedulePayouts(t.Context(), truth.Platform, "daily"))
	w.OK(w.Control.SetFaults(t.Context(), simulator.Faults{Next: []simulator.NextFault{{Fault: simulator.FaultErrorBefore, On: "GET /v1/account"}}}))
	w.guarded(false)
	if halts := w.halts(); !slices.Equal(halts, []halt.Reason{halt.Behind}) {
		t.Errorf("standing while nobody knows: %v", halts)
	}
	w.guarded(true)
	if halts := w.halts(); !slices.Equal(halts, []halt.Reason{halt.PayoutSchedule}) {
		t.Errorf("standing while the account is emptied: %v", halts)
	}
}

func TestGuard_ARestoredLedgerCatchesUpBeforeAnythingGoesOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, hold := range []ledger.HoldID{"a", "b", "c", "d"} {
		w.held(hold, processortest.Pays)
	}
	w.DecideRefund("d", ledger.ReasonWithdrawn)
	w.backup()

	// All that the restored ledger will not know.
	w.send() // the refund of d
	w.held("e", processortest.Pays)
	w.held("f", processortest.Pays)
	w.DecideRefund("b", ledger.ReasonCancelled)
	w.DecideRefund("e", ledger.ReasonLegalOrder)
	w.send()
	id, err := w.Control.Dispute(t.Context(), w.Hold("c").Charge, simulator.NewDispute{})
	w.OK(err)
	w.OK(w.sender.ObserveDispute(t.Context(), payments.DisputeID(id)))
	w.held("g", processortest.Pays)
	w.DecideRefund("g", ledger.ReasonFraud) // published, and not sent
	w.publish()
	before := w.published()
	want := map[string]string{
		"a": "held", "b": "refunded cancelled", "c": "charged-back chargeback", "d": "refunded withdrawn",
		"e": "refunded legal-order", "f": "held", "g": "refunding fraud",
	}
	if diff := cmp.Diff(want, before); diff != "" {
		t.Fatalf("before (-want +got):\n%s", diff)
	}

	w.Advance(10 * 24 * time.Hour) // the processor has forgotten all keys
	w.restore()
	w.send()
	if diff := cmp.Diff(before, w.published()); diff != "" {
		t.Errorf("something was published before the ledger had caught up (-want +got):\n%s", diff)
	}
	if n := w.refunds(); n != 3 {
		t.Errorf("%d refunds at the processor before the ledger had caught up, want 3", n)
	}
	w.guarded(true)
	w.publish()
	if diff := cmp.Diff(before, w.published()); diff != "" {
		t.Errorf("after it caught up (-want +got):\n%s", diff)
	}
	w.send()
	w.publish()
	want["g"] = "refunded fraud"
	if diff := cmp.Diff(want, w.published()); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
	if n := w.refunds(); n != 4 {
		t.Errorf("%d refunds at the processor, want 4: one each", n)
	}
	w.Agree()
	if halts := w.halts(); len(halts) != 0 {
		t.Errorf("standing: %v", halts)
	}
	report, err := reconcile.New(processortest.Escrow, w.Store, w.Client, w.worker.ObserveMovement, reconcile.Options{Log: w.Log, Clock: w.Now}).Compare(t.Context(), true)
	w.OK(err)
	if !report.Clean() || report.Flying != 0 {
		t.Errorf("the processor and the ledger: %+v", report)
	}
}

func (w *world) refunds() (n int) {
	w.T.Helper()
	for _, err := range w.Client.Refunds(w.T.Context(), payments.RefundQuery{}) {
		w.OK(err)
		n++
	}
	return n
}

func TestGuard_WhatOnlyAPersonCanBringBackStaysStill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("a", processortest.PaysAtOnce)
	w.backup()
	w.Settle()
	w.send()
	w.publish()
	if got := w.published()["a"]; got != "released" {
		t.Fatalf("a is %s", got)
	}
	var said bytes.Buffer
	w.Log = slog.New(slog.NewTextHandler(&said, nil))
	w.restore()
	w.guarded(false)
	w.guarded(false)
	if !slices.Contains(w.halts(), halt.Behind) {
		t.Errorf("standing: %v", w.halts())
	}
	for _, words := range []string{"the ledger is behind", "a published receipt tells more", "until a person has seen to it"} {
		if n := strings.Count(said.String(), words); n != 1 {
			t.Errorf("%q was said %d times: %s", words, n, &said)
		}
	}
	w.send()
	w.Want("a", "held")
	if got := w.published()["a"]; got != "released" {
		t.Errorf("the receipt of what was released says %s", got)
	}
}

func TestGuard_AChargebackAfterTheBackupIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("a", processortest.Pays)
	w.backup()
	id, err := w.Control.Dispute(t.Context(), w.Hold("a").Charge, simulator.NewDispute{})
	w.OK(err)
	w.Advance(time.Minute)
	w.OK(w.sender.ObserveDispute(t.Context(), payments.DisputeID(id)))
	w.publish()
	w.restore()
	w.guarded(true)
	w.Want("a", "charged-back(chargeback)")
	w.Agree()
}

func TestGuard_WhatWasForgottenAndReleasedIsNotHeldAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.backup()
	w.held("a", processortest.PaysAtOnce)
	w.Settle()
	w.send()
	w.publish()
	w.Advance(time.Hour)
	w.restore()
	w.guarded(false)
	w.Want("a", "held") // adopted, and its settlement is not
	w.guarded(false)
	if !slices.Contains(w.halts(), halt.Behind) {
		t.Errorf("standing: %v", w.halts())
	}
}

// TestGuard_ARefundThatWasSentAndNeverPublishedIsDecidedAgain: nothing in the repository
// says that the money went back, and the processor's refund says why it did.
func TestGuard_ARefundThatWasSentAndNeverPublishedIsDecidedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("a", processortest.Pays)
	w.held("b", processortest.RefundPends)
	w.backup()
	w.DecideRefund("a", ledger.ReasonWithdrawn)
	w.DecideRefund("b", ledger.ReasonCancelled)
	w.send()
	if diff := cmp.Diff(map[string]string{"a": "held", "b": "held"}, w.published()); diff != "" {
		t.Fatalf("published (-want +got):\n%s", diff)
	}
	w.Advance(10 * 24 * time.Hour)
	w.restore()
	w.guarded(true)
	w.send()
	w.publish()
	if diff := cmp.Diff(map[string]string{"a": "refunded withdrawn", "b": "refunded cancelled"}, w.published()); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
	if n := w.refunds(); n != 2 {
		t.Errorf("%d refunds at the processor, want 2", n)
	}
	if halts := w.halts(); len(halts) != 0 {
		t.Errorf("standing: %v", halts)
	}
	w.Agree()
}

// TestGuard_ARefundThatWasRefusedAfterTheBackupIsOwedAgain: the processor remembers nothing
// of an order that it refused.
func TestGuard_ARefundThatWasRefusedAfterTheBackupIsOwedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("a", processortest.Pays)
	id, err := w.Control.Dispute(t.Context(), w.Hold("a").Charge, simulator.NewDispute{Amount: amount - 500})
	w.OK(err)
	w.OK(w.sender.ObserveDispute(t.Context(), payments.DisputeID(id)))
	w.OK(w.Control.Lose(t.Context(), id))
	w.OK(w.sender.ObserveDispute(t.Context(), payments.DisputeID(id)))
	w.publish()
	w.Want("a", "refunding(chargeback)") // what the bank left
	w.backup()
	w.send()
	w.publish()
	want := map[string]string{"a": "refund-failed chargeback"}
	if diff := cmp.Diff(want, w.published()); diff != "" {
		t.Fatalf("published (-want +got):\n%s", diff)
	}
	w.Advance(time.Hour)
	w.restore()
	w.guarded(true)
	w.send()
	w.publish()
	if diff := cmp.Diff(want, w.published()); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
	w.Update(func(ctx context.Context, tx *store.Tx) error {
		return w.Ledger.PayOtherwise(ctx, tx, "a", ledger.Digest{1})
	})
	w.Want("a", "charged-back(chargeback)")
	if halts := w.halts(); len(halts) != 0 {
		t.Errorf("standing: %v", halts)
	}
	w.Agree()
}

// TestGuard_WhatWasPaidOtherwiseIsToldAgainByAPerson: nothing at the processor shows it.
func TestGuard_WhatWasPaidOtherwiseIsToldAgainByAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("a", processortest.RefundFails)
	w.DecideRefund("a", ledger.ReasonWithdrawn)
	w.send()
	w.Advance(22 * 24 * time.Hour)
	for r, err := range w.Client.Refunds(t.Context(), payments.RefundQuery{}) {
		w.OK(err)
		w.OK(w.sender.ObserveRefund(t.Context(), r.ID))
	}
	w.Want("a", "refund-failed(withdrawn)")
	w.backup()
	evidence := ledger.Digest{1}
	payOtherwise := func() {
		w.Update(func(ctx context.Context, tx *store.Tx) error { return w.Ledger.PayOtherwise(ctx, tx, "a", evidence) })
	}
	w.Advance(time.Hour)
	payOtherwise()
	w.publish()
	want := map[string]string{"a": "refunded withdrawn"}
	if diff := cmp.Diff(want, w.published()); diff != "" {
		t.Fatalf("published (-want +got):\n%s", diff)
	}
	w.Advance(time.Hour)
	w.restore()
	w.guarded(false) // so nothing is published
	payOtherwise()
	w.guarded(true)
	w.publish()
	if diff := cmp.Diff(want, w.published()); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
	if halts := w.halts(); len(halts) != 0 {
		t.Errorf("standing: %v", halts)
	}
	w.Agree()
}

// TestGuard_HearsOfOrdersThatNoReceiptShows: what was sent after the backup is not sent
// again, also where the receipt was the same before and after.
func TestGuard_HearsOfOrdersThatNoReceiptShows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1", processortest.RefundPends)
	w.DecideRefund("h1", ledger.ReasonWithdrawn)
	w.publish()
	w.backup()
	w.send() // and it is pending at the bank
	w.Advance(48 * time.Hour)
	w.restore()
	w.guarded(true)
	w.send()
	if n := w.refunds(); n != 1 {
		t.Errorf("%d refunds", n)
	}
	w.Want("h1", "refunding(withdrawn)")
	w.Advance(10 * 24 * time.Hour)
	w.send()
	w.Want("h1", "refunded(withdrawn)")
}

// forge changes a record in the escrow's repository, as whoever has its app password can.
func (w *world) forge(collection syntax.NSID, rkey syntax.RecordKey, change func(map[string]any)) {
	w.T.Helper()
	var page struct {
		Records []struct {
			URI   syntax.ATURI
			Value map[string]any
		}
	}
	w.OK(w.account.Client.Get(w.T.Context(), "com.atproto.repo.listRecords", map[string]any{
		"repo": w.account.DID.String(), "collection": collection.String(), "limit": 100,
	}, &page))
	for _, r := range page.Records {
		if r.URI.RecordKey() == rkey {
			change(r.Value)
			_, _, err := w.account.PutRecord(w.T.Context(), collection, rkey, r.Value)
			w.OK(err)
			return
		}
	}
	w.T.Fatalf("there is no %s %s", collection, rkey)
}

// refunding lets the receipt of a hold say that it goes back, since a moment that comes.
func (w *world) refunding(hold ledger.HoldID) {
	w.T.Helper()
	w.forge(lexicons.CollectionReceipt, lexicons.DerivedKey(processortest.PledgeOf(hold)), func(receipt map[string]any) {
		at := w.Now().Add(time.Minute).Format(syntax.AtprotoDatetimeLayout)
		receipt["status"], receipt["reason"], receipt["updatedAt"] = "refunding", "fraud", at
		receipt["history"] = append(receipt["history"].([]any), map[string]any{"status": "refunding", "reason": "fraud", "at": at})
	})
}

// standing are the details of what stands still.
func (w *world) standing() string {
	w.T.Helper()
	var details []string
	w.Read(func(ctx context.Context, q sqlite.Querier) error {
		standing, err := halt.Standing(ctx, q)
		for _, h := range standing {
			details = append(details, h.Detail)
		}
		return err
	})
	return strings.Join(details, "; ")
}

// TestGuard_AnIntactLedgerBelievesNoRecordThatIsAhead: whoever has the app password can
// write that a pledge goes back, and the ledger was never older than its word.
func TestGuard_AnIntactLedgerBelievesNoRecordThatIsAhead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("a", processortest.Pays)
	w.refunding("a")
	var said bytes.Buffer
	w.Log = slog.New(slog.NewTextHandler(&said, nil))
	w.start()
	for range 3 {
		w.guarded(false)
		w.Advance(time.Hour)
	}
	w.send()
	w.Want("a", "held")
	if n := w.refunds(); n != 0 {
		t.Errorf("%d refunds at the processor", n)
	}
	select {
	case <-w.guard.Compared():
		t.Error("it may be published")
	default:
	}
	for _, words := range []string{"app password", "escrow restored"} {
		if !strings.Contains(w.standing(), words) {
			t.Errorf("what stands still does not say %q: %s", words, w.standing())
		}
		if !strings.Contains(said.String(), words) {
			t.Errorf("the log does not say %q: %s", words, &said)
		}
	}
	if n := strings.Count(said.String(), "a published receipt tells more"); n != 1 {
		t.Errorf("the receipt was named %d times: %s", n, &said)
	}

	// It is deleted, and what was true is published again.
	w.OK(w.account.DeleteRecord(t.Context(), syntax.ATURI("at://"+w.account.DID.String()+"/"+lexicons.CollectionReceipt.String()+"/"+lexicons.DerivedKey(processortest.PledgeOf("a")).String())))
	w.guarded(true)
	w.publish()
	w.Advance(time.Hour)
	w.publish()
	if got := w.published()["a"]; got != "held" {
		t.Errorf("the receipt says %s", got)
	}
	if halts := w.halts(); len(halts) != 0 {
		t.Errorf("standing: %v", halts)
	}
}

// TestGuard_ALedgerThatAPersonPutBackCatchesUp: by other means than a backup of ours, which
// its file would tell.
func TestGuard_ALedgerThatAPersonPutBackCatchesUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("a", processortest.Pays)
	w.refunding("a")
	w.start()
	w.guarded(false)
	w.Want("a", "held")
	w.Update(store.NoteRestored)
	w.Advance(time.Hour)
	w.guarded(true)
	w.Want("a", "refunding(fraud)")

	// Once it has caught up it is as any other.
	w.held("b", processortest.Pays)
	w.refunding("b")
	w.start()
	w.guarded(false)
	w.Want("b", "held")
}

// TestGuard_AnIntactLedgerKeepsNoStatementThatItNeverMade: the next one would follow it, or
// could never be made.
func TestGuard_AnIntactLedgerKeepsNoStatementThatItNeverMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rkey := syntax.RecordKey(syntax.NewTIDFromTime(w.Now().AddDate(10, 0, 0), 0))
	at := w.Now().AddDate(10, 0, 0).Format(syntax.AtprotoDatetimeLayout)
	test := true
	_, _, err := w.account.PutRecord(t.Context(), lexicons.CollectionStatement, rkey, &stratos.EscrowStatement{
		LexiconTypeID: lexicons.CollectionStatement.String(), AsOf: at, CreatedAt: at, Test: &test,
		LedgerHead: stratos.EscrowStatement_Head{Hash: strings.Repeat("00", 32)}, Root: strings.Repeat("00", 32), Owed: []stratos.EscrowStatement_Owed{},
	})
	w.OK(err)
	stated := func() (at time.Time) {
		w.Read(func(ctx context.Context, q sqlite.Querier) (err error) {
			at, err = repo.LastStatementAt(ctx, q)
			return err
		})
		return at
	}
	w.start()
	w.guarded(false)
	if at := stated(); !at.IsZero() {
		t.Errorf("it has stated at %s", at)
	}
	w.Update(store.NoteRestored)
	w.guarded(true)
	if stated().IsZero() {
		t.Error("restored, it does not know its statement")
	}
}

// TestGuard_WaitsForNewsThatWasPutOff: while the processor does not say what became of a
// refund that was sent after the backup, nothing is sent, also when that is asked later.
func TestGuard_WaitsForNewsThatWasPutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1", processortest.RefundPends)
	w.DecideRefund("h1", ledger.ReasonWithdrawn)
	w.publish()
	w.backup()
	w.send() // and it is pending at the bank
	w.Advance(48 * time.Hour)
	w.restore()
	unsaid := simulator.NextFault{Fault: simulator.FaultErrorBefore, On: "GET /v1/refunds/{id}"}
	w.OK(w.Control.SetFaults(t.Context(), simulator.Faults{Next: slices.Repeat([]simulator.NextFault{unsaid}, 3)}))
	w.guarded(false)
	w.send()
	if n := w.refunds(); n != 1 {
		t.Errorf("%d refunds while one was not heard of", n)
	}
	w.guarded(true)
	w.send()
	if n := w.refunds(); n != 1 {
		t.Errorf("%d refunds", n)
	}
	w.Want("h1", "refunding(withdrawn)")
	w.Advance(10 * 24 * time.Hour)
	w.send()
	w.Want("h1", "refunded(withdrawn)")
}
