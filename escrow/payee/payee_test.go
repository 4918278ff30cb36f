package payee_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/intent"
	"github.com/stratosfund/stratosfund/escrow/payee"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/payments/stripe"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

const (
	escrow syntax.DID = "did:plc:escrow"
	ann    syntax.DID = "did:plc:ann"
	home              = "https://work.example.org/settings?tab=money"
)

// begin is when the world of a test begins.
var begin = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// world is the payees of an escrow, with a simulated processor.
type world struct {
	t         *testing.T
	clock     time.Time
	control   simulator.Control
	processor payments.Processor
	store     *store.Store
	payees    *payee.Payees
	watched   []payments.AccountID
	doubled   []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: begin}
	const key = simulator.KeyPrefix + "payees"
	server, err := simulator.Build(t.Context(), simulator.Config{
		Bind: "127.0.0.1:0", DatabasePath: filepath.Join(t.TempDir(), "simulator.db"), Key: key, Terms: simulator.StripeTerms(),
	}, simulator.Options{Log: slog.New(slog.DiscardHandler), Clock: func() time.Time { return begin }})
	w.ok(err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, server.Close()); err != nil {
			t.Errorf("the simulator ended: %v", err)
		}
	})
	w.control = simulator.Control{URL: server.URL()}
	w.ok(w.control.SetClock(t.Context(), w.clock, true))
	w.processor, err = stripe.New(stripe.Config{Mode: payments.Simulator, Key: payments.NewSecret(key), URL: server.URL()}, stripe.Options{})
	w.ok(err)
	w.store, err = store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "escrow.db"), Mode: payments.Simulator},
		store.Options{Clock: func() time.Time { return w.clock }})
	w.ok(err)
	t.Cleanup(func() { w.ok(w.store.Close()) })
	w.restart(nil)
	return w
}

// restart is a new process, which knows what is in the database.
func (w *world) restart(crash crashpoint.Hook) {
	w.payees = payee.New(payee.Config{Escrow: escrow, PublicURL: "https://escrow.example.org"}, payee.Options{
		Store: w.store, Processor: w.processor, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)), Crash: crash,
		Clock: func() time.Time { return w.clock },
		Watched: func(_ context.Context, _ sqlite.Querier, after payments.AccountID, limit int) (out []payments.AccountID, err error) {
			for _, id := range w.watched {
				if id > after && len(out) < limit {
					out = append(out, id)
				}
			}
			return out, nil
		},
		Doubled: func(_ context.Context, _ *store.Tx, detail string) error {
			w.doubled = append(w.doubled, detail)
			return nil
		},
	})
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) begin() (payee.Account, payments.Link) {
	w.t.Helper()
	a, link, err := w.payees.Begin(w.t.Context(), ann, "US", home)
	w.ok(err)
	return a, link
}

// accounts are those that the processor has.
func (w *world) accounts() (list []payments.Account) {
	w.t.Helper()
	for a, err := range w.processor.Accounts(w.t.Context(), time.Time{}) {
		w.ok(err)
		list = append(list, a)
	}
	return list
}

func (w *world) fault(f simulator.Fault, on string) {
	w.t.Helper()
	w.ok(w.control.SetFaults(w.t.Context(), simulator.Faults{Next: []simulator.NextFault{{Fault: f, On: on}}}))
}

func TestAPayeeIsOnboardedAndThenPayable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, link := w.begin()
	if a.Status() != payee.StatusOnboarding || len(a.Requirements) == 0 || link.URL == "" || link.ExpiresAt.IsZero() {
		t.Errorf("after the beginning the account is %+v, and the link %+v", a, link)
	}
	_, err := w.payees.Ready(t.Context(), ann)
	if unpayable, ok := errors.AsType[*payee.UnpayableError](err); !ok || !slices.Contains(unpayable.Against, payments.ObstacleOnboarding) {
		t.Errorf("before the onboarding the payee is %v", err)
	}
	w.ok(w.control.Complete(t.Context(), string(a.ID)))
	for name, ready := range map[string]func(context.Context, syntax.DID) (payments.AccountID, error){"paid": w.payees.Ready, "charged for": w.payees.ReadyForDonations} {
		if id, err := ready(t.Context(), ann); err != nil || id != a.ID {
			t.Errorf("after the onboarding the payee can be %s: %s, %v", name, id, err)
		}
	}
	a, err = w.payees.Account(t.Context(), ann)
	w.ok(err)
	if a.Status() != payee.StatusReady || !a.Payable || !a.Chargeable || a.Country != "US" || a.Currency != "USD" || !a.CheckedAt.Equal(w.clock) {
		t.Errorf("what is known is %+v", a)
	}
}

func TestARejectedPayeeIsSaidToBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, _ := w.begin()
	w.ok(w.control.Complete(t.Context(), string(a.ID)))
	w.ok(w.control.Restrict(t.Context(), string(a.ID), "rejected.fraud"))
	a, err := w.payees.Fresh(t.Context(), ann)
	w.ok(err)
	if a.Status() != payee.StatusRejected || a.Payable {
		t.Errorf("rejected, the account is %s, %+v", a.Status(), a.Against)
	}
	w.ok(w.control.Restrict(t.Context(), string(a.ID), "requirements.past_due"))
	if a, err = w.payees.Fresh(t.Context(), ann); err != nil || a.Status() != payee.StatusRestricted {
		t.Errorf("with questions open it is %s, %v", a.Status(), err)
	}
}

func TestBeginAgainIsTheSameAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, _ := w.begin()
	second, _ := w.begin()
	third, _, err := w.payees.Begin(t.Context(), ann, "", home)
	w.ok(err)
	if first.ID != second.ID || second.ID != third.ID || len(w.accounts()) != 1 {
		t.Errorf("accounts %s, %s and %s; the processor has %d", first.ID, second.ID, third.ID, len(w.accounts()))
	}
}

// Whatever happens to the first call, there is one account in the end.
func TestOneAccountWhateverBecomesOfTheFirstCall(t *testing.T) {
	t.Parallel()
	for _, fault := range []simulator.Fault{
		simulator.FaultErrorBefore, simulator.FaultErrorAfter, simulator.FaultCloseBefore, simulator.FaultCloseAfter,
		simulator.FaultTruncateAfter, simulator.FaultRateLimit,
	} {
		w := newWorld(t)
		w.fault(fault, "POST /v1/accounts")
		if _, _, err := w.payees.Begin(t.Context(), ann, "US", home); err == nil {
			t.Errorf("%s: the first call had no error", fault)
		}
		w.clock = w.clock.Add(25 * time.Hour) // the processor has forgotten the key
		w.ok(w.control.SetClock(t.Context(), w.clock, true))
		if _, err := w.payees.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		a, _ := w.begin()
		if n := len(w.accounts()); n != 1 || a.ID != w.accounts()[0].ID {
			t.Errorf("%s: the processor has %d accounts, and the payee %q", fault, n, a.ID)
		}
	}
}

func TestOneAccountWhereverTheProcessDies(t *testing.T) {
	t.Parallel()
	dead := errors.New("the process died")
	for _, point := range []crashpoint.Point{crashpoint.BeforeSend, crashpoint.AfterSend} {
		w := newWorld(t)
		w.restart(func(p crashpoint.Point) error {
			if p == point {
				return dead
			}
			return nil
		})
		if _, _, err := w.payees.Begin(t.Context(), ann, "US", home); !errors.Is(err, dead) {
			t.Fatalf("killed %s: %v", point, err)
		}
		w.restart(nil)
		a, _ := w.begin()
		if n := len(w.accounts()); n != 1 || a.ID == "" {
			t.Errorf("killed %s: the processor has %d accounts, and the payee %q", point, n, a.ID)
		}
	}
}

func TestASecondAccountIsNeverUsedAndStopsEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, _ := w.begin()
	second, err := w.processor.OpenAccount(t.Context(), payments.AccountOrder{
		Key: "other", Mark: payments.PayeeMark{Escrow: escrow, Payee: ann, Intent: payments.IntentID(ann)}, Country: "US", Donations: true,
	})
	w.ok(err)
	if err := w.payees.Observe(t.Context(), second.ID); !errors.Is(err, payments.ErrDoubled) {
		t.Errorf("a second account is %v", err)
	}
	if len(w.doubled) != 1 || !strings.Contains(w.doubled[0], string(second.ID)) {
		t.Errorf("who stops outgoing money heard %q", w.doubled)
	}
	a, err := w.payees.Account(t.Context(), ann)
	if err != nil || a.ID != first.ID {
		t.Errorf("the payee's account is %s, and was %s: %v", a.ID, first.ID, err)
	}
}

func TestObserve_OthersAccountsAreStrangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, mark := range []payments.PayeeMark{
		{Escrow: "did:plc:other", Payee: ann, Intent: "i1"},
		{Escrow: escrow, Payee: ann, Intent: "i2"}, // ours by its mark, and nobody asked for it
	} {
		a, err := w.processor.OpenAccount(t.Context(), payments.AccountOrder{Key: payments.Key(fmt.Sprint(i)), Mark: mark, Country: "US"})
		w.ok(err)
		if err := w.payees.Observe(t.Context(), a.ID); !errors.Is(err, payee.ErrStranger) {
			t.Errorf("the account of %+v is %v", mark, err)
		}
	}
}

func TestObserve_APayeeWhomTheDatabaseLostIsKeptAgain(t *testing.T) {
	t.Parallel()
	for name, mark := range map[string]payments.IntentID{"the first try": payments.IntentID(ann), "the third": payments.IntentID(ann + "/3")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			opened, err := w.processor.OpenAccount(t.Context(), payments.AccountOrder{
				Key: "before", Mark: payments.PayeeMark{Escrow: escrow, Payee: ann, Intent: mark}, Country: "US",
			})
			w.ok(err)
			for range 2 {
				w.ok(w.payees.Observe(t.Context(), opened.ID))
			}
			a, _, err := w.payees.Begin(t.Context(), ann, "", home) // the country is known
			if err != nil || a.ID != opened.ID || a.Country != "US" {
				t.Errorf("the payee has %+v, %v", a, err)
			}
		})
	}
}

func TestPass_AsksAboutTheAccountsOfCampaignsOnceAnHour(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, _ := w.begin()
	w.ok(w.control.Complete(t.Context(), string(a.ID)))
	w.watched = []payments.AccountID{a.ID}
	known := func() payee.Status {
		a, err := w.payees.Account(t.Context(), ann)
		w.ok(err)
		return a.Status()
	}
	pass := func(after time.Duration) {
		t.Helper()
		w.clock = w.clock.Add(after)
		_, err := w.payees.Pass(t.Context())
		w.ok(err)
	}
	pass(59 * time.Minute)
	if got := known(); got != payee.StatusOnboarding {
		t.Errorf("before the hour is over it is known to be %s", got)
	}
	w.fault(simulator.FaultErrorBefore, "GET /v1/accounts/{id}")
	pass(time.Minute)
	if fired, err := w.control.Fired(t.Context()); err != nil || fired[simulator.FaultErrorBefore] != 1 {
		t.Fatalf("the processor's error did not come: %v, %v", fired, err)
	}
	if got := known(); got != payee.StatusOnboarding {
		t.Errorf("when the processor fails it is known to be %s", got)
	}
	pass(time.Minute)
	if got := known(); got != payee.StatusReady {
		t.Errorf("after the hour it is known to be %s", got)
	}
}

func TestBegin_RefusesWhatNobodyCanActOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, country := range []string{"", "us", "USA", "U"} {
		if _, _, err := w.payees.Begin(t.Context(), ann, country, home); !errors.Is(err, payee.ErrCountry) {
			t.Errorf("country %q: %v", country, err)
		}
	}
	for _, address := range []string{
		"", "/settings", "//evil.example.org", "http://work.example.org", "javascript:alert(1)", "data:text/html,x",
		"https://", "https://user@work.example.org", "https:work.example.org", "http://127.0.0.1/", "https://work.example.org\n", "https://a/" + strings.Repeat("x", 2100),
	} {
		if _, _, err := w.payees.Begin(t.Context(), ann, "US", address); !errors.Is(err, payee.ErrReturn) {
			t.Errorf("return to %q: %v", address, err)
		}
	}
	if n := len(w.accounts()); n != 0 {
		t.Errorf("and %d accounts were opened", n)
	}
}

// TestBegin_WhoseDIDIsTooLongForAKeyIsRefusedAndStopsNobody: an order about such a payee
// could never be sent, and a process that could not send it ended again and again.
func TestBegin_WhoseDIDIsTooLongForAKeyIsRefusedAndStopsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	web := func(length int) syntax.DID {
		return syntax.DID("did:web:" + strings.Repeat("a", length-len("did:web:")-len(".org")) + ".org")
	}
	for _, did := range []syntax.DID{web(261), web(215)} {
		if _, _, err := w.payees.Begin(t.Context(), did, "US", home); !errors.Is(err, payee.ErrTooLong) {
			t.Errorf("a DID of %d characters: %v", len(did), err)
		}
		if _, err := w.payees.Account(t.Context(), did); !errors.Is(err, payee.ErrNotFound) {
			t.Errorf("a DID of %d characters is kept: %v", len(did), err)
		}
	}
	if a, _, err := w.payees.Begin(t.Context(), web(214), "US", home); err != nil || a.ID == "" {
		t.Errorf("a DID of 214 characters: %+v, %v", a, err)
	}
	w.ok(payments.Key("transfer/" + strings.ToLower(rand.Text()) + "/" + string(web(214)) + "/9999").Check())

	// One that is there all the same, and somebody behind it whose answer was lost.
	w.ok(w.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO payee (did, country, created_at) VALUES ($1, 'US', 1)`, web(261))
		return errors.Join(err, intent.Note(ctx, tx, payments.IntentID(web(261)), intent.KindAccount, string(web(261))))
	}))
	w.fault(simulator.FaultErrorBefore, "POST /v1/accounts")
	if _, _, err := w.payees.Begin(t.Context(), ann, "US", home); err == nil {
		t.Error("the processor's error did not come")
	}
	w.clock = w.clock.Add(time.Hour)
	_, err := w.payees.Pass(t.Context())
	w.ok(err)
	if a, err := w.payees.Account(t.Context(), ann); err != nil || a.ID == "" {
		t.Errorf("the other payee has %+v, %v", a, err)
	}
}

// countries is a processor that opens no account in some country.
type countries struct {
	payments.Processor
	without string
}

func (c countries) OpenAccount(ctx context.Context, o payments.AccountOrder) (payments.Account, error) {
	if o.Country == c.without {
		return payments.Account{}, &payments.Failure{Kind: payments.ErrRefused, Status: 400, Code: "country_unsupported", Param: "country"}
	}
	return c.Processor.OpenAccount(ctx, o)
}

func TestBegin_ACountryThatTheProcessorRefusesMayBeCorrected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.processor = countries{w.processor, "AQ"}
	w.restart(nil)
	for range 2 {
		if _, _, err := w.payees.Begin(t.Context(), ann, "AQ", home); !errors.Is(err, payee.ErrUnsupported) {
			t.Fatalf("in Antarctica: %v", err)
		}
	}
	a, _ := w.begin()
	if a.Country != "US" || len(w.accounts()) != 1 {
		t.Errorf("corrected, the country is %s, and the processor has %d accounts", a.Country, len(w.accounts()))
	}
	w.ok(w.store.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) error {
		open, err := intent.Due(ctx, q, intent.KindAccount, w.clock.Add(time.Hour), 10)
		if len(open) > 0 {
			t.Errorf("intents are left open: %+v", open)
		}
		return err
	}))
}

func TestAVisitLeadsBackAndIsOverAfterADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	recorded := &links{Processor: w.processor}
	w.processor = recorded
	w.restart(nil)
	w.begin()
	back, err := url.Parse(recorded.last.ReturnURL)
	w.ok(err)
	again, err := url.Parse(recorded.last.RefreshURL)
	w.ok(err)
	token := back.Query().Get(payee.VisitParam)
	if back.Path != payee.ReturnPath || again.Path != payee.RefreshPath || back.Host != "escrow.example.org" || len(token) < 20 || again.Query().Get(payee.VisitParam) != token {
		t.Fatalf("back to %s, again at %s", back, again)
	}
	v, err := w.payees.Visit(t.Context(), token)
	if err != nil || v != (payee.Visit{Payee: ann, ReturnURI: home}) {
		t.Errorf("the visit is %+v, %v", v, err)
	}
	if link, err := w.payees.Refresh(t.Context(), token); err != nil || link.URL == "" {
		t.Errorf("the next link is %+v, %v", link, err)
	}
	w.clock = w.clock.Add(24 * time.Hour)
	for _, token := range []string{token, "", "somebody-elses"} {
		if _, err := w.payees.Refresh(t.Context(), token); !errors.Is(err, payee.ErrVisit) {
			t.Errorf("visit %q: %v", token, err)
		}
	}
}

// links remembers the last order of a link.
type links struct {
	payments.Processor
	last payments.LinkOrder
}

func (l *links) Link(ctx context.Context, o payments.LinkOrder) (payments.Link, error) {
	l.last = o
	return l.Processor.Link(ctx, o)
}

func TestNobodyIsReadyWhoHasNotBegun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.payees.Ready(t.Context(), ann); !errors.Is(err, payee.ErrNotFound) {
		t.Errorf("who has not begun is %v", err)
	}
	if _, err := w.payees.Fresh(t.Context(), ann); !errors.Is(err, payee.ErrNotFound) {
		t.Errorf("who has not begun is %v", err)
	}
}
