package campaign_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/checks"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/mirror"
	"github.com/stratosfund/stratosfund/escrow/payee"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/reposync"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	index "github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

const (
	escrowDID syntax.DID       = "did:plc:escrowescrowescrowescrow"
	ann       syntax.DID       = "did:plc:annannannannannannannann"
	ben       syntax.DID       = "did:plc:benbenbenbenbenbenbenben"
	payer     syntax.DID       = "did:plc:payerpayerpayerpayerpaye"
	rkey      syntax.RecordKey = "3lbqxkdzvqk2a"

	day = 24 * time.Hour
)

var (
	noon      = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	recordCID = cid.NewPrefixV1(cid.DagCBOR, multihash.SHA2_256)
)

// world is an escrow with its ledger and an index of repositories that the test writes,
// a processor that says of payees what it is told to say, and payers who pay at once.
type world struct {
	t      *testing.T
	clock  time.Time
	store  *store.Store
	ledger *ledger.Ledger
	repo   *repo.Repo
	index  *index.Store
	driver *campaign.Driver
	// examiner has releases checked by verdict, and mirrored is what it keeps.
	examiner *campaign.Examiner
	verdict  func(checks.Release) (checks.Report, error)
	mirrored map[ledger.AttemptKey]string
	metrics  *prometheus.Registry
	prepared int // how often the checker was to prepare itself

	repos map[syntax.DID]map[syntax.ATURI]index.Record
	revs  int64
	moved int

	behind   bool      // the index does not know what happened
	present  time.Time // of the events that come, when the clock shows another one
	events   int64
	doubted  bool // an event was not of the present, so that one alone is not believed
	unable   map[syntax.DID]error
	news     func(context.Context) error // what the processor tells when it is asked
	sessions map[ledger.HoldID]bool      // open; true: it is paid when somebody looks
	away     bool                        // nobody can end a session
	proof    func(syntax.ATURI) (bool, error)
	account  func(syntax.DID) (bool, error)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, clock: noon, ledger: ledger.New(payments.Simulator), repo: repo.New(escrowDID, payments.Simulator),
		verdict: passes, mirrored: map[ledger.AttemptKey]string{},
		repos: map[syntax.DID]map[syntax.ATURI]index.Record{}, unable: map[syntax.DID]error{}, sessions: map[ledger.HoldID]bool{},
	}
	dir := t.TempDir()
	now := func() time.Time { return w.clock }
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	var err error
	w.store, err = store.Open(t.Context(), store.Config{Path: filepath.Join(dir, "escrow.db"), Mode: payments.Simulator}, store.Options{Clock: now})
	w.ok(err)
	t.Cleanup(func() { w.ok(w.store.Close()) })
	policy := lifecycle.Policy{TrustedEscrows: []syntax.DID{escrowDID}, TestMoney: true}
	w.index, err = index.Open(t.Context(), index.Config{Path: filepath.Join(dir, "index.db"), Policy: policy}, index.Options{Log: log, Clock: now})
	w.ok(err)
	t.Cleanup(func() { w.ok(w.index.Close()) })
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.repo.Announce(ctx, tx, repo.Service{Name: "Test Escrow", URI: "https://escrow.example.org/"}, terms())
	})
	w.proof = func(uri syntax.ATURI) (bool, error) {
		_, there := w.repos[syntax.DID(uri.Authority())][uri]
		return !there, nil
	}
	w.news = func(context.Context) error { return nil }
	w.account = func(did syntax.DID) (bool, error) { return len(w.repos[did]) == 0, nil }
	w.restart(nil)
	return w
}

func terms() repo.Terms {
	seconds := func(d time.Duration) int64 { return int64(d / time.Second) }
	return repo.Terms{
		Currencies:     []stratos.EscrowTerms_Currency{{Currency: "USD", Minimum: 100, Maximum: 1_000_000}},
		FeeBasisPoints: 500, PreviewSeconds: stratos.EscrowTerms_Range{Minimum: seconds(7 * day), Maximum: seconds(14 * day)},
		ReleaseSeconds: seconds(14 * day), VerificationSeconds: seconds(14 * day), RulingSeconds: seconds(10 * day),
		DisputeReserveSeconds: seconds(14 * day), MaximumHoldSeconds: seconds(80 * day), Text: []byte("# Terms"),
	}
}

// registry is a new one: metrics do not outlive a process.
func (w *world) registry() *prometheus.Registry {
	w.metrics = prometheus.NewRegistry()
	return w.metrics
}

// lost is how many releases cannot be cloned, as the metrics say.
func (w *world) lost() float64 {
	w.t.Helper()
	families, err := w.metrics.Gather()
	w.ok(err)
	for _, f := range families {
		if f.GetName() == "stratos_escrow_mirror_lost" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	w.t.Fatal("no metric says what is lost")
	return 0
}

// restart is a new process, which knows what is in the database.
func (w *world) restart(crash crashpoint.Hook) {
	w.driver = campaign.NewDriver(campaign.Options{
		Escrow: escrowDID, Store: w.store, Ledger: w.ledger, Index: w.index, Terms: w.repo, Payees: w, Checkouts: w,
		Hear: func(ctx context.Context) error { return w.news(ctx) },
		Progress: func() campaign.Progress {
			if w.behind && w.present.IsZero() { // something came, and is not applied
				w.doubted = true
				return campaign.Progress{Connected: true, Received: w.events + 1, Applied: w.events, EventAt: w.clock.Add(-day)}
			}
			w.events += 2
			p := campaign.Progress{Connected: true, Received: w.events, Applied: w.events, EventAt: w.clock}
			if !w.present.IsZero() {
				w.doubted, p.EventAt = true, w.present
			}
			return p
		},
		RecordGone:  func(_ context.Context, uri syntax.ATURI) (bool, error) { return w.proof(uri) },
		AccountGone: func(_ context.Context, did syntax.DID) (bool, error) { return w.account(did) },
		MirrorURL:   "https://escrow.example.org/git/",
		Log:         slog.New(slog.NewTextHandler(w.t.Output(), nil)), Clock: func() time.Time { return w.clock }, Crash: crash,
	})
	w.examiner = campaign.NewExaminer(campaign.ExaminerOptions{
		Store: w.store, Checker: w, Mirror: w, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)), Clock: func() time.Time { return w.clock }, Crash: crash,
		Registry: w.registry(),
	})
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) do(fn func(context.Context, *store.Tx) error) {
	w.t.Helper()
	w.ok(w.store.Update(w.t.Context(), fn))
}

func (w *world) read(fn func(context.Context, sqlite.Querier) error) {
	w.t.Helper()
	w.ok(w.store.Read(w.t.Context(), fn))
}

// pass looks, when some time has gone by, as often as it takes to believe what comes.
func (w *world) pass(after time.Duration) {
	w.t.Helper()
	w.clock = w.clock.Add(after)
	looks := 1
	if w.doubted && w.present.IsZero() && !w.behind {
		looks, w.doubted = 3, false
	}
	for range looks {
		_, err := w.driver.Pass(w.t.Context())
		w.ok(err)
	}
}

// at looks at a moment.
func (w *world) at(moment time.Time) { w.t.Helper(); w.pass(moment.Sub(w.clock)) }

// Ready is the processor's word.
func (w *world) Ready(_ context.Context, did syntax.DID) (payments.AccountID, error) {
	if err := w.unable[did]; err != nil {
		return "", err
	}
	return payments.AccountID("acct_" + strings.TrimPrefix(did.String(), "did:plc:")[:3]), nil
}

// Finish ends the open sessions: those that were paid are charged, and the others void.
func (w *world) Finish(ctx context.Context, attempt ledger.AttemptKey) (open int, err error) {
	if w.away {
		return 0, errAway
	}
	for _, hold := range slices.Sorted(maps.Keys(w.sessions)) {
		paid := w.sessions[hold]
		err := w.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
			h, err := ledger.LoadHold(ctx, tx, hold)
			if err != nil || h.Attempt != attempt {
				return err
			}
			if paid {
				return w.ledger.Charge(ctx, tx, w.chargeOf(hold, h.Value.Amount))
			}
			return w.ledger.VoidHold(ctx, tx, hold)
		})
		if err != nil {
			return 0, err
		}
		delete(w.sessions, hold)
	}
	return 0, nil
}

func (w *world) chargeOf(hold ledger.HoldID, amount int64) ledger.Charged {
	w.moved++
	return ledger.Charged{Hold: hold, Charge: "ch_" + string(hold), Transaction: ledger.Transaction{ID: fmt.Sprintf("txn_%03d", w.moved), Amount: amount, Currency: "USD"}}
}

func uriOf(did syntax.DID, collection syntax.NSID) syntax.ATURI {
	return syntax.ATURI("at://" + did.String() + "/" + collection.String() + "/" + rkey.String())
}

var (
	proposal    = uriOf(payer, lexicons.CollectionProposal)
	development = uriOf(ann, lexicons.CollectionDevelopment)
)

func stamp(at time.Time) string { return at.Format(syntax.AtprotoDatetimeLayout) }

// put writes a record into the repository of its account, and the index follows.
func (w *world) put(did syntax.DID, key syntax.RecordKey, content lexicons.Record) index.Record {
	w.t.Helper()
	b, err := json.Marshal(content)
	w.ok(err)
	data, err := atdata.UnmarshalJSON(b)
	w.ok(err)
	encoded, err := atdata.MarshalCBOR(data)
	w.ok(err)
	c, err := recordCID.Sum(encoded)
	w.ok(err)
	r, err := index.ParseRecord(did, reposync.Record{Collection: content.NSID(), RKey: key, CID: c, Value: encoded})
	w.ok(err)
	if r.Invalid != nil {
		w.t.Fatalf("%s is not valid: %v", r.URI(), r.Invalid)
	}
	if w.repos[did] == nil {
		w.repos[did] = map[syntax.ATURI]index.Record{}
	}
	w.repos[did][r.URI()] = r
	w.follow(did)
	return r
}

// remove deletes records, and the index follows.
func (w *world) remove(uris ...syntax.ATURI) {
	w.t.Helper()
	for _, uri := range uris {
		did := syntax.DID(uri.Authority())
		delete(w.repos[did], uri)
		w.follow(did)
	}
}

// follow lets the index fetch a repository whole.
func (w *world) follow(did syntax.DID) {
	w.t.Helper()
	w.ok(w.index.RequestResync(w.t.Context(), did))
	due, _, err := w.index.DueResyncs(w.t.Context(), 100)
	w.ok(err)
	w.revs++
	for _, d := range due {
		if d.DID != did {
			continue
		}
		_, more, err := w.index.ReplaceRepo(w.t.Context(), index.Replacement{
			DID: did, Rev: syntax.NewTID(w.revs, 0), Data: fmt.Sprint(w.revs), Records: slices.Collect(maps.Values(w.repos[did])), Wanted: d.Wanted,
		})
		w.ok(err)
		for more {
			more, err = w.index.DeriveStale(w.t.Context())
			w.ok(err)
		}
	}
	swept, err := w.index.DueSweeps(w.t.Context(), w.clock, 100)
	w.ok(err)
	for _, s := range swept {
		if s.DID == did {
			_, err := w.index.Sweep(w.t.Context(), s, index.Swept{Status: index.AccountActive})
			w.ok(err)
		}
	}
}

func (w *world) status(did syntax.DID, status index.AccountStatus) {
	w.t.Helper()
	w.ok(w.index.SetAccountStatus(w.t.Context(), did, status))
}

// announce writes an attempt of ann's at a proposal about her account: she and ben are
// its payees, and the preview opens in an hour, for ten days.
func (w *world) announce() {
	w.t.Helper()
	w.put(payer, rkey, &stratos.FeatureProposal{
		LexiconTypeID: lexicons.CollectionProposal.String(), Title: "Larger text", Description: "So that I can read it.",
		Subject:   stratos.FeatureProposal_Subject{FeatureProposal_AccountSubject: &stratos.FeatureProposal_AccountSubject{LexiconTypeID: lexicons.CollectionProposal.String() + "#accountSubject", Did: ann.String()}},
		CreatedAt: stamp(noon.Add(-day)),
	})
	w.develop(ann)
	w.preview(ann, noon.Add(time.Hour), noon.Add(time.Hour+10*day))
	w.put(ben, rkey, &stratos.WorkConsent{LexiconTypeID: lexicons.CollectionConsent.String(), Development: w.ref(development), CreatedAt: stamp(noon)})
}

func (w *world) ref(uri syntax.ATURI) comatproto.RepoStrongRef {
	w.t.Helper()
	r, ok := w.repos[syntax.DID(uri.Authority())][uri]
	if !ok {
		w.t.Fatalf("there is no %s", uri)
	}
	return comatproto.RepoStrongRef{Uri: uri.String(), Cid: r.CID}
}

func (w *world) develop(author syntax.DID, change ...func(*stratos.WorkDevelopment)) {
	w.t.Helper()
	d := &stratos.WorkDevelopment{
		LexiconTypeID: lexicons.CollectionDevelopment.String(), Proposal: w.ref(proposal), Title: "Larger text", Summary: "It grows.",
		Currency: "USD", Escrow: escrowDID.String(), CreatedAt: stamp(noon.Add(-day)),
		Payees: []stratos.WorkDevelopment_Payee{{Did: ann.String(), Share: 6000}, {Did: ben.String(), Share: 4000}},
	}
	for _, f := range change {
		f(d)
	}
	w.put(author, rkey, d)
}

func (w *world) preview(author syntax.DID, opens, closes time.Time) {
	w.t.Helper()
	w.put(author, rkey, &stratos.WorkPreview{
		LexiconTypeID: lexicons.CollectionPreview.String(), Development: w.ref(uriOf(author, lexicons.CollectionDevelopment)),
		Uri: "https://preview.example.org/", Instructions: "Look at it.", OpensAt: stamp(opens), ClosesAt: stamp(closes), CreatedAt: stamp(noon.Add(-time.Hour)),
		Commitment: &stratos.WorkPreview_Commitment{Algorithm: "sha1", Tree: strings.Repeat("a", 40)},
	})
}

func (w *world) cancel() {
	w.t.Helper()
	w.put(ann, rkey, &stratos.WorkCancellation{LexiconTypeID: lexicons.CollectionCancellation.String(), Development: w.ref(development), CreatedAt: stamp(w.clock)})
}

func (w *world) release() {
	w.t.Helper()
	w.put(ann, rkey, &stratos.WorkRelease{
		LexiconTypeID: lexicons.CollectionRelease.String(), Development: w.ref(development), Repository: "https://git.example.org/it",
		Commit: strings.Repeat("b", 40), License: "MIT", CreatedAt: stamp(w.clock),
	})
}

// opened is a world whose campaign is open since a moment ago.
func opened(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.announce()
	w.at(noon.Add(time.Hour))
	w.wantPhase("open")
	return w
}

func pledgeOf(hold ledger.HoldID) syntax.ATURI {
	return syntax.ATURI("at://" + payerOf(hold).String() + "/fund.stratos.feature.pledge/" + string(syntax.NewTID(int64(hold[1]), 0)))
}

// payerOf: each hold has a payer of its own.
func payerOf(hold ledger.HoldID) syntax.DID {
	return syntax.DID("did:plc:" + strings.Repeat(string("abcdefghij"[hold[1]-'0']), 24))
}

// pledge begins the checkout of a pledge.
func (w *world) pledge(hold ledger.HoldID, amount int64) {
	w.t.Helper()
	r := w.put(payerOf(hold), pledgeOf(hold).RecordKey(), &stratos.FeaturePledge{
		LexiconTypeID: lexicons.CollectionPledge.String(), Proposal: w.ref(proposal), Development: w.ref(development),
		Escrow: escrowDID.String(), Value: stratos.Defs_Money{Amount: amount, Currency: "USD"}, CreatedAt: stamp(w.clock),
	})
	c := w.campaign()
	w.do(func(ctx context.Context, tx *store.Tx) error {
		err := w.repo.PinReceipt(ctx, tx, repo.Pin{
			Pledge: r.URI(), Development: c.Development, Proposal: c.Proposal, Terms: c.Terms, HeldUntil: c.FinalAt,
		})
		if err != nil {
			return err
		}
		return w.ledger.OpenHold(ctx, tx, ledger.Checkout{
			Hold: hold, Pledge: r.URI(), CID: syntax.CID(r.CID), Attempt: c.Attempt, Value: money.Money{Amount: amount, Currency: "USD"},
		})
	})
	w.sessions[hold] = false
}

// paid is a pledge whose charge came.
func (w *world) paid(hold ledger.HoldID, amount int64) {
	w.t.Helper()
	w.pledge(hold, amount)
	delete(w.sessions, hold)
	w.charge(hold, amount)
}

// charge tells of a charge as the checkout does: where pledging has ended it is late.
func (w *world) charge(hold ledger.HoldID, amount int64) {
	w.t.Helper()
	f := w.chargeOf(hold, amount)
	w.do(func(ctx context.Context, tx *store.Tx) error {
		h, err := ledger.LoadHold(ctx, tx, hold)
		if err != nil {
			return err
		}
		c, err := campaign.Load(ctx, tx, h.Attempt)
		if err != nil {
			return err
		}
		if c.Phase != lifecycle.PhaseOpen {
			f.Return = ledger.ReasonLate
		}
		return w.ledger.Charge(ctx, tx, f)
	})
}

// passes are the checks of a release with which all is well.
func passes(r checks.Release) (checks.Report, error) {
	return checks.Report{
		Checks: []checks.Check{{Name: checks.CommitPresent, Passed: true, Evidence: "It is on main.", CheckedAt: noon}, {Name: checks.TreeMatches, Passed: true, CheckedAt: noon}},
		Copy:   &checks.Copy{Commit: plumbing.NewHash(r.Commit)},
	}, nil
}

// withoutTree are those of one whose preview had committed to nothing.
func withoutTree(r checks.Release) (checks.Report, error) {
	report, err := passes(r)
	report.Checks = report.Checks[:1]
	return report, err
}

// fails are those of one without a licence.
func fails(checks.Release) (checks.Report, error) {
	return checks.Report{Checks: []checks.Check{{Name: checks.LicenseOpen, Evidence: "There is no LICENSE.", CheckedAt: noon}}}, nil
}

// Check is the checker's word.
func (w *world) Check(_ context.Context, r checks.Release, _ *checks.Commitment) (checks.Report, error) {
	return w.verdict(r)
}

// Prepare is told before there is anything to check.
func (w *world) Prepare() { w.prepared++ }

// Keep, Remove, Whole and Keys are the mirror.
func (w *world) Keep(_ context.Context, key ledger.AttemptKey, source mirror.Source) error {
	if kept, ok := w.mirrored[key]; ok && kept != source.Commit.String() {
		return mirror.ErrOtherCommit
	}
	w.mirrored[key] = source.Commit.String()
	return nil
}

func (w *world) Remove(key ledger.AttemptKey) error {
	delete(w.mirrored, key)
	return nil
}

func (w *world) Whole(key ledger.AttemptKey, commit plumbing.Hash) (bool, error) {
	return w.mirrored[key] == commit.String(), nil
}

func (w *world) Keys() ([]ledger.AttemptKey, error) {
	return slices.Collect(maps.Keys(w.mirrored)), nil
}

// examined lets the checks come to their end, and the driver see it.
func (w *world) examined() {
	w.t.Helper()
	w.ok(w.examiner.Pass(w.t.Context()))
	w.pass(time.Second)
}

// released is a world whose release was accepted a moment ago, with two pledges.
func released(t *testing.T) *world {
	t.Helper()
	w := opened(t)
	w.paid("h1", 2500)
	w.paid("h2", 1000)
	w.at(closesAt)
	w.release()
	w.pass(time.Second)
	w.wantPhase("checking")
	w.examined()
	w.wantPhase("verifying")
	return w
}

// settling is one whose payees are about to be paid.
func settling(t *testing.T) *world {
	t.Helper()
	w := released(t)
	w.at(w.campaign().Accepted.EndsAt)
	w.wantPhase("settling")
	return w
}

// transferred lets the processor do what is due to a payee out of a hold.
func (w *world) transferred(hold ledger.HoldID, payee syntax.DID) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error {
		amount, err := w.ledger.RequestTransfer(ctx, tx, hold, payee)
		if err != nil {
			return err
		}
		w.moved++
		return w.ledger.Transfer(ctx, tx, ledger.TransferObject{
			ID: fmt.Sprintf("tr_%03d", w.moved), Hold: hold, Payee: payee, Settled: true,
			Created: ledger.Transaction{ID: fmt.Sprintf("txn_%03d", w.moved), Amount: -amount, Currency: "USD"},
		})
	})
}

// dispute is a record of somebody about the release.
func (w *world) dispute(by syntax.DID, reason string) syntax.ATURI {
	w.t.Helper()
	return w.put(by, rkey, &stratos.FeatureDispute{
		LexiconTypeID: lexicons.CollectionDispute.String(), Proposal: w.campaign().Proposal,
		Release: comatproto.RepoStrongRef{Uri: uriOf(ann, lexicons.CollectionRelease).String(), Cid: w.campaign().Preview.Cid},
		Reason:  reason, Statement: "It is something else.", CreatedAt: stamp(w.clock),
	}).URI()
}

// rule is the operator's word about a dispute.
func (w *world) rule(dispute syntax.ATURI, outcome lifecycle.Outcome) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error {
		d, err := campaign.LoadDispute(ctx, tx, dispute)
		if err != nil {
			return err
		}
		_, err = campaign.Rule(ctx, tx, campaign.Ruling{Dispute: d.Ref(), Outcome: outcome, Rationale: "I looked."})
		return err
	})
}

// disputes shows how each dispute stands.
func (w *world) disputes() string {
	w.t.Helper()
	var out []string
	w.read(func(ctx context.Context, q sqlite.Querier) error {
		list, err := campaign.DisputesOf(ctx, q, ledger.AttemptOf(development))
		for _, d := range list {
			s := "standing"
			if !d.Stands() {
				s = string(d.Ended)
			}
			if d.ByDefault {
				s += " by default"
			}
			out = append(out, s)
		}
		return err
	})
	return strings.Join(out, ", ")
}

// refunded lets the processor do what is due of a hold.
func (w *world) refunded(hold ledger.HoldID, amount int64) {
	w.t.Helper()
	w.moved++
	taken := ledger.Transaction{ID: fmt.Sprintf("txn_%03d", w.moved), Amount: -amount, Currency: "USD"}
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.ledger.Refund(ctx, tx, ledger.RefundObject{ID: "re_" + string(hold), Hold: hold, Amount: amount, Status: ledger.RefundSucceeded, Taken: &taken})
	})
}

// returned is a refund that came back from the payer's bank.
func (w *world) returned(hold ledger.HoldID, amount int64) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.ledger.RefuseRefund(ctx, tx, hold, "1") })
}

func (w *world) campaign() (c campaign.Campaign) {
	w.t.Helper()
	w.read(func(ctx context.Context, q sqlite.Querier) (err error) {
		c, err = campaign.LoadByDevelopment(ctx, q, development)
		return err
	})
	return c
}

// phase is where the campaign stands, with its reason; empty when there is none.
func (w *world) phase() (phase string) {
	w.t.Helper()
	w.read(func(ctx context.Context, q sqlite.Querier) error {
		c, err := campaign.LoadByDevelopment(ctx, q, development)
		if errors.Is(err, campaign.ErrNotFound) {
			return nil
		}
		phase = string(c.Phase)
		if c.Reason != "" {
			phase += "(" + string(c.Reason) + ")"
		}
		return err
	})
	return phase
}

func (w *world) wantPhase(want string) {
	w.t.Helper()
	if got := w.phase(); got != want {
		w.t.Fatalf("the campaign is %q, want %q", got, want)
	}
}

// obstacles shows what stands against the opening.
func (w *world) obstacles() string {
	w.t.Helper()
	var out []string
	w.read(func(ctx context.Context, q sqlite.Querier) error {
		o, err := campaign.LoadOpening(ctx, q, development)
		if errors.Is(err, campaign.ErrNotFound) {
			return nil
		}
		for _, obstacle := range o.Obstacles {
			out = append(out, string(obstacle.Kind))
		}
		return err
	})
	return strings.Join(out, " ")
}

// wantReceipt wants the history of a pledge's receipt.
func (w *world) wantReceipt(hold ledger.HoldID, want string) {
	w.t.Helper()
	var out []string
	w.read(func(ctx context.Context, q sqlite.Querier) error {
		r, err := ledger.ReceiptState(ctx, q, pledgeOf(hold))
		for _, c := range r.History {
			s := string(c.Status)
			if c.Reason != "" {
				s += "(" + string(c.Reason) + ")"
			}
			out = append(out, s)
		}
		return err
	})
	if got := strings.Join(out, " "); got != want {
		w.t.Errorf("the receipt of %s says %q, want %q", hold, got, want)
	}
}

// record is the campaign's record, as every reader checks it.
func (w *world) record() *stratos.EscrowCampaign {
	w.t.Helper()
	var view repo.View
	w.read(func(ctx context.Context, q sqlite.Querier) (err error) {
		view, err = w.repo.Campaign(ctx, q, development)
		return err
	})
	record, err := lexicons.ParseRecordJSON(escrowDID, lexicons.CollectionCampaign, view.URI.RecordKey(), view.JSON)
	w.ok(err)
	return record.(*stratos.EscrowCampaign)
}

// wanted counts what the campaign's record was to say so far.
func (w *world) wanted() (n int64) {
	w.t.Helper()
	w.read(func(ctx context.Context, q sqlite.Querier) error {
		return q.QueryRowContext(ctx, `SELECT coalesce(sum(wanted), 0) FROM outbox WHERE collection = 'fund.stratos.escrow.campaign'`).Scan(&n)
	})
	return n
}

// unpayable is what the processor says of somebody who has not finished.
func unpayable(did syntax.DID) error {
	return &payee.UnpayableError{Payee: did, Against: []payments.Obstacle{payments.ObstacleOnboarding}}
}

// Shorter names for what tests replace.
type (
	querier = sqlite.Querier
	uriT    = syntax.ATURI
	didT    = syntax.DID
)

const lifecycleTolerance = lifecycle.FutureTolerance

// deleted is an account that is gone for good: the stream told, and its PDS said so.
func (w *world) deleted(did syntax.DID) {
	w.t.Helper()
	clear(w.repos[did])
	w.revs++
	_, err := w.index.Apply(w.t.Context(), "https://relay.example.org", w.revs, []index.Change{{Kind: index.ChangeAccount, DID: did, Status: index.AccountDeleted}})
	w.ok(err)
	due, err := w.index.DueSweeps(w.t.Context(), w.clock.Add(day), 100)
	w.ok(err)
	for _, d := range due {
		if d.DID == did {
			_, err := w.index.Sweep(w.t.Context(), d, index.Swept{Status: index.AccountDeleted})
			w.ok(err)
		}
	}
}

// campaignTotals are those of now.
func (w *world) campaignTotals() (t campaign.Totals) {
	w.t.Helper()
	w.read(func(ctx context.Context, q sqlite.Querier) (err error) {
		t, err = campaign.TotalsOf(ctx, q, ledger.AttemptOf(development))
		return err
	})
	return t
}
