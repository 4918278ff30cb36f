package checkout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/payments/stripe"
	"github.com/stratosfund/stratosfund/escrow/proof"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/reposync"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	index "github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

const (
	escrowDID  syntax.DID = "did:plc:escrowescrowescrowescrow"
	backer     syntax.DID = "did:plc:backerbackerbackerbacker"
	proposer   syntax.DID = "did:plc:proposerproposerproposer"
	developer  syntax.DID = "did:plc:developerdeveloperdevelo"
	maintainer syntax.DID = "did:plc:maintainermaintainermain"
	payee      syntax.DID = "did:plc:payeepayeepayeepayeepaye"

	otherProposalURI syntax.ATURI = "at://did:plc:proposerproposerproposer/fund.stratos.feature.proposal/3l6oveex3ii2m"
	proposalURI      syntax.ATURI = "at://did:plc:proposerproposerproposer/fund.stratos.feature.proposal/3l6oveex3ii2l"
	projectURI       syntax.ATURI = "at://did:plc:developerdeveloperdevelo/fund.stratos.project.profile/thing"
	developmentURI   syntax.ATURI = "at://did:plc:developerdeveloperdevelo/fund.stratos.work.development/3l6ovf2k7dk2a"
	donatedURI       syntax.ATURI = "at://did:plc:developerdeveloperdevelo/fund.stratos.work.development/3l6ovf2k7dk2b"

	someCID = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"
	backURL = "https://app.example.org/done"
	apiKey  = simulator.KeyPrefix + "tests"
)

var (
	began  = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	closes = began.Add(10 * 24 * time.Hour)
)

// repoCID is how records are named.
var repoCID = cid.NewPrefixV1(cid.DagCBOR, multihash.SHA2_256)

// world is a desk before a simulated processor, with records that tests sign and an index
// that knows what it is told.
type world struct {
	*Desk
	t       *testing.T
	clock   time.Time
	path    string
	index   string // its path
	control simulator.Control
	stripe  *stripe.Client
	key     *Key
	secret  string

	mu       sync.Mutex
	signed   map[syntax.ATURI]proof.Proof // what authors have signed
	unproven error
	indexed  map[syntax.DID]map[syntax.ATURI]index.Record
	revs     int
	halted   error
	alarms   []string
	accounts map[syntax.DID]payments.AccountID
	terms    repo.Agreed
	moved    int
	crash    crashpoint.Hook
	call     func(call string) error // before each call of the processor; nil for nothing
	change   func(*payments.Session) // what the processor says of sessions; nil for the truth
}

// newWorld is under the usual terms, changed.
func newWorld(t *testing.T, changes ...func(*repo.Terms)) *world {
	t.Helper()
	w := &world{
		t: t, clock: began, path: filepath.Join(t.TempDir(), "escrow.db"), index: filepath.Join(t.TempDir(), "index.db"),
		signed: map[syntax.ATURI]proof.Proof{}, indexed: map[syntax.DID]map[syntax.ATURI]index.Record{},
		accounts: map[syntax.DID]payments.AccountID{},
	}
	w.simulate()
	var err error
	w.secret, _, err = NewKey()
	w.ok(err)
	w.key, err = ParseKey(payments.NewSecret(w.secret))
	w.ok(err)
	w.open()
	t.Cleanup(w.close)
	w.announce(changes)
	w.write()
	w.campaign(campaign.Campaign{})
	w.topUp(100_000, "USD")
	return w
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) now() time.Time { return w.clock }

// simulate starts a processor on the world's time.
func (w *world) simulate() {
	server, err := simulator.Build(w.t.Context(), simulator.Config{
		Bind: "127.0.0.1:0", DatabasePath: filepath.Join(w.t.TempDir(), "simulator.db"), Key: apiKey, Terms: simulator.StripeTerms(),
	}, simulator.Options{Log: slog.New(slog.DiscardHandler), Clock: func() time.Time { return began.Add(-time.Hour) }})
	w.ok(err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, server.Close()); err != nil {
			w.t.Errorf("the simulator ended: %v", err)
		}
	})
	w.control = simulator.Control{URL: server.URL()}
	w.ok(w.control.SetClock(w.t.Context(), w.clock, true))
	w.stripe, err = stripe.New(stripe.Config{Mode: payments.Simulator, Key: payments.NewSecret(apiKey), URL: server.URL()}, stripe.Options{})
	w.ok(err)
}

// open is a new process.
func (w *world) open() {
	w.t.Helper()
	s, err := store.Open(w.t.Context(), store.Config{Path: w.path, Mode: payments.Simulator}, store.Options{Clock: w.now, Crash: w.pass})
	w.ok(err)
	ix, err := index.Open(w.t.Context(), index.Config{
		Path: w.index, Policy: lifecycle.Policy{TrustedEscrows: []syntax.DID{escrowDID}, TestMoney: true},
	}, index.Options{Log: slog.New(slog.DiscardHandler), Clock: w.now})
	w.ok(err)
	w.Desk = New(Config{
		DID: escrowDID, Mode: payments.Simulator, PublicURL: "https://escrow.example.org", Costs: DefaultCosts(), Key: w.key,
	}, Parts{
		Store: s, Ledger: ledger.New(payments.Simulator), Repo: repo.New(escrowDID, payments.Simulator), Index: ix,
		Processor: processor{w.stripe, w}, Proofs: w,
		Donee: func(_ context.Context, did syntax.DID) (payments.AccountID, error) {
			if id, ok := w.accounts[did]; ok {
				return id, nil
			}
			return "", ErrNoAccount
		},
		Halted: func(context.Context, sqlite.Querier) error { return w.halted },
		Alarm: func(_ context.Context, _ *store.Tx, detail string) error {
			w.alarms = append(w.alarms, detail)
			return nil
		},
		Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)), Clock: w.now, Crash: w.pass,
	})
}

func (w *world) pass(p crashpoint.Point) error {
	if w.crash == nil {
		return nil
	}
	return w.crash(p)
}

func (w *world) close() {
	if err := errors.Join(w.Store.Close(), w.Index.Close()); err != nil {
		w.t.Error(err)
	}
}

// restart is another process on the same databases.
func (w *world) restart() {
	w.t.Helper()
	w.crash, w.call = nil, nil
	w.close()
	w.open()
}

// backup copies the database as it is.
func (w *world) backup() {
	w.t.Helper()
	w.ok(w.Store.Backup(w.t.Context(), w.path+".backup"))
}

// restore is another process on the copy.
func (w *world) restore() {
	w.t.Helper()
	w.close()
	w.path += ".backup"
	w.open()
}

// processor fails as a test wants it to.
type processor struct {
	*stripe.Client
	w *world
}

func (p processor) fails(call string) error {
	if p.w.call == nil {
		return nil
	}
	return p.w.call(call)
}

func (p processor) OpenCheckout(ctx context.Context, c payments.Checkout) (payments.Session, error) {
	if err := p.fails("open"); err != nil {
		return payments.Session{}, err
	}
	s, err := p.Client.OpenCheckout(ctx, c)
	if err := p.fails("opened"); err != nil {
		return payments.Session{}, err
	}
	return s, err
}

func (p processor) Session(ctx context.Context, a payments.AccountID, id payments.SessionID) (payments.Session, error) {
	if err := p.fails("session"); err != nil {
		return payments.Session{}, err
	}
	s, err := p.Client.Session(ctx, a, id)
	if p.w.change != nil {
		p.w.change(&s)
	}
	return s, err
}

func (p processor) ExpireSession(ctx context.Context, a payments.AccountID, id payments.SessionID) (payments.Session, error) {
	if err := p.fails("expire"); err != nil {
		return payments.Session{}, err
	}
	return p.Client.ExpireSession(ctx, a, id)
}

var errAway = &payments.Failure{Kind: payments.ErrUncertain, Cause: errors.New("away")}

// Fetch is what authors have signed.
func (w *world) Fetch(_ context.Context, uri syntax.ATURI) (proof.Proof, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.unproven != nil {
		return proof.Proof{}, w.unproven
	}
	p := w.signed[uri]
	p.URI = uri
	return p, nil
}

func (w *world) advance(by time.Duration) {
	w.t.Helper()
	w.clock = w.clock.Add(by)
	w.ok(w.control.SetClock(w.t.Context(), w.clock, true))
}

// look makes passes until none finds anything due.
func (w *world) lookAround() {
	w.t.Helper()
	_, err := w.Pass(w.t.Context())
	w.ok(err)
}

func (w *world) do(fn func(context.Context, *store.Tx) error) {
	w.t.Helper()
	w.ok(w.Store.Update(w.t.Context(), fn))
}

func (w *world) read(fn func(context.Context, sqlite.Querier) error) {
	w.t.Helper()
	w.ok(w.Store.Read(w.t.Context(), fn))
}

func (w *world) announce(changes []func(*repo.Terms)) {
	const day = 24 * 60 * 60
	terms := repo.Terms{
		Currencies: []stratos.EscrowTerms_Currency{
			{Currency: "USD", Minimum: 100, Maximum: 100_000}, {Currency: "JPY", Minimum: 100, Maximum: 100_000},
		},
		FeeBasisPoints: 500, PreviewSeconds: stratos.EscrowTerms_Range{Minimum: 7 * day, Maximum: 14 * day},
		ReleaseSeconds: 14 * day, VerificationSeconds: 14 * day, RulingSeconds: 10 * day, DisputeReserveSeconds: 14 * day,
		MaximumHoldSeconds: 80 * day, Text: []byte("# The terms\n\nBe kind.\n"),
	}
	for _, change := range changes {
		change(&terms)
	}
	w.do(func(ctx context.Context, tx *store.Tx) error {
		if err := w.Repo.Announce(ctx, tx, repo.Service{Name: "Test", URI: "https://escrow.example.org/"}, terms); err != nil {
			return err
		}
		ref, err := w.Repo.CurrentTerms(ctx, tx)
		if err != nil {
			return err
		}
		w.terms, err = w.Repo.TermsByKey(ctx, tx, syntax.ATURI(ref.Uri).RecordKey())
		return err
	})
}

// sign lets an author put a record into their repository, and returns its CID.
func (w *world) sign(uri syntax.ATURI, value map[string]any) string {
	w.t.Helper()
	value["$type"] = uri.Collection().String()
	if _, ok := value["createdAt"]; !ok {
		value["createdAt"] = began.Add(-time.Hour).Format(syntax.AtprotoDatetimeLayout)
	}
	raw, err := atdata.MarshalCBOR(value)
	w.ok(err)
	c, err := repoCID.Sum(raw)
	w.ok(err)
	w.mu.Lock()
	w.revs++
	w.signed[uri] = proof.Proof{Present: true, CID: syntax.CID(c.String()), Record: raw}
	w.mu.Unlock()
	return c.String()
}

// remove takes a record away.
func (w *world) remove(uri syntax.ATURI) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.signed, uri)
}

// indexes lets the index see what an author has signed.
func (w *world) indexes(did syntax.DID) {
	w.t.Helper()
	ctx := w.t.Context()
	if w.indexed[did] == nil {
		w.revs++
		_, err := w.Index.Apply(ctx, "test", int64(w.revs), []index.Change{{
			Kind: index.ChangeCommit, DID: did, Rev: w.tid(), Data: "first", Track: true,
		}})
		w.ok(err)
	}
	w.indexed[did] = map[syntax.ATURI]index.Record{}
	var records []index.Record
	for uri, p := range w.signed {
		if uri.Authority().String() != did.String() {
			continue
		}
		c, err := cid.Decode(p.CID.String())
		w.ok(err)
		r, err := index.ParseRecord(did, reposync.Record{Collection: uri.Collection(), RKey: uri.RecordKey(), CID: c, Value: p.Record})
		w.ok(err)
		if r.Invalid != nil {
			w.t.Fatalf("%s: %v", uri, r.Invalid)
		}
		records = append(records, r)
	}
	w.revs++
	_, _, err := w.Index.ReplaceRepo(ctx, index.Replacement{DID: did, Rev: w.tid(), Data: fmt.Sprint(w.revs), Records: records, Wanted: 1})
	w.ok(err)
}

func (w *world) tid() syntax.TID {
	return syntax.NewTIDFromTime(began.Add(-time.Hour+time.Duration(w.revs)*time.Second), 0)
}

// write is a project, a proposal for it, and two works: one with a campaign, and one in
// development.
func (w *world) write() {
	w.t.Helper()
	w.sign(projectURI, map[string]any{"name": "Thing", "maintainers": []any{map[string]any{"did": maintainer.String()}}})
	proposal := w.sign(proposalURI, map[string]any{
		"title": "Dark mode", "description": "At night.",
		"subject": map[string]any{"$type": "fund.stratos.feature.proposal#projectSubject", "project": projectURI.String()},
	})
	for n, uri := range []syntax.ATURI{donatedURI, developmentURI} {
		w.sign(uri, map[string]any{
			"proposal": map[string]any{"uri": proposalURI.String(), "cid": proposal}, "title": "Dark mode", "summary": "All pages.",
			"currency": "USD", "escrow": escrowDID.String(),
			"createdAt": began.Add(time.Duration(n-3) * time.Hour).Format(syntax.AtprotoDatetimeLayout),
		})
	}
	w.indexes(proposer)
	w.indexes(developer)
}

func ref(uri syntax.ATURI, cid string) comatproto.RepoStrongRef {
	return comatproto.RepoStrongRef{Uri: uri.String(), Cid: cid}
}

// campaign opens one; what is set differs from the usual.
func (w *world) campaign(c campaign.Campaign) ledger.AttemptKey {
	w.t.Helper()
	if c.Development.Uri == "" {
		c.Development = ref(developmentURI, someCID)
	}
	if c.Currency == "" {
		c.Currency = "USD"
	}
	c.Attempt = ledger.AttemptOf(syntax.ATURI(c.Development.Uri))
	c.Preview, c.Terms = ref("at://did:plc:developerdeveloperdevelo/fund.stratos.work.preview/3l6ovf2k7dk2a", someCID), w.terms.Ref
	if c.Proposal.Uri == "" {
		c.Proposal = ref(proposalURI, someCID)
	}
	c.Author, c.Title, c.Fee = developer, "Dark mode", 500
	c.Payees = []campaign.Payee{{DID: developer, Share: 7000, Account: "acct_1"}, {DID: payee, Share: 3000, Account: "acct_2"}}
	c.OpensAt, c.ClosesAt = began.Add(-time.Hour), closes
	c.ReleaseBy, c.FinalAt = closes.Add(14*24*time.Hour), closes.Add(60*24*time.Hour)
	w.do(func(ctx context.Context, tx *store.Tx) error { return campaign.Add(ctx, tx, c) })
	return c.Attempt
}

// phase moves a campaign.
func (w *world) phase(phase lifecycle.Phase) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error {
		var pot, reason any
		switch phase {
		case lifecycle.PhaseOpen:
		case lifecycle.PhaseRefunding, lifecycle.PhaseRefunded:
			reason = campaign.ReasonCancelled
		default:
			pot = 0
		}
		_, err := tx.ExecContext(ctx, `UPDATE campaign SET phase = $1, pot = $2, reason = $3 WHERE development = $4`, phase, pot, reason, developmentURI)
		return err
	})
}

// topUp puts money into the float.
func (w *world) topUp(amount int64, currency money.Currency) {
	w.t.Helper()
	w.moved++
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.Ledger.Operator(ctx, tx, ledger.TopUp, ledger.Transaction{ID: fmt.Sprintf("txn_top_%d", w.moved), Amount: amount, Currency: currency})
	})
}

func pledgeURI(n int64) syntax.ATURI {
	return syntax.ATURI("at://" + backer.String() + "/fund.stratos.feature.pledge/" + string(syntax.NewTID(n, 0)))
}

// pledge is a backer's record.
func (w *world) pledge(n, amount int64, change ...func(map[string]any)) comatproto.RepoStrongRef {
	w.t.Helper()
	record := map[string]any{
		"proposal":    map[string]any{"uri": proposalURI.String(), "cid": someCID},
		"development": map[string]any{"uri": developmentURI.String(), "cid": someCID},
		"value":       map[string]any{"amount": amount, "currency": "USD"}, "escrow": escrowDID.String(),
	}
	for _, f := range change {
		f(record)
	}
	return ref(pledgeURI(n), w.sign(pledgeURI(n), record))
}

func (w *world) begin(subject comatproto.RepoStrongRef) Payment {
	w.t.Helper()
	p, err := w.Begin(w.t.Context(), backer, subject, backURL)
	w.ok(err)
	return p
}

// confirm agrees, and returns the session.
func (w *world) agreed(p Payment) payments.SessionID {
	w.t.Helper()
	url, err := w.Confirm(w.t.Context(), p.ID, p.Terms.Uri)
	w.ok(err)
	if url == "" {
		w.t.Fatal("no page to pay on")
	}
	return w.payment(p.ID).Session
}

func (w *world) payment(id ledger.HoldID) (p Payment) {
	w.t.Helper()
	p, err := w.load(w.t.Context(), id)
	w.ok(err)
	return p
}

func (w *world) holdOf(id ledger.HoldID) (h *ledger.Hold) {
	w.t.Helper()
	w.read(func(ctx context.Context, q sqlite.Querier) (err error) {
		h, err = ledger.LoadHold(ctx, q, id)
		return err
	})
	return h
}

// pay is what the payer does on the processor's page.
func (w *world) pay(session payments.SessionID) {
	w.t.Helper()
	result, err := w.control.Pay(w.t.Context(), string(session), simulator.Payment{})
	w.ok(err)
	if result.Outcome != "paid" {
		w.t.Fatalf("the payment was %s", result.Outcome)
	}
}

func (w *world) observe(session payments.SessionID) {
	w.t.Helper()
	w.ok(w.Observe(w.t.Context(), payments.Platform, session))
}

// want compares where a payment stands, and why.
func (w *world) want(id ledger.HoldID, state State, why Ending, status Status) {
	w.t.Helper()
	o, err := w.Offer(w.t.Context(), id)
	w.ok(err)
	if o.State != state || o.Ending != why || o.Status != status {
		w.t.Errorf("%s is %s %q, status %s; want %s %q, %s", id, o.State, o.Ending, o.Status, state, why, status)
	}
}

// refused wants a refusal of this name, with a sentence.
func refused(t *testing.T, err error, name RefusalName) {
	t.Helper()
	r, ok := errors.AsType[*Refusal](err)
	if !ok || r.Name != name || r.Message == "" {
		t.Errorf("got %v, want %s", err, name)
	}
}
