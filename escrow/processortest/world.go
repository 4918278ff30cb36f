package processortest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/payments/stripe"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

const (
	// Key is the simulator's.
	Key = simulator.KeyPrefix + "tests"
	// AccountSecret and ConnectSecret sign webhooks.
	AccountSecret = "whsec_account"
	ConnectSecret = "whsec_connect"
	// Escrow is the DID of the escrow, Ann of the only payee.
	Escrow syntax.DID = "did:plc:escrowescrowescrowescrow"
	Ann    syntax.DID = "did:plc:annannannannannannannann"
	// Development is the attempt that everybody pledges for.
	Development syntax.ATURI = "at://did:plc:annannannannannannannann/fund.stratos.work.development/3lbqxkdzvqk2a"

	// Cards of the simulator.
	Pays        = "4242424242424242"
	PaysAtOnce  = "4000000000000077"
	RefundPends = "4000000000007726"
	RefundFails = "4000000000005126"

	// Float is what the operator puts in at first.
	Float = 1_000_000
	// CID is that of every record.
	CID = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"
)

// Begin is when a world begins.
var Begin = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)

// World is an escrow's database beside a simulator.
type World struct {
	T       *testing.T
	Path    string
	Store   *store.Store
	Ledger  *ledger.Ledger
	Client  *stripe.Client
	Control simulator.Control
	Log     *slog.Logger
	// Account is Ann's at the processor.
	Account payments.AccountID
	// Observed are the donations whose sessions were looked at, and Reversed those of which
	// it was told that they went back.
	Observed, Reversed []payments.IntentID

	mu    sync.Mutex
	clock time.Time
}

// New starts a world, with a float, a payee and an open campaign.
func New(t *testing.T, changes ...func(*simulator.Config)) *World {
	t.Helper()
	return NewUnder(t, Escrow, changes...)
}

// NewUnder is New with a campaign under terms in the repository of an account, where its
// record can be published.
func NewUnder(t *testing.T, repository syntax.DID, changes ...func(*simulator.Config)) *World {
	t.Helper()
	cfg := simulator.Config{Bind: "127.0.0.1:0", DatabasePath: filepath.Join(t.TempDir(), "simulator.db"), Key: Key, Terms: simulator.StripeTerms()}
	cfg.Terms.HangFor = time.Second
	for _, change := range changes {
		change(&cfg)
	}
	w := &World{T: t, Path: filepath.Join(t.TempDir(), "escrow.db"), clock: Begin, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	server, err := simulator.Build(t.Context(), cfg, simulator.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Clock: func() time.Time { return Begin }})
	w.OK(err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, server.Close()); err != nil {
			t.Errorf("the simulator ended: %v", err)
		}
	})
	w.Control = simulator.Control{URL: server.URL()}
	w.OK(w.Control.SetClock(t.Context(), Begin, true))
	w.Client, err = stripe.New(stripe.Config{Mode: payments.Simulator, Key: payments.NewSecret(Key), URL: server.URL(), Timeout: 10 * time.Second}, stripe.Options{})
	w.OK(err)
	w.Open()
	t.Cleanup(func() { w.OK(w.Store.Close()) })
	w.topUp()
	w.openAccount()
	w.openCampaign(repository)
	return w
}

// Open opens the database, also another time after it was closed.
func (w *World) Open() {
	w.T.Helper()
	var err error
	w.Ledger = ledger.New(payments.Simulator) // which remembers accounts of its database
	w.Store, err = store.Open(w.T.Context(), store.Config{Path: w.Path, Mode: payments.Simulator}, store.Options{Clock: w.Now})
	w.OK(err)
}

// Now is the escrow's clock, and the simulator's.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

// Advance moves both clocks.
func (w *World) Advance(by time.Duration) {
	w.T.Helper()
	w.mu.Lock()
	w.clock = w.clock.Add(by)
	w.mu.Unlock()
	w.OK(w.Control.SetClock(w.T.Context(), w.Now(), true))
}

// Leap moves the escrow's clock alone, below zero back.
func (w *World) Leap(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(by)
}

// OK ends the test at an error.
func (w *World) OK(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// Update runs fn in a transaction.
func (w *World) Update(fn func(context.Context, *store.Tx) error) {
	w.T.Helper()
	w.OK(w.Store.Update(w.T.Context(), fn))
}

// Read runs fn on a snapshot.
func (w *World) Read(fn func(context.Context, sqlite.Querier) error) {
	w.T.Helper()
	w.OK(w.Store.Read(w.T.Context(), fn))
}

// Fault lets something happen once.
func (w *World) Fault(fault simulator.Fault, on string) {
	w.T.Helper()
	w.OK(w.Control.SetFaults(w.T.Context(), simulator.Faults{Seed: 1, Next: []simulator.NextFault{{Fault: fault, On: on}}}))
}

// Fired insists that a fault happened.
func (w *World) Fired(fault simulator.Fault) {
	w.T.Helper()
	fired, err := w.Control.Fired(w.T.Context())
	w.OK(err)
	if fired[fault] == 0 {
		w.T.Errorf("%s never happened", fault)
	}
}

// topUp puts the float in, and tells the ledger.
func (w *World) topUp() {
	w.T.Helper()
	_, err := w.Control.TopUp(w.T.Context(), Float, "usd")
	w.OK(err)
	for m, err := range w.Client.Movements(w.T.Context(), payments.MovementQuery{}) {
		w.OK(err)
		w.Update(func(ctx context.Context, tx *store.Tx) error {
			return w.Ledger.Operator(ctx, tx, ledger.TopUp, ledger.Transaction{ID: string(m.ID), Amount: m.Amount.Amount, Fee: m.Fee.Amount, Currency: m.Amount.Currency})
		})
	}
}

func (w *World) openAccount() {
	w.T.Helper()
	account, err := w.Client.OpenAccount(w.T.Context(), payments.AccountOrder{
		Key: "account/ann", Mark: payments.PayeeMark{Escrow: Escrow, Payee: Ann, Intent: "ann"}, Country: "US", Donations: true,
	})
	w.OK(err)
	w.OK(w.Control.Complete(w.T.Context(), string(account.ID)))
	// What she gets stays where a reversal finds it.
	w.OK(w.Control.SchedulePayouts(w.T.Context(), string(account.ID), "manual"))
	w.Account = account.ID
}

func (w *World) openCampaign(repository syntax.DID) {
	w.T.Helper()
	of := func(did syntax.DID, collection string) comatproto.RepoStrongRef {
		return comatproto.RepoStrongRef{Uri: "at://" + did.String() + "/" + collection + "/3lbqxkdzvqk2a", Cid: CID}
	}
	day := 24 * time.Hour
	w.Update(func(ctx context.Context, tx *store.Tx) error {
		return campaign.Add(ctx, tx, campaign.Campaign{
			Attempt: ledger.AttemptOf(Development), Development: comatproto.RepoStrongRef{Uri: Development.String(), Cid: CID},
			Preview: of(Ann, "fund.stratos.work.preview"), Proposal: of(Ann, "fund.stratos.feature.proposal"), Terms: of(repository, "fund.stratos.escrow.terms"),
			Author: Ann, Title: "Dark mode", Payees: []campaign.Payee{{DID: Ann, Share: 10_000, Account: w.Account}}, Currency: "USD", Fee: 500,
			OpensAt: Begin, ClosesAt: Begin.Add(14 * day), ReleaseBy: Begin.Add(28 * day), FinalAt: Begin.Add(80 * day),
		})
	})
}

// Balance is what the simulator says that the platform has.
func (w *World) Balance() (sum int64) {
	w.T.Helper()
	b, err := w.Client.Balance(w.T.Context())
	w.OK(err)
	for _, m := range append(b.Available, b.Pending...) {
		sum += m.Amount
	}
	return sum
}

// Agree insists that the ledger is whole and has what the processor has.
func (w *World) Agree() {
	w.T.Helper()
	report, err := w.Ledger.Verify(w.T.Context(), w.Store, nil, func(int64) {})
	w.OK(err)
	for _, f := range report.Findings {
		w.T.Errorf("the ledger: %s", f)
	}
	var have []money.Money
	w.Read(func(ctx context.Context, q sqlite.Querier) (err error) {
		have, err = ledger.AtProcessor(ctx, q)
		return err
	})
	if len(have) != 1 || have[0].Amount != w.Balance() {
		w.T.Errorf("the ledger says that the processor has %v, the processor %d", have, w.Balance())
	}
}
