package repo

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite/sqlitetest"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func TestReceipt_SaysWhatTheLedgerSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1")
	heldAt := w.clock
	w.settle()

	record, _ := w.read(lexicons.CollectionReceipt, lexicons.DerivedKey(pledgeOf("h1")))
	pin := pinOf("h1", w.account.DID)
	at, heldUntil, test := stamp(heldAt), stamp(pin.HeldUntil), true
	want := &stratos.EscrowReceipt{
		LexiconTypeID: "fund.stratos.escrow.receipt", Subject: pin.Development, Development: pin.Development, Proposal: &pin.Proposal, Terms: pin.Terms,
		Payer: "did:plc:payerpayerpayerpayerpaye", Value: stratos.Defs_Money{Amount: 2500, Currency: "USD"},
		Status: "held", History: []stratos.EscrowReceipt_Change{{Status: "held", At: at}},
		HeldUntil: &heldUntil, Test: &test, CreatedAt: at, UpdatedAt: at,
	}
	want.Subject.Uri = pledgeOf("h1").String()
	if diff := cmp.Diff(want, record); diff != "" {
		t.Errorf("the receipt (-want +got):\n%s", diff)
	}

	w.refunding("h1", ledger.ReasonFraud)
	w.settle()
	w.wantReceipt("h1", "held refunding(fraud)")
	if w.found(foundOther)+w.found(foundSame)+w.found(foundNothing) != 0 {
		t.Error("something unexpected was found in a repository of which all is known")
	}
}

func TestReceipt_ThatChangedTwiceMeanwhileIsWrittenOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1")
	w.refunding("h1", ledger.ReasonWithdrawn)
	w.settle()
	w.wantReceipt("h1", "held refunding(withdrawn)")
	if n := len(w.gate.written()); n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
}

func TestReceipt_ThatSaysTheSameIsNoNewCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1")
	w.settle()
	rev := w.rev()
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return want(ctx, tx, lexicons.CollectionReceipt, pledgeOf("h1").String())
	})
	w.settle()
	if w.rev() != rev || len(w.gate.written()) != 1 {
		t.Errorf("the PDS was asked to write %v and has rev %s, want one write and %s", w.gate.written(), w.rev(), rev)
	}
}

func TestOutbox_FollowsTheTransactionOfTheEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1")
	w.settle()
	refused := errors.New("refused after posting")
	err := w.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if err := w.ledger.DecideRefund(ctx, tx, "h1", ledger.ReasonWithdrawn); err != nil {
			return err
		}
		return refused
	})
	if !errors.Is(err, refused) || w.waiting().Records != 0 {
		t.Errorf("%v; %+v wait for an entry that was taken back", err, w.waiting())
	}
	w.refunding("h1", ledger.ReasonWithdrawn)
	if got := w.waiting(); got != (Waiting{Records: 1}) {
		t.Errorf("%+v wait after the entry, want one", got)
	}
}

// The last place of a full history is written over, which is another statement.
func TestOutbox_KnowsOfAHistoryThatIsFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1")
	w.refunding("h1", ledger.ReasonWithdrawn)
	for _, try := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"} {
		w.do(func(ctx context.Context, tx *store.Tx) error { return w.ledger.RefuseRefund(ctx, tx, "h1", try) })
		w.settle()
		if got := w.waiting().Records; got != 0 {
			t.Fatalf("%d wait", got)
		}
		w.do(func(ctx context.Context, tx *store.Tx) error { return w.ledger.RetryRefund(ctx, tx, "h1") })
		if got := w.waiting().Records; got != 1 {
			t.Fatalf("%d wait after retry %s, want 1", got, try)
		}
	}
	w.settle()
	record, _ := w.read(lexicons.CollectionReceipt, lexicons.DerivedKey(pledgeOf("h1")))
	r := record.(*stratos.EscrowReceipt)
	if len(r.History) != 16 || r.Status != "refunding" || r.UpdatedAt != stamp(w.lastEntry()) {
		t.Errorf("%d changes, the last one %s at %s, want 16, refunding, %s", len(r.History), r.Status, r.UpdatedAt, stamp(w.lastEntry()))
	}
}

var errDied = errors.New("died")

// dieAt ends the process at a point, once.
func dieAt(point crashpoint.Point) crashpoint.Hook {
	died := false
	return func(p crashpoint.Point) error {
		if p == point && !died {
			died = true
			return errDied
		}
		return nil
	}
}

func TestCrash_BetweenWriteAndNoteDoublesNothing(t *testing.T) {
	t.Parallel()
	for point, written := range map[crashpoint.Point]bool{crashpoint.BeforePublish: false, crashpoint.AfterPublish: true} {
		for _, first := range []bool{true, false} {
			t.Run(string(point)+map[bool]string{true: " of a new record", false: " of a change"}[first], func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.held("h1")
				want := "held"
				if !first {
					w.settle()
					w.refunding("h1", ledger.ReasonLate)
					want = "held refunding(late)"
				}
				before := w.receipt("h1")
				w.restart(dieAt(point))
				if _, err := w.pub.Pass(t.Context()); !errors.Is(err, errDied) {
					t.Fatalf("the pass ended with %v, and the crash point was not reached", err)
				}
				if got := w.receipt("h1"); (got == want) != written || !written && got != before {
					t.Fatalf("at the crash the receipt says %q", got)
				}
				rev := w.rev()
				w.restart(nil)
				w.settle()
				w.wantReceipt("h1", want)
				if (w.rev() == rev) != written {
					t.Errorf("rev %s after the restart, %s before: a record is written once", w.rev(), rev)
				}
				if w.found(foundSame) != map[bool]int{true: 1, false: 0}[written] {
					t.Errorf("found its own write %d times", w.found(foundSame))
				}
			})
		}
	}
}

// What died unnoted may be old by the time of the restart.
func TestCrash_AndAChangeBeforeTheRestartIsRepaired(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1")
	w.restart(dieAt(crashpoint.AfterPublish))
	if _, err := w.pub.Pass(t.Context()); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	w.refunding("h1", ledger.ReasonCancelled)
	w.restart(nil)
	w.settle()
	w.wantReceipt("h1", "held refunding(cancelled)")
	if w.found(foundOther) != 1 {
		t.Errorf("what was there is counted %d times, want once", w.found(foundOther))
	}
}

func TestPDS_ThatFailsAfterDoingItIsAskedWhatItDid(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusInternalServerError, http.StatusBadGateway} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.held("h1")
			w.gate.set(nil, func(rw http.ResponseWriter, r *http.Request) bool {
				return isPut(r) && answer(rw, status, "InternalServerError")
			})
			w.pass()
			rev := w.rev()
			w.wantReceipt("h1", "held")
			if got := w.waiting(); got != (Waiting{Records: 1, Failing: 1}) {
				t.Fatalf("%+v wait, want the one that nobody knows about", got)
			}
			w.gate.set(nil, nil)
			w.settle()
			if w.rev() != rev || w.found(foundSame) != 1 {
				t.Errorf("rev %s after %s, its own write found %d times", w.rev(), rev, w.found(foundSame))
			}
		})
	}
}

// hangUp ends the connection without an answer.
func hangUp(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }

func keysOf(holds ...ledger.HoldID) (keys []string) {
	for _, hold := range holds {
		keys = append(keys, lexicons.DerivedKey(pledgeOf(hold)).String())
	}
	return keys
}

func TestPDS_ThatIsAwayIsWaitedForAndThenToldInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pass()
	w.gate.set(hangUp, nil)
	w.held("h3")
	w.held("h1")
	w.held("h2")
	w.refunding("h3", ledger.ReasonWithdrawn)
	var waits []time.Duration
	for range 10 {
		wait, err := w.pub.Pass(t.Context())
		w.ok(err)
		waits = append(waits, wait)
		w.clock = w.clock.Add(wait)
	}
	if !slices.IsSorted(waits) || waits[0] != firstDelay || waits[9] != longestDelay {
		t.Errorf("waited %v, want from %v to %v", waits, firstDelay, longestDelay)
	}
	w.gate.set(nil, nil)
	w.pass()
	if diff := cmp.Diff(keysOf("h3", "h1", "h2"), w.gate.written()); diff != "" {
		t.Errorf("the order of the writes (-ledger +repository):\n%s", diff)
	}
	w.wantReceipt("h3", "held refunding(withdrawn)")
	w.wantReceipt("h2", "held")
}

// Whoever alarms on what docs/escrow.md says hears of a PDS that takes nothing, also when no
// record is to blame.
func TestPDS_ThatTakesNothingIsSeenByAnAlarm(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile(filepath.Join("..", "..", "docs", "escrow.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{"| `stratos_escrow_repo_waiting` above 0 for an hour |", "| `stratos_escrow_repo_compared_timestamp_seconds` older than two hours"} {
		if !strings.Contains(string(docs), row) {
			t.Errorf("nothing says to alarm on %q", row)
		}
	}
	tooMany := func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.Header().Set("Retry-After", "600")
		return answer(rw, http.StatusTooManyRequests, "RateLimitExceeded")
	}
	for _, c := range []struct {
		name   string
		idle   bool // nothing waits to be published
		before func(http.ResponseWriter, *http.Request) bool
	}{
		{"away", false, hangUp},
		{"away, and nothing waits", true, hangUp},
		{"the app password was revoked", true, func(rw http.ResponseWriter, _ *http.Request) bool {
			return answer(rw, http.StatusUnauthorized, "AuthenticationRequired")
		}},
		{"429 to everything", true, tooMany},
		{"429 to what is written", false, func(rw http.ResponseWriter, r *http.Request) bool { return isPut(r) && tooMany(rw, r) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.settle()
			w.gate.set(c.before, nil)
			if !c.idle {
				w.held("h1")
			}
			since := w.clock
			for w.clock.Before(since.Add(150 * time.Minute)) {
				w.pass()
			}
			m := w.pub.metrics
			compared := time.Unix(int64(testutil.ToFloat64(m.compared)), 0)
			if testutil.ToFloat64(m.waiting) == 0 && w.clock.Sub(compared) < 2*time.Hour {
				t.Errorf("nothing waits, and the repository was compared at %v, now is %v", compared, w.clock)
			}
			if c.idle == (testutil.ToFloat64(m.waiting) > 0) {
				t.Errorf("%v records wait", testutil.ToFloat64(m.waiting))
			}
			if got := w.oldestWaiting(); c.idle != got.IsZero() || !c.idle && !got.Equal(since) {
				t.Errorf("the first receipt waits since %v, want %v", got, since)
			}
		})
	}
}

func TestPDS_RateLimitIsWaitedForInOrder(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]func(w *world, rw http.ResponseWriter) bool{
		"429 until a moment": func(w *world, rw http.ResponseWriter) bool {
			rw.Header().Set("RateLimit-Reset", strconv.FormatInt(w.clock.Add(90*time.Second).Unix(), 10))
			return answer(rw, http.StatusTooManyRequests, "RateLimitExceeded")
		},
		"429 for some seconds": func(_ *world, rw http.ResponseWriter) bool {
			rw.Header().Set("Retry-After", "90")
			return answer(rw, http.StatusTooManyRequests, "RateLimitExceeded")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.pass()
			w.held("h2")
			w.held("h1")
			asked := 0
			w.gate.set(func(rw http.ResponseWriter, r *http.Request) bool {
				asked++
				return limit(w, rw)
			}, nil)
			wait, err := w.pub.Pass(t.Context())
			w.ok(err)
			if wait < 89*time.Second || wait > 90*time.Second {
				t.Errorf("waits %v, and the PDS said 90s", wait)
			}
			w.clock = w.clock.Add(wait - time.Second)
			w.pass()
			if asked != 1 {
				t.Errorf("the PDS was asked %d times, and wanted to be left alone", asked)
			}
			w.gate.set(nil, nil)
			w.settle()
			if diff := cmp.Diff(keysOf("h2", "h1"), w.gate.written()); diff != "" {
				t.Errorf("the order of the writes (-ledger +repository):\n%s", diff)
			}
		})
	}
}

func TestPDS_ThatHasNothingLeftIsNotAskedForMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pass()
	w.held("h1")
	w.held("h2")
	w.gate.set(func(rw http.ResponseWriter, r *http.Request) bool {
		if isPut(r) {
			rw.Header().Set("RateLimit-Remaining", "0")
			rw.Header().Set("RateLimit-Reset", "30")
		}
		return false
	}, nil)
	wait, err := w.pub.Pass(t.Context())
	w.ok(err)
	if wait != 30*time.Second || len(w.gate.written()) != 1 {
		t.Errorf("waits %v after %d writes, want 30s after one", wait, len(w.gate.written()))
	}
	w.clock = w.clock.Add(wait)
	w.settle()
	w.wantReceipt("h1", "held")
	w.wantReceipt("h2", "held")
}

func TestRepository_ThatSomebodyElseWroteIsRepairedAndCounted(t *testing.T) {
	t.Parallel()
	key := lexicons.DerivedKey(pledgeOf("h1"))
	uri := func(w *world) string {
		return "at://" + w.account.DID.String() + "/" + lexicons.CollectionReceipt.String() + "/" + key.String()
	}
	forge := func(t *testing.T, w *world) {
		record, _ := w.read(lexicons.CollectionReceipt, key)
		forged := *record.(*stratos.EscrowReceipt)
		forged.Value.Amount = 1
		_, _, err := w.account.PutRecord(t.Context(), lexicons.CollectionReceipt, key, &forged)
		w.ok(err)
	}
	for name, c := range map[string]struct {
		meddle func(*testing.T, *world)
		change bool // the ledger moves on before anybody looks
		found  found
	}{
		"changed, then a change of ours": {forge, true, foundOther},
		"changed, and nothing else":      {forge, false, foundOther},
		"deleted, then a change of ours": {func(t *testing.T, w *world) { w.ok(w.account.DeleteRecord(t.Context(), w.uri(uri(w)))) }, true, foundNothing},
		"deleted, and nothing else":      {func(t *testing.T, w *world) { w.ok(w.account.DeleteRecord(t.Context(), w.uri(uri(w)))) }, false, foundNothing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.held("h1")
			w.settle()
			_, published := w.read(lexicons.CollectionReceipt, key)
			c.meddle(t, w)
			want := "held"
			if c.change {
				w.refunding("h1", ledger.ReasonLate)
				want = "held refunding(late)"
			} else {
				w.clock = w.clock.Add(compareEvery)
			}
			w.settle()
			w.wantReceipt("h1", want)
			if _, now := w.read(lexicons.CollectionReceipt, key); !c.change && now != published {
				t.Errorf("the repository holds %s, want what was published, %s", now, published)
			}
			if w.found(c.found) != 1 {
				t.Errorf("counted %d times, want once", w.found(c.found))
			}
		})
	}
}

func TestRepository_StrayReceiptsAreCountedAndLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1")
	w.settle()
	_, _, err := w.account.PutRecord(t.Context(), lexicons.CollectionReceipt, "stray", map[string]any{"note": "whose?"})
	w.ok(err)
	w.restart(nil)
	rev := w.rev()
	w.pass()
	if w.found(foundStray) != 1 || w.rev() != rev {
		t.Errorf("counted %d times, rev %s after %s", w.found(foundStray), w.rev(), rev)
	}
}

func TestReceipt_ThatCannotBeMadeWaitsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.charged("h1") // nobody pinned it
	w.held("h2")
	w.pass()
	w.wantReceipt("h2", "held")
	if got := w.waiting(); got != (Waiting{Records: 1, Failing: 1}) {
		t.Errorf("%+v wait, want the one without a pin", got)
	}
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.repo.PinReceipt(ctx, tx, pinOf("h1", w.account.DID))
	})
	w.settle()
	w.wantReceipt("h1", "held")
}

func TestReceipt_ThatThePDSRefusesWaitsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pass()
	w.held("h1")
	w.held("h2")
	first := true
	w.gate.set(func(rw http.ResponseWriter, r *http.Request) bool {
		refuse := isPut(r) && first
		first = first && !refuse
		return refuse && answer(rw, http.StatusBadRequest, "InvalidRequest")
	}, nil)
	w.pass()
	w.wantReceipt("h1", "")
	w.wantReceipt("h2", "held")
	w.settle()
	w.wantReceipt("h1", "held")
}

func TestPin_IsForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pin := pinOf("h1", w.account.DID)
	pinned := func(p Pin) error {
		return w.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error { return w.repo.PinReceipt(ctx, tx, p) })
	}
	w.ok(pinned(pin))
	w.ok(pinned(pin))
	other := pin
	other.HeldUntil = pin.HeldUntil.Add(time.Hour)
	if err := pinned(other); !errors.Is(err, ErrPinned) {
		t.Errorf("got %v, want ErrPinned", err)
	}
}

func TestSession_ThatThePDSForgotIsOpenedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pass()
	w.held("h1")
	first := true
	w.gate.set(func(rw http.ResponseWriter, r *http.Request) bool {
		forget := isPut(r) && first
		first = first && !forget
		return forget && answer(rw, http.StatusUnauthorized, "AuthMissing")
	}, nil)
	w.pass()
	if w.pub.account.client != nil {
		t.Error("the session that the PDS forgot is kept")
	}
	w.settle()
	w.wantReceipt("h1", "held")
}

func TestAccount_OfSomebodyElseIsNotWrittenTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := atmospheretest.NewAccount(t, atmospheretest.Shared(t), "other")
	w.held("h1")
	w.pub.account.login.Identifier, w.pub.account.login.Password = other.Handle.String(), payments.NewSecret(other.Password)
	_, err := w.pub.Pass(t.Context())
	foreign, ok := errors.AsType[*ForeignAccountError](err)
	if !ok || *foreign != (ForeignAccountError{Have: other.DID, Want: w.account.DID}) {
		t.Errorf("got %v, want a *ForeignAccountError", err)
	}
	if len(w.gate.written()) != 0 {
		t.Errorf("%v were written", w.gate.written())
	}
}

func TestStatements_ParametersAppearInOrder(t *testing.T) {
	t.Parallel()
	sqlitetest.ParametersInOrder(t, ".", 10)
}
