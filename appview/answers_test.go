package appview_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
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

// island is an index without a network, and the methods on it.
type island struct {
	t       rapid.TB
	clock   func() time.Time
	set     func(time.Time)
	store   *store.Store
	server  *xrpc.Server
	metrics *prometheus.Registry
	commits map[syntax.DID]int
	seq     int64
}

var islandBegins = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newIsland(t rapid.TB, dir string) *island {
	is := &island{t: t, commits: map[syntax.DID]int{}, metrics: prometheus.NewRegistry()}
	var mu sync.Mutex
	now := islandBegins
	is.clock = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	is.set = func(at time.Time) { mu.Lock(); defer mu.Unlock(); now = at }
	var err error
	is.store, err = store.Open(context.Background(), store.Config{Path: filepath.Join(dir, "index.db"), Policy: islandPolicy},
		store.Options{Log: slog.New(slog.DiscardHandler), Clock: is.clock})
	if err != nil {
		t.Fatal(err)
	}
	answers, err := appview.NewAnswers(is.store, is.metrics)
	if err != nil {
		t.Fatal(err)
	}
	is.server, err = xrpc.New(xrpc.Config{PublicURL: "http://localhost:8080"}, xrpc.Options{
		Catalog: lexicons.Catalog(), Methods: appview.Methods(), MapError: appview.WireError, Answers: answers, Now: is.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	appview.New(is.store, islandPolicy).Register(is.server)
	return is
}

func (is *island) close() {
	if err := is.store.Close(); err != nil {
		is.t.Fatal(err)
	}
}

func (is *island) apply(c store.Change) {
	is.seq++
	applied, err := is.store.Apply(context.Background(), "upstream", is.seq, []store.Change{c})
	for err == nil && applied.MoreStale {
		applied.MoreStale, err = is.store.DeriveStale(context.Background())
	}
	if err != nil {
		is.t.Fatal(err)
	}
}

func (is *island) rev(n int) syntax.TID {
	return syntax.NewTIDFromTime(islandBegins.Add(time.Duration(n)*time.Second), 0)
}

// commit is the next commit of an account, which is followed from its first on.
func (is *island) commit(did syntax.DID, puts []store.Record, deletes ...syntax.ATURI) {
	n := is.commits[did]
	if n == 0 {
		is.apply(store.Change{Kind: store.ChangeCommit, DID: did, Rev: is.rev(0), Track: true})
		is.replace(did, 0)
	}
	is.commits[did] = n + 1
	is.apply(store.Change{
		Kind: store.ChangeCommit, DID: did, Rev: is.rev(n + 1), Data: fmt.Sprint(n + 1), PrevData: fmt.Sprint(n), Puts: puts, Deletes: deletes,
	})
}

// replace makes an empty repository of an account that waits to be fetched.
func (is *island) replace(did syntax.DID, n int) {
	due, _, err := is.store.DueResyncs(context.Background(), 10)
	if err != nil {
		is.t.Fatal(err)
	}
	for _, d := range due {
		if d.DID != did {
			continue
		}
		_, more, err := is.store.ReplaceRepo(context.Background(), store.Replacement{DID: did, Rev: is.rev(n), Data: fmt.Sprint(n), Wanted: d.Wanted})
		for err == nil && more {
			more, err = is.store.DeriveStale(context.Background())
		}
		if err != nil {
			is.t.Fatal(err)
		}
	}
}

var islandCID = cid.NewPrefixV1(cid.DagCBOR, multihash.SHA2_256)

func (is *island) record(did syntax.DID, collection syntax.NSID, rkey string, created time.Time, value map[string]any) store.Record {
	value["$type"], value["createdAt"] = collection.String(), created.Format(syntax.AtprotoDatetimeLayout)
	raw, err := atdata.MarshalCBOR(value)
	if err != nil {
		is.t.Fatal(err)
	}
	c, err := islandCID.Sum(raw)
	if err != nil {
		is.t.Fatal(err)
	}
	r, err := store.ParseRecord(did, reposync.Record{Collection: collection, RKey: syntax.RecordKey(rkey), CID: c, Value: raw})
	if err == nil && r.Invalid != nil {
		err = r.Invalid
	}
	if err != nil {
		is.t.Fatal(err)
	}
	return r
}

// get asks over HTTP, where answers are kept.
func (is *island) get(method, query string, header ...string) (status int, body string) {
	r := httptest.NewRequest(http.MethodGet, "/xrpc/"+method+"?"+query, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	is.server.Handler().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// fresh asks the method itself.
func (is *island) fresh(method, query string) (status int, body string) {
	b, err := is.server.Ask(context.Background(), syntax.NSID(method), query)
	if err != nil {
		e := appview.WireError(err)
		if e == nil && !errors.As(err, &e) {
			is.t.Fatal(err)
		}
		b, err = json.Marshal(map[string]string{"error": e.Name, "message": e.Message})
		if err != nil {
			is.t.Fatal(err)
		}
		return e.Status, string(b)
	}
	return http.StatusOK, string(b)
}

var cursorField = regexp.MustCompile(`"cursor":"([^"]*)"`)

// timeless takes the moment out of the cursor of a list, which is the one thing
// in an answer that may differ while the answer holds.
func timeless(body string) string {
	found := cursorField.FindStringSubmatch(body)
	if found == nil {
		return body
	}
	raw, err := base64.RawURLEncoding.DecodeString(found[1])
	if err != nil {
		return body
	}
	raw = regexp.MustCompile(`"n":\d+`).ReplaceAll(raw, []byte(`"n":0`))
	return strings.Replace(body, found[0], string(raw), 1)
}

func (is *island) from(where string) float64 {
	families, err := is.metrics.Gather()
	if err != nil {
		is.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "stratos_appview_answers_total" && m.GetLabel()[0].GetValue() == where {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

var (
	islanders = []syntax.DID{"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"}
	// islandPolicy trusts one of them as an escrow.
	islandPolicy = lifecycle.Policy{TrustedEscrows: islanders[1:]}
	// ages are how long ago records say they were written: long before what they
	// begin has lapsed or just so, now, and ahead of time.
	ages = []time.Duration{
		180*24*time.Hour - 2*time.Second, 180*24*time.Hour - time.Minute, time.Hour, 0, -4 * time.Minute,
		-5*time.Minute - time.Second, -5*time.Minute - 90*time.Second, -time.Hour,
	}
	// passing is how the clock moves.
	passing = []time.Duration{0, time.Millisecond, time.Second, 89 * time.Second, 5 * time.Minute, time.Hour, 25 * time.Hour}
)

// islandRecord draws a record for one of few places.
func (is *island) islandRecord(t *rapid.T) store.Record {
	by := rapid.SampledFrom(islanders).Draw(t, "by")
	other := rapid.SampledFrom(islanders).Draw(t, "other")
	created := is.clock().Add(-rapid.SampledFrom(ages).Draw(t, "age"))
	strong := func(collection syntax.NSID, of syntax.DID) map[string]any {
		return map[string]any{
			"uri": fmt.Sprintf("at://%s/%s/3l6ovf2k7dk2a", of, collection),
			"cid": "bafyreiew3tj3dw3vf5lpo56lezuvcucfxhwrwuqvxrnazseqii3w2gn42q",
		}
	}
	key := rapid.SampledFrom([]string{"3l6ovf2k7dk2a", "3l6ovf2k7dk2b"}).Draw(t, "key")
	switch rapid.IntRange(0, 13).Draw(t, "kind") {
	case 0:
		return is.record(by, lexicons.CollectionProject, "p", created, map[string]any{
			"name": "Project", "maintainers": []any{map[string]any{"did": other.String()}},
			"uris": []any{map[string]any{"uri": "https://island.example", "kind": "website"}},
		})
	case 10, 11:
		return is.islandCampaign(t, created, strong(lexicons.CollectionDevelopment, other), strong(lexicons.CollectionPreview, other),
			strong(lexicons.CollectionProposal, by), strong(lexicons.CollectionTerms, islanders[1]), other)
	case 12:
		return is.islandReceipt(t, created, strong(lexicons.CollectionPledge, other), strong(lexicons.CollectionDevelopment, by),
			strong(lexicons.CollectionTerms, islanders[1]), other)
	case 13:
		return is.record(by, lexicons.CollectionPledge, "3l6ovf2k7dk2a", created, map[string]any{
			"proposal": strong(lexicons.CollectionProposal, other), "development": strong(lexicons.CollectionDevelopment, other),
			"escrow": islanders[1].String(), "value": map[string]any{"amount": int64(500), "currency": "USD"},
		})
	case 1, 2, 3:
		return is.record(by, lexicons.CollectionProposal, "3l6ovf2k7dk2a", created, map[string]any{
			"title": rapid.SampledFrom([]string{"Dark <mode>", "Offline"}).Draw(t, "title"), "description": "x", "tags": []any{"ui"},
			"subject": map[string]any{
				"$type":   "fund.stratos.feature.proposal#projectSubject",
				"project": fmt.Sprintf("at://%s/%s/p", islanders[0], lexicons.CollectionProject),
			},
		})
	case 4, 5:
		return is.record(by, lexicons.CollectionEstimate, key, created, map[string]any{
			"proposal": strong(lexicons.CollectionProposal, other),
			"value":    map[string]any{"amount": rapid.Int64Range(1, 9000).Draw(t, "amount"), "currency": "USD"},
		})
	case 6, 7:
		return is.record(by, lexicons.CollectionDevelopment, key, created, map[string]any{
			"proposal": strong(lexicons.CollectionProposal, other), "title": "x", "summary": "x", "currency": "USD", "escrow": other.String(),
			"goal": map[string]any{"amount": int64(1000), "currency": "USD"},
		})
	case 8:
		return is.record(by, lexicons.CollectionResponse, key, created, map[string]any{
			"proposal": strong(lexicons.CollectionProposal, other), "answer": rapid.SampledFrom([]string{"planned", "declined"}).Draw(t, "answer"),
		})
	default:
		return is.record(by, lexicons.CollectionCancellation, "3l6ovf2k7dk2a", created, map[string]any{
			"development": strong(lexicons.CollectionDevelopment, by),
		})
	}
}

// islandCampaign is one whose dates are near.
func (is *island) islandCampaign(t *rapid.T, created time.Time, development, preview, proposal, terms map[string]any, author syntax.DID) store.Record {
	opens := is.clock().Add(rapid.SampledFrom([]time.Duration{-time.Hour, -time.Minute, time.Second}).Draw(t, "opens"))
	stamp := func(after time.Duration) string { return opens.Add(after).Format(syntax.AtprotoDatetimeLayout) }
	key := lexicons.DerivedKey(syntax.ATURI(development["uri"].(string)))
	return is.record(islanders[1], lexicons.CollectionCampaign, key.String(), created, map[string]any{
		"development": development, "preview": preview, "proposal": proposal, "terms": terms, "author": author.String(), "title": "x",
		"payees": []any{map[string]any{"did": author.String(), "share": int64(10_000), "account": "acct_1"}}, "currency": "USD",
		"opensAt": stamp(0), "closesAt": stamp(time.Minute + time.Second), "releaseBy": stamp(time.Hour), "finalAt": stamp(2 * time.Hour),
		"phase":     string(rapid.SampledFrom(lifecycle.Phases()).Draw(t, "phase")),
		"updatedAt": is.clock().Format(syntax.AtprotoDatetimeLayout),
	})
}

// islandReceipt says that the money is held, and not for long.
func (is *island) islandReceipt(t *rapid.T, created time.Time, subject, development, terms map[string]any, payer syntax.DID) store.Record {
	now := is.clock().Format(syntax.AtprotoDatetimeLayout)
	until := is.clock().Add(rapid.SampledFrom(passing).Draw(t, "held"))
	return is.record(islanders[1], lexicons.CollectionReceipt, lexicons.DerivedKey(syntax.ATURI(subject["uri"].(string))).String(), created, map[string]any{
		"subject": subject, "development": development, "terms": terms, "payer": payer.String(),
		"value": map[string]any{"amount": int64(500), "currency": "USD"}, "status": "held",
		"history":   []any{map[string]any{"status": "held", "at": now}},
		"updatedAt": now, "heldUntil": until.Format(syntax.AtprotoDatetimeLayout),
	})
}

// prove finds out about a claim that is due, if one is.
func (is *island) prove(t *rapid.T) {
	ctx := context.Background()
	job, ok, err := is.store.TakeClaim(ctx, time.Minute)
	if err == nil && ok {
		until := is.clock().Add(rapid.SampledFrom(passing).Draw(t, "proven for"))
		err = is.store.ClaimProven(ctx, job, lifecycle.ClaimByHost, until, is.clock())
	}
	if err != nil {
		is.t.Fatal(err)
	}
}

func (is *island) questions() [][2]string {
	out := [][2]string{
		{"fund.stratos.project.listProjects", ""},
		{"fund.stratos.feature.listProposals", "stage=development"},
		{"fund.stratos.feature.listProposals", "tag=ui&sort=new"},
		{"fund.stratos.feature.listProposals", "sort=estimated&currency=USD"},
	}
	for _, sort := range []string{"hot", "new", "estimated"} {
		out = append(out, [2]string{"fund.stratos.feature.listProposals", "limit=1&sort=" + sort})
	}
	for _, did := range islanders {
		uri := url.QueryEscape(fmt.Sprintf("at://%s/%s/3l6ovf2k7dk2a", did, lexicons.CollectionProposal))
		for _, method := range []string{"getProposal", "getFunding", "listEstimates"} {
			out = append(out, [2]string{"fund.stratos.feature." + method, "uri=" + uri})
		}
		out = append(out, [2]string{"fund.stratos.feature.getProposals", "uris=" + uri})
		out = append(out, [2]string{"fund.stratos.project.getProject", "uri=" + url.QueryEscape(fmt.Sprintf("at://%s/%s/p", did, lexicons.CollectionProject))})
		out = append(out, [2]string{"fund.stratos.actor.getStanding", "currency=USD&actor=" + did.String()})
	}
	return out
}

// agree compares what is kept with what would be answered, for all questions,
// and follows the cursors that lists gave out.
func (is *island) agree(given map[string]string) {
	compare := func(method, query string) string {
		wantStatus, want := is.fresh(method, query)
		for range 2 { // asked, and kept
			status, got := is.get(method, query)
			if status != wantStatus || timeless(got) != timeless(want) {
				is.t.Fatalf("%s at %s: %s?%s\nkept  %d %s\nfresh %d %s", "different answers", is.clock(), method, query, status, got, wantStatus, want)
			}
		}
		return want
	}
	for query, method := range given {
		compare(method, query)
	}
	for _, q := range is.questions() {
		body := compare(q[0], q[1])
		if found := cursorField.FindStringSubmatch(body); found != nil {
			given[q[1]+"&cursor="+found[1]] = q[0]
		}
	}
}

func TestAnswers_AreThoseThatWouldBeGivenAgain(t *testing.T) {
	t.Parallel()
	var kept float64
	rapid.Check(t, func(rt *rapid.T) {
		is := newIsland(rt, t.TempDir())
		defer is.close()
		given := map[string]string{} // cursors
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch rapid.IntRange(0, 10).Draw(rt, "step") {
			case 0:
				did := rapid.SampledFrom(islanders).Draw(rt, "whose")
				is.apply(store.Change{Kind: store.ChangeAccount, DID: did, Status: store.AccountDeactivated})
			case 1:
				did := rapid.SampledFrom(islanders).Draw(rt, "whose")
				handle := syntax.Handle(rapid.SampledFrom([]string{"a.example", "b.example", "handle.invalid"}).Draw(rt, "handle"))
				if err := is.store.SetHandle(context.Background(), did, handle, is.clock().Add(time.Hour)); err != nil {
					rt.Fatal(err)
				}
			case 10:
				is.prove(rt)
			case 2, 3, 4:
				is.set(is.clock().Add(rapid.SampledFrom(passing).Draw(rt, "passes")))
			default:
				r := is.islandRecord(rt)
				is.commit(r.DID, []store.Record{r})
			}
			is.agree(given)
		}
		kept += is.from("kept")
	})
	if kept == 0 {
		t.Error("no answer was kept, so nothing was compared")
	}
}

func TestAnswers_EndWhenAnAttemptLapses(t *testing.T) {
	t.Parallel()
	is := newIsland(t, t.TempDir())
	t.Cleanup(is.close)
	owner := islanders[0]
	uri := func(collection syntax.NSID, key string) string {
		return fmt.Sprintf("at://%s/%s/%s", owner, collection, key)
	}
	began := is.clock().Add(time.Second - lifecycle.AttemptLapse)
	is.commit(owner, []store.Record{
		is.record(owner, lexicons.CollectionProject, "p", began, map[string]any{"name": "Project"}),
		is.record(owner, lexicons.CollectionProposal, "3l6ovf2k7dk2a", began, map[string]any{
			"title": "Dark mode", "description": "x",
			"subject": map[string]any{"$type": "fund.stratos.feature.proposal#projectSubject", "project": uri(lexicons.CollectionProject, "p")},
		}),
		is.record(owner, lexicons.CollectionDevelopment, "3l6ovf2k7dk2a", began, map[string]any{
			"proposal": map[string]any{
				"uri": uri(lexicons.CollectionProposal, "3l6ovf2k7dk2a"), "cid": "bafyreiew3tj3dw3vf5lpo56lezuvcucfxhwrwuqvxrnazseqii3w2gn42q",
			},
			"title": "x", "summary": "x", "currency": "USD", "escrow": owner.String(),
		}),
	})
	const method, query = "fund.stratos.feature.listProposals", "stage=development"
	shown := func() bool { _, body := is.get(method, query); return strings.Contains(body, "Dark mode") }
	is.set(is.clock().Add(time.Second - time.Millisecond))
	for range 2 { // asked, and kept
		if !shown() {
			t.Fatal("the attempt is over too early")
		}
	}
	is.set(is.clock().Add(time.Millisecond))
	if shown() {
		t.Error("an answer outlasted the attempt that it shows")
	}
}

// Who proved an address is shown to have, until the proof is too old.
func TestAnswers_EndWhenAClaimExpires(t *testing.T) {
	t.Parallel()
	is := newIsland(t, t.TempDir())
	t.Cleanup(is.close)
	is.commit(islanders[0], []store.Record{is.record(islanders[0], lexicons.CollectionProject, "p", is.clock(), map[string]any{
		"name": "Project", "uris": []any{map[string]any{"uri": "https://island.example", "kind": "website"}},
	})})
	job, ok, err := is.store.TakeClaim(t.Context(), time.Minute)
	if err != nil || !ok {
		t.Fatalf("no claim is due: %v", err)
	}
	if err := is.store.ClaimProven(t.Context(), job, lifecycle.ClaimByHost, is.clock().Add(time.Second), is.clock()); err != nil {
		t.Fatal(err)
	}
	query := "uri=" + url.QueryEscape(fmt.Sprintf("at://%s/%s/p", islanders[0], lexicons.CollectionProject))
	shown := func() bool {
		_, body := is.get("fund.stratos.project.getProject", query)
		return strings.Contains(body, `"verified":true`)
	}
	is.set(is.clock().Add(time.Second - time.Millisecond))
	for range 2 { // asked, and kept
		if !shown() {
			t.Fatal("the claim expired too early")
		}
	}
	is.set(is.clock().Add(time.Millisecond))
	if shown() {
		t.Error("an answer outlasted the claim that it shows")
	}
}

func TestAnswers_AreNotForThoseWhoSayWhoTheyAre(t *testing.T) {
	t.Parallel()
	is := newIsland(t, t.TempDir())
	t.Cleanup(is.close)
	const method, query = "fund.stratos.feature.listProposals", "sort=new"
	is.get(method, query)
	is.get(method, query)
	if asked, kept := is.from("asked"), is.from("kept"); asked != 1 || kept != 1 {
		t.Fatalf("of two questions %v were asked and %v kept", asked, kept)
	}
	for _, name := range []string{"Authorization", "DPoP", "Cookie"} {
		is.get(method, query, name, "x")
	}
	if asked, kept := is.from("asked"), is.from("kept"); asked != 1 || kept != 1 {
		t.Errorf("a question with a credential was taken for one of the public: %v asked, %v kept", asked, kept)
	}
}

// The cursor moves with every frame of the network; answers must outlast that.
func TestAnswers_OutlastFramesThatAreNotOurs(t *testing.T) {
	t.Parallel()
	is := newIsland(t, t.TempDir())
	t.Cleanup(is.close)
	const method, query = "fund.stratos.feature.listProposals", "sort=new"
	is.get(method, query)
	if _, err := is.store.Apply(t.Context(), "upstream", 7, nil); err != nil {
		t.Fatal(err)
	}
	if is.get(method, query); is.from("kept") != 1 {
		t.Error("a cursor that moved made an answer be forgotten")
	}
	is.commit(islanders[0], nil)
	if is.get(method, query); is.from("kept") != 1 {
		t.Error("an answer outlasted a commit")
	}
}

// Whoever has written, and asks, sees it, however many others ask the same.
func TestAnswers_ShowWhatWasWrittenBefore(t *testing.T) {
	t.Parallel()
	is := newIsland(t, t.TempDir())
	t.Cleanup(is.close)
	const method, query = "fund.stratos.feature.listProposals", "sort=new&limit=1"
	done := make(chan struct{})
	var others sync.WaitGroup
	for range 4 {
		others.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					is.get(method, query)
				}
			}
		})
	}
	for n := range 200 {
		title := fmt.Sprintf("Proposal %d.", n)
		is.commit(islanders[0], []store.Record{is.record(islanders[0], lexicons.CollectionProposal, "3l6ovf2k7dk2a", is.clock(), map[string]any{
			"title": title, "description": "x",
			"subject": map[string]any{"$type": "fund.stratos.feature.proposal#accountSubject", "did": islanders[1].String()},
		})})
		for range 2 {
			if _, body := is.get(method, query); !strings.Contains(body, title) {
				t.Errorf("after %q was written: %s", title, body)
			}
		}
	}
	close(done)
	others.Wait()
	if is.from("kept") == 0 {
		t.Error("no answer was kept")
	}
}

func TestAnswers_AreBoundedInBytes(t *testing.T) {
	t.Parallel()
	is := newIsland(t, t.TempDir())
	t.Cleanup(is.close)
	answers, err := appview.NewAnswers(is.store, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 500<<10)
	for n := range 300 {
		_, err := answers.Answer(t.Context(), "a.b.c", fmt.Sprint(n), func(context.Context) ([]byte, error) { return body, nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	if size := appview.AnswersSize(answers); size < 32<<20 || size > 64<<20 {
		t.Errorf("%d bytes are kept", size)
	}
}

func TestAnswers_OutliveTheOneWhoAsked(t *testing.T) {
	t.Parallel()
	is := newIsland(t, t.TempDir())
	t.Cleanup(is.close)
	answers, err := appview.NewAnswers(is.store, nil)
	if err != nil {
		t.Fatal(err)
	}
	leaver, leave := context.WithCancel(t.Context())
	asked, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := answers.Answer(leaver, "a.b.c", "q", func(ctx context.Context) ([]byte, error) {
			close(asked)
			<-release
			return []byte("once"), ctx.Err()
		})
		if err != nil {
			t.Errorf("who left took the answer along: %v", err)
		}
	})
	<-asked
	leave()
	close(release)
	wg.Wait()
	body, err := answers.Answer(t.Context(), "a.b.c", "q", func(context.Context) ([]byte, error) { return []byte("twice"), nil })
	if err != nil || string(body) != "once" {
		t.Errorf("%s, %v", body, err)
	}
}
