package admin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/intake"
	"github.com/stratosfund/stratosfund/escrow/journal"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/outgoing"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/processortest"
	"github.com/stratosfund/stratosfund/escrow/reconcile"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/xrpc"
)

const (
	password              = "swordfish"
	dispute  syntax.ATURI = "at://did:plc:ann/fund.stratos.feature.dispute/3lbqxkdzvqk2a"
)

type world struct {
	*processortest.World
	sender *outgoing.Sender
	server *httptest.Server
	report *reconcile.Report
}

func newWorld(t *testing.T, password string) *world {
	t.Helper()
	w := &world{World: processortest.New(t), report: &reconcile.Report{}}
	w.sender = outgoing.New(processortest.Escrow, w.Store, w.Ledger, w.Client, outgoing.Options{Log: w.Log, Clock: w.Now})
	w.server = httptest.NewServer(Handler(Parts{
		Store: w.Store, Ledger: w.Ledger, Password: payments.NewSecret(password), Log: w.Log, Clock: w.Now,
		Sync: func(_ context.Context, full bool) ([]intake.Read, error) {
			if !full {
				return nil, errors.New("the lists cannot be read")
			}
			return []intake.Read{{List: "sessions", Objects: 3, Noted: 2}}, nil
		},
		Compare: func(context.Context, bool) (*reconcile.Report, error) { return w.report, nil },
		Rule: func(_ context.Context, in RuleInput) (string, error) {
			if in.Dispute != dispute {
				return "", xrpc.Named("DisputeNotFound", "it never stopped a payout here")
			}
			return "The dispute is " + string(in.Outcome) + ".", nil
		},
	}))
	t.Cleanup(w.server.Close)
	return w
}

// request is one that an operator makes, unless a test changes it.
func (w *world) request(action string, in any) *http.Request {
	w.T.Helper()
	body, err := json.Marshal(in)
	w.OK(err)
	r, err := http.NewRequestWithContext(w.T.Context(), http.MethodPost, w.server.URL+"/admin/"+action, bytes.NewReader(body))
	w.OK(err)
	r.SetBasicAuth(User, password)
	r.Header.Set("Content-Type", "application/json")
	return r
}

func (w *world) do(r *http.Request) (status int, sentence string) {
	w.T.Helper()
	w.Advance(time.Second) // as fast as is allowed
	response, err := http.DefaultClient.Do(r)
	w.OK(err)
	defer response.Body.Close()
	var out struct{ Sentence, Error string }
	_ = json.NewDecoder(response.Body).Decode(&out) // a page of net/http has none
	return response.StatusCode, out.Sentence + out.Error
}

// want does an action, and compares how it ended.
func (w *world) want(action string, in any, status int, words string) {
	w.T.Helper()
	got, sentence := w.do(w.request(action, in))
	if got != status || !strings.Contains(sentence, words) {
		w.T.Errorf("%s %+v: %d %q, want %d and %q", action, in, got, sentence, status, words)
	}
}

func (w *world) journal() (lines []journal.Line) {
	w.T.Helper()
	w.Read(func(ctx context.Context, q sqlite.Querier) (err error) {
		lines, err = journal.Newest(ctx, q, 100)
		return err
	})
	return lines
}

func (w *world) send() {
	w.T.Helper()
	_, err := w.sender.Pass(w.T.Context())
	w.OK(err)
}

func TestAdmin_IsForWhoeverKnowsThePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, password)
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"right":          {func(*http.Request) {}, http.StatusOK},
		"wrong password": {func(r *http.Request) { r.SetBasicAuth(User, "sword") }, http.StatusUnauthorized},
		"wrong user":     {func(r *http.Request) { r.SetBasicAuth("root", password) }, http.StatusUnauthorized},
		"none":           {func(r *http.Request) { r.Header.Del("Authorization") }, http.StatusUnauthorized},
		"a form":         {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, http.StatusBadRequest},
		"a get":          {func(r *http.Request) { r.Method = http.MethodGet }, http.StatusMethodNotAllowed},
		"another page":   {func(r *http.Request) { r.URL.Path = "/admin/steal" }, http.StatusNotFound},
	} {
		r := w.request("sync", SyncInput{Full: true})
		c.change(r)
		if status, _ := w.do(r); status != c.status {
			t.Errorf("%s: %d, want %d", name, status, c.status)
		}
	}
	off := newWorld(t, "")
	r := off.request("sync", SyncInput{Full: true})
	r.SetBasicAuth(User, "")
	if status, _ := off.do(r); status != http.StatusNotFound {
		t.Errorf("without a password: %d", status)
	}
}

func TestAdmin_GuessingIsSlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, password)
	last := 0
	for range burst + 1 {
		r := w.request("sync", SyncInput{})
		r.SetBasicAuth(User, "guess")
		response, err := http.DefaultClient.Do(r)
		w.OK(err)
		w.OK(response.Body.Close())
		last = response.StatusCode
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the guess after %d was answered with %d", burst, last)
	}
}

// Whoever guesses from far away, through the proxy in front of the escrow, keeps nobody out
// who sits at the machine.
func TestAdmin_GuessesFromElsewhereKeepNobodyOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, password)
	for i, header := range []string{"X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"} {
		for range burst {
			r := w.request("sync", SyncInput{Full: true})
			r.Header.Set(header, "for=192.0.2.1")
			r.SetBasicAuth(User, "guess")
			response, err := http.DefaultClient.Do(r)
			w.OK(err)
			w.OK(response.Body.Close())
			if want := []int{http.StatusUnauthorized, http.StatusTooManyRequests}[min(i, 1)]; response.StatusCode != want {
				t.Errorf("a guess by %s was answered with %d, want %d", header, response.StatusCode, want)
			}
		}
		response, err := http.DefaultClient.Do(w.request("sync", SyncInput{Full: true}))
		w.OK(err)
		w.OK(response.Body.Close())
		if response.StatusCode != http.StatusOK {
			t.Errorf("the operator was answered with %d", response.StatusCode)
		}
	}
}

func TestAdmin_RefundsForFraudOrALegalOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, password)
	w.Held("h1", 2500, processortest.Pays)
	pledge := processortest.PledgeOf("h1")
	w.want("refund", RefundInput{pledge, ledger.ReasonLegalOrder, ""}, http.StatusUnprocessableEntity, "Say why")
	w.want("refund", RefundInput{pledge, ledger.ReasonWithdrawn, "they asked"}, http.StatusUnprocessableEntity, "legal-order")
	w.want("refund", RefundInput{processortest.PledgeOf("h2"), ledger.ReasonFraud, "x"}, http.StatusUnprocessableEntity, "Nothing was ever paid")
	w.Want("h1", "held")
	if len(w.journal()) != 0 {
		t.Errorf("what was refused is in the journal: %+v", w.journal())
	}
	w.want("refund", RefundInput{pledge, ledger.ReasonLegalOrder, "court of X, 12/26"}, http.StatusOK, "go back")
	w.Want("h1", "refunding(legal-order)")
	w.send()
	w.Want("h1", "refunded(legal-order)")
	lines := w.journal()
	if len(lines) != 1 || lines[0].Action != "refund" || lines[0].Subject != pledge.String() || lines[0].Because != "legal-order: court of X, 12/26" {
		t.Errorf("the journal: %+v", lines)
	}
}

func TestAdmin_WhatCameBackIsTriedAgainOrPaidOtherwise(t *testing.T) {
	t.Parallel()
	w := newWorld(t, password)
	for _, hold := range []ledger.HoldID{"h1", "h2"} {
		w.Held(hold, 2500, processortest.RefundFails)
		w.DecideRefund(hold, ledger.ReasonCancelled)
	}
	w.want("retry-refund", RetryInput{processortest.PledgeOf("h1"), "new card"}, http.StatusUnprocessableEntity, "came back")
	w.send()
	w.Advance(22 * 24 * time.Hour)
	for r, err := range w.Client.Refunds(t.Context(), payments.RefundQuery{}) {
		w.OK(err)
		w.OK(w.sender.ObserveRefund(t.Context(), r.ID))
	}
	w.Want("h1", "refund-failed(cancelled)")
	w.want("retry-refund", RetryInput{processortest.PledgeOf("h1"), "new card"}, http.StatusOK, "USD 25.00")
	w.want("retry-refund", RetryInput{processortest.PledgeOf("h1"), "again"}, http.StatusUnprocessableEntity, "came back")
	w.Want("h1", "refunding(cancelled)")
	evidence := sha256.Sum256([]byte("bank statement"))
	w.want("paid-otherwise", PaidInput{processortest.PledgeOf("h2"), "abc", "by bank"}, http.StatusUnprocessableEntity, "SHA-256")
	w.want("paid-otherwise", PaidInput{processortest.PledgeOf("h2"), hex.EncodeToString(evidence[:]), "by bank"}, http.StatusOK, "paid otherwise")
	w.Want("h2", "refunded(cancelled)")
	w.Agree()
	if lines := w.journal(); len(lines) != 2 || !strings.Contains(lines[1].Because, hex.EncodeToString(evidence[:])) {
		t.Errorf("the journal: %+v", lines)
	}
}

// TestAdmin_TriesAgainWhatABankGaveBackBeforeTheFirstRetryWasSent: money stood still, so no
// refund was made between the two retries.
func TestAdmin_TriesAgainWhatABankGaveBackBeforeTheFirstRetryWasSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, password)
	w.Held("h1", 2500, processortest.RefundFails)
	w.DecideRefund("h1", ledger.ReasonCancelled)
	w.send()
	w.Advance(22 * 24 * time.Hour)
	for r, err := range w.Client.Refunds(t.Context(), payments.RefundQuery{}) {
		w.OK(err)
		w.OK(w.sender.ObserveRefund(t.Context(), r.ID))
	}
	w.Update(func(ctx context.Context, tx *store.Tx) error { return halt.Stop(ctx, tx, halt.UnknownMoney, "txn_1") })
	w.want("retry-refund", RetryInput{processortest.PledgeOf("h1"), "new card"}, http.StatusOK, "USD 25.00")
	w.send()
	id, err := w.Control.Dispute(t.Context(), w.Hold("h1").Charge, simulator.NewDispute{Amount: 2500})
	w.OK(err)
	w.OK(w.Control.Win(t.Context(), id, 1000))
	w.OK(w.sender.ObserveDispute(t.Context(), payments.DisputeID(id)))
	w.Want("h1", "refund-failed(cancelled)")
	w.want("retry-refund", RetryInput{processortest.PledgeOf("h1"), "the rest"}, http.StatusOK, "USD 10.00")
	w.Want("h1", "refunding(cancelled)")
	w.want("resume", ResumeInput{"looked"}, http.StatusOK, "unknown-money")
	w.send()
	w.Want("h1", "refunded(cancelled)")
	w.Agree()
}

func TestAdmin_ResumesWhatAPersonHasLookedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, password)
	stop := func(reason halt.Reason) {
		w.Update(func(ctx context.Context, tx *store.Tx) error { return halt.Stop(ctx, tx, reason, "txn_1") })
	}
	w.want("resume", ResumeInput{"looked"}, http.StatusUnprocessableEntity, "Nothing stands still")
	stop(halt.UnknownMoney)
	w.want("resume", ResumeInput{}, http.StatusUnprocessableEntity, "Say why")
	w.want("resume", ResumeInput{"a fee of the bank's"}, http.StatusOK, "unknown-money (txn_1)")
	stop(halt.PayoutSchedule)
	w.want("resume", ResumeInput{"looked"}, http.StatusUnprocessableEntity, "set its payouts to manual")
	stop(halt.Strangers)
	w.want("resume", ResumeInput{"it was a test of ours"}, http.StatusOK, "strangers (txn_1). Nothing can be paid in")
	stop(halt.Behind)
	stop(halt.Conflict)
	w.want("resume", ResumeInput{"looked"}, http.StatusUnprocessableEntity, "behind")
	w.Read(func(ctx context.Context, q sqlite.Querier) error {
		standing, err := halt.Standing(ctx, q)
		if len(standing) != 3 {
			t.Errorf("standing: %v", standing)
		}
		return err
	})
}

func TestAdmin_SyncsAndReconciles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, password)
	w.want("sync", SyncInput{Full: true}, http.StatusOK, "2 objects")
	w.want("sync", SyncInput{}, http.StatusInternalServerError, "cannot be read")
	w.want("reconcile", ReconcileInput{}, http.StatusOK, "agree")
	w.report = &reconcile.Report{Found: 1, Findings: []reconcile.Finding{{Kind: reconcile.KindMissing}}}
	w.want("reconcile", ReconcileInput{}, http.StatusOK, "do not agree")
	w.report = &reconcile.Report{Moving: true}
	w.want("reconcile", ReconcileInput{}, http.StatusOK, "ask again")
}

func TestR13_ARulingHasAnOutcomeAndReasons(t *testing.T) {
	t.Parallel()
	w := newWorld(t, password)
	w.want("rule", RuleInput{Dispute: dispute, Outcome: "perhaps", Rationale: "I looked."}, http.StatusUnprocessableEntity, "upheld or rejected")
	w.want("rule", RuleInput{Dispute: dispute, Outcome: "upheld", Rationale: " "}, http.StatusUnprocessableEntity, "--rationale")
	w.want("rule", RuleInput{Dispute: dispute, Outcome: "upheld", Rationale: strings.Repeat("é", maxRationale+1)}, http.StatusUnprocessableEntity, "longer")
	w.want("rule", RuleInput{Dispute: dispute + "x", Outcome: "upheld", Rationale: "I looked."}, http.StatusUnprocessableEntity, "DisputeNotFound")
	w.want("rule", RuleInput{Dispute: dispute, Outcome: "rejected", Rationale: strings.Repeat("é", maxRationale)}, http.StatusOK, "The dispute is rejected.")
}
