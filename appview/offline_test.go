package appview_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/appview"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/reposync"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/xrpc"
)

// The people of an offline index.
const (
	alice  syntax.DID = "did:plc:alice"
	bob    syntax.DID = "did:plc:bob" // develops
	carol  syntax.DID = "did:plc:carol"
	mallet syntax.DID = "did:plc:mallet"
	broker syntax.DID = "did:plc:broker" // an escrow that is trusted
)

// offline is an index without a network, and the service on it. Its clock stands
// until it is set.
type offline struct {
	t       rapid.TB
	store   *store.Store
	api     *appview.API
	server  *xrpc.Server
	reads   *xrpc.Server // reads all of each answer from the index
	answers *appview.Answers
	metrics *prometheus.Registry
	repos   map[syntax.DID]map[syntax.ATURI]store.Record
	roots   map[syntax.DID]string // of the repositories, as the index knows them
	seq     int64
	revs    int
	// statements counts those that were read by.
	statements atomic.Int64

	mu sync.Mutex
	at time.Time
}

var (
	// offlineBegins is what the clock of an offline index shows first.
	offlineBegins = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	offlinePolicy = lifecycle.Policy{TrustedEscrows: []syntax.DID{broker}}
	offlineCID    = cid.NewPrefixV1(cid.DagCBOR, multihash.SHA2_256)
)

func newOffline(t testing.TB) *offline {
	t.Helper()
	o := openOffline(t, t.TempDir(), true)
	t.Cleanup(o.close)
	return o
}

// openOffline is for those who close it themselves, and may do without a check of each
// answer against its lexicon.
func openOffline(t rapid.TB, dir string, check bool) *offline {
	t.Helper()
	o := &offline{
		t: t, metrics: prometheus.NewRegistry(), repos: map[syntax.DID]map[syntax.ATURI]store.Record{}, roots: map[syntax.DID]string{},
		at: offlineBegins,
	}
	path := filepath.Join(dir, "index.db")
	empty, err := emptyIndex()
	if err == nil {
		err = os.WriteFile(path, empty, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	o.store, err = store.Open(context.Background(), store.Config{Path: path, Policy: offlinePolicy},
		store.Options{Log: slog.New(slog.DiscardHandler), Clock: o.clock, Query: func(string) { o.statements.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	if o.answers, err = appview.NewAnswers(o.store, o.metrics); err != nil {
		t.Fatal(err)
	}
	if o.api, err = appview.New(o.store, offlinePolicy, o.metrics); err != nil {
		t.Fatal(err)
	}
	o.server = o.serve(o.api, xrpc.Options{Answers: o.answers, CheckOutput: check})
	o.reads = o.serve(appview.NewForgetful(o.store, offlinePolicy), xrpc.Options{})
	return o
}

func (o *offline) serve(api *appview.API, opts xrpc.Options) *xrpc.Server {
	o.t.Helper()
	opts.Catalog, opts.Methods, opts.MapError, opts.Now = lexicons.Catalog(), appview.Methods(), appview.WireError, o.clock
	opts.Log = slog.New(slog.NewTextHandler(testWriter{o.t}, &slog.HandlerOptions{Level: slog.LevelError}))
	s, err := xrpc.New(xrpc.Config{PublicURL: "http://localhost:8080"}, opts)
	if err != nil {
		o.t.Fatal(err)
	}
	api.Register(s)
	return s
}

// emptyIndex is the file of an index without records: to migrate one for each test
// takes longer than most tests.
var emptyIndex = sync.OnceValues(func() (file []byte, err error) {
	dir, err := os.MkdirTemp("", "offline")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "index.db")
	st, err := store.Open(context.Background(), store.Config{Path: path, Policy: offlinePolicy},
		store.Options{Log: slog.New(slog.DiscardHandler), Clock: func() time.Time { return offlineBegins }})
	if err != nil {
		return nil, err
	}
	if err := st.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func (o *offline) close() {
	if err := o.store.Close(); err != nil {
		o.t.Fatal(err)
	}
}

func (o *offline) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.at
}

func (o *offline) set(at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.at = at
}

// put writes records, and fetches the repositories that they are in whole.
func (o *offline) put(records ...store.Record) {
	o.t.Helper()
	touched := map[syntax.DID]bool{}
	for _, r := range records {
		o.write(r)
		touched[r.DID] = true
	}
	for did := range touched {
		o.fetch(did)
	}
}

// write gives a record to its repository, of which the index knows nothing yet.
func (o *offline) write(r store.Record) {
	if o.repos[r.DID] == nil {
		o.repos[r.DID] = map[syntax.ATURI]store.Record{}
	}
	o.repos[r.DID][r.URI()] = r
}

// fetch makes the index hold what the account's repository does: it tells that
// something happened which the index missed.
func (o *offline) fetch(did syntax.DID) {
	o.t.Helper()
	o.apply(store.Change{Kind: store.ChangeCommit, DID: did, Rev: o.rev(), PrevData: "missed", Data: "told", Track: true})
	due, _, err := o.store.DueResyncs(context.Background(), 10)
	if err != nil {
		o.t.Fatal(err)
	}
	i := slices.IndexFunc(due, func(r store.Resync) bool { return r.DID == did })
	if i < 0 {
		o.t.Fatalf("%s is not to be fetched", did)
	}
	o.roots[did] = fmt.Sprint("fetched ", o.revs)
	_, more, err := o.store.ReplaceRepo(context.Background(), store.Replacement{
		DID: did, Rev: o.rev(), Data: o.roots[did], Records: slices.Collect(maps.Values(o.repos[did])), Wanted: due[i].Wanted,
	})
	o.derive(more, err)
}

// commit is the next commit of an account, which is followed from its first on. Of a
// hidden one the index hears nothing.
func (o *offline) commit(did syntax.DID, records ...store.Record) {
	o.t.Helper()
	if o.roots[did] == "" {
		o.fetch(did)
	}
	for _, r := range records {
		o.write(r)
	}
	before := o.roots[did]
	o.roots[did] = fmt.Sprint("committed ", o.revs)
	o.apply(store.Change{Kind: store.ChangeCommit, DID: did, Rev: o.rev(), Data: o.roots[did], PrevData: before, Puts: records})
}

// status is what the stream tells of an account. Who comes back is fetched anew.
func (o *offline) status(did syntax.DID, status store.AccountStatus) {
	o.t.Helper()
	o.apply(store.Change{Kind: store.ChangeAccount, DID: did, Status: status})
	if status == store.AccountActive && o.roots[did] != "" {
		o.fetch(did)
	}
}

func (o *offline) apply(c store.Change) {
	o.t.Helper()
	o.seq++
	applied, err := o.store.Apply(context.Background(), "upstream", o.seq, []store.Change{c})
	o.derive(applied.MoreStale, err)
}

func (o *offline) derive(more bool, err error) {
	o.t.Helper()
	for err == nil && more {
		more, err = o.store.DeriveStale(context.Background())
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

// rev is later than all before.
func (o *offline) rev() syntax.TID {
	o.revs++
	return syntax.NewTIDFromTime(offlineBegins.Add(time.Duration(o.revs)*time.Second), 0)
}

// get calls a method as the public.
func (o *offline) get(method syntax.NSID, query url.Values, into any) (status int) {
	o.t.Helper()
	w := o.ask(context.Background(), method, query.Encode())
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		o.t.Fatalf("%s answers %q: %v", method, w.Body, err)
	}
	return w.Code
}

// ask calls a method over HTTP, where answers are kept.
func (o *offline) ask(ctx context.Context, method syntax.NSID, query string, header ...string) *httptest.ResponseRecorder {
	return ask(ctx, o.server, method, query, header...)
}

func ask(ctx context.Context, s *xrpc.Server, method syntax.NSID, query string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/xrpc/"+method.String(), nil)
	r.URL.RawQuery = query
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// mustGet is get for what has to succeed.
func mustGet[O any](o *offline, method syntax.NSID, query url.Values) O {
	o.t.Helper()
	return mustGetAs[O](o, "", method, query)
}

// mustGetAs is mustGet for an account, of which nothing is kept; for nobody if that is empty.
func mustGetAs[O any](o *offline, by syntax.DID, method syntax.NSID, query url.Values) O {
	o.t.Helper()
	ctx, server := context.Background(), o.server
	if by != "" {
		ctx, server = xrpc.WithViewer(ctx, by), o.reads
	}
	var body struct {
		Error, Message string
	}
	w := ask(ctx, server, method, query.Encode())
	var out O
	if w.Code != http.StatusOK {
		_ = json.Unmarshal(w.Body.Bytes(), &body) // what is no JSON shows below as well
		o.t.Fatalf("%s?%s: %d %s %s", method, query.Encode(), w.Code, body.Error, body.Message)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		o.t.Fatal(err)
	}
	return out
}

// fields are those of a record.
type fields map[string]any

// record makes one, written some minutes after the clock's beginning.
func (o *offline) record(by syntax.DID, collection syntax.NSID, rkey syntax.RecordKey, minute int, f fields) store.Record {
	o.t.Helper()
	f = maps.Clone(f)
	if collection == lexicons.CollectionCampaign || collection == lexicons.CollectionReceipt {
		f["updatedAt"] = minuteOf(minute)
	}
	return o.recordAt(by, collection, rkey, offlineBegins.Add(time.Duration(minute)*time.Minute), f)
}

// recordAt makes a record that was written at a moment.
func (o *offline) recordAt(by syntax.DID, collection syntax.NSID, rkey syntax.RecordKey, created time.Time, f fields) store.Record {
	o.t.Helper()
	f = maps.Clone(f)
	f["$type"], f["createdAt"] = collection.String(), created.Format(syntax.AtprotoDatetimeLayout)
	asJSON, err := json.Marshal(f)
	if err != nil {
		o.t.Fatal(err)
	}
	return o.parse(by, collection, rkey, asJSON)
}

// parse makes a record of its JSON.
func (o *offline) parse(by syntax.DID, collection syntax.NSID, rkey syntax.RecordKey, asJSON []byte) store.Record {
	o.t.Helper()
	data, err := atdata.UnmarshalJSON(asJSON)
	if err != nil {
		o.t.Fatal(err)
	}
	raw, err := atdata.MarshalCBOR(data)
	if err != nil {
		o.t.Fatal(err)
	}
	c, err := offlineCID.Sum(raw)
	if err != nil {
		o.t.Fatal(err)
	}
	r, err := store.ParseRecord(by, reposync.Record{Collection: collection, RKey: rkey, CID: c, Value: raw})
	if err != nil {
		o.t.Fatal(err)
	}
	if r.Invalid != nil {
		o.t.Fatalf("the test made an invalid record: %v", r.Invalid)
	}
	return r
}

func minuteOf(minute int) string {
	return offlineBegins.Add(time.Duration(minute) * time.Minute).Format(syntax.AtprotoDatetimeLayout)
}

// tid is the n-th record key.
func tid(n int) syntax.RecordKey {
	return syntax.RecordKey(syntax.NewTIDFromTime(offlineBegins.Add(time.Duration(n)*time.Second), 0))
}

func refTo(r store.Record) fields { return fields{"uri": r.URI().String(), "cid": r.CID} }

func dollars(cents int64) fields { return fields{"amount": cents, "currency": "USD"} }

// proposal is one to bob.
func (o *offline) proposal(by syntax.DID, n, minute int, title, description string) store.Record {
	return o.record(by, lexicons.CollectionProposal, tid(n), minute, fields{
		"title": title, "description": description,
		"subject": fields{"$type": "fund.stratos.feature.proposal#accountSubject", "did": bob.String()},
	})
}

func (o *offline) development(by syntax.DID, n, minute int, proposal store.Record) store.Record {
	return o.record(by, lexicons.CollectionDevelopment, tid(n), minute, fields{
		"proposal": refTo(proposal), "title": "It", "summary": "All of it.", "currency": "USD", "escrow": broker.String(),
	})
}

// payment is a pledge or a donation.
func (o *offline) payment(by syntax.DID, collection syntax.NSID, n, minute int, proposal, work store.Record, cents int64) store.Record {
	return o.record(by, collection, tid(n), minute, fields{
		"proposal": refTo(proposal), "development": refTo(work), "value": dollars(cents), "escrow": broker.String(),
	})
}

func (o *offline) receipt(subject, work store.Record, minute int, cents int64, status string) store.Record {
	return o.record(broker, lexicons.CollectionReceipt, lexicons.DerivedKey(subject.URI()), minute, fields{
		"subject": refTo(subject), "development": refTo(work), "terms": o.terms(), "payer": subject.DID.String(), "value": dollars(cents),
		"status": status, "history": []fields{{"status": status, "at": minuteOf(minute)}},
	})
}

// campaign is one whose release is being verified.
func (o *offline) campaign(proposal, work store.Record, minute int) store.Record {
	part := func(collection syntax.NSID) fields {
		return fields{"uri": "at://" + work.DID.String() + "/" + collection.String() + "/" + work.RKey.String(), "cid": work.CID}
	}
	return o.record(broker, lexicons.CollectionCampaign, lexicons.DerivedKey(work.URI()), minute, fields{
		"development": refTo(work), "preview": part(lexicons.CollectionPreview), "proposal": refTo(proposal), "terms": o.terms(),
		"author": work.DID.String(), "title": "It", "payees": []fields{{"did": work.DID.String(), "share": 10_000}}, "currency": "USD",
		"opensAt": minuteOf(minute), "closesAt": minuteOf(minute + 1), "releaseBy": minuteOf(minute + 2), "finalAt": minuteOf(60 * 24 * 60),
		"phase": "verifying", "release": part(lexicons.CollectionRelease), "acceptedAt": minuteOf(minute + 2),
		"verificationEndsAt": minuteOf(14 * 24 * 60),
	})
}

func (o *offline) terms() fields {
	return fields{
		"uri": "at://" + broker.String() + "/" + lexicons.CollectionTerms.String() + "/" + tid(0).String(),
		"cid": "bafyreiew3tj3dw3vf5lpo56lezuvcucfxhwrwuqvxrnazseqii3w2gn42q",
	}
}

// about is a record on the release of some work.
func (o *offline) about(by syntax.DID, collection syntax.NSID, n, minute int, proposal, work store.Record) store.Record {
	f := fields{"release": fields{
		"uri": "at://" + work.DID.String() + "/" + lexicons.CollectionRelease.String() + "/" + work.RKey.String(), "cid": work.CID,
	}}
	switch collection {
	case lexicons.CollectionDispute:
		f["proposal"], f["reason"], f["statement"] = refTo(proposal), "source-mismatch", "It is another program."
	case lexicons.CollectionVerification:
		f["matches"] = true
	}
	return o.record(by, collection, tid(n), minute, f)
}

// life is an attempt of bob at a proposal of carol whose release alice disputes.
// Each kind of record about it is there twice.
type life struct {
	*offline
	proposal, work, pledge, wish, donation, dispute store.Record
}

func newLife(t testing.TB) life {
	t.Helper()
	l := life{offline: newOffline(t)}
	l.proposal = l.offline.proposal(carol, 1, -60, "Dark mode", "For eyes.")
	l.work = l.development(bob, 1, -59, l.proposal)
	l.pledge = l.payment(alice, lexicons.CollectionPledge, 1, -50, l.proposal, l.work, 1000)
	l.wish = l.payment(carol, lexicons.CollectionPledge, 2, -49, l.proposal, l.work, 2000)
	l.donation = l.payment(alice, lexicons.CollectionDonation, 1, -58, l.proposal, l.work, 300)
	l.dispute = l.about(alice, lexicons.CollectionDispute, 1, -20, l.proposal, l.work)
	l.put(
		l.proposal, l.work, l.pledge, l.wish, l.donation, l.dispute,
		l.payment(carol, lexicons.CollectionDonation, 2, -57, l.proposal, l.work, 400),
		l.about(carol, lexicons.CollectionDispute, 2, -19, l.proposal, l.work),
		l.about(alice, lexicons.CollectionVerification, 1, -30, l.proposal, l.work),
		l.about(carol, lexicons.CollectionVerification, 2, -29, l.proposal, l.work),
		l.development(mallet, 1, -56, l.proposal), // nobody asked
	)
	l.put(
		l.campaign(l.proposal, l.work, -55),
		l.receipt(l.pledge, l.work, -45, 1000, "held"),
		l.receipt(l.donation, l.work, -44, 300, "paid"),
	)
	return l
}

func (l life) uri() url.Values { return url.Values{"uri": {l.proposal.URI().String()}} }
