package indexer_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/bluesky-social/indigo/events"
	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/indexer/firehose"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
)

const patience = 20 * time.Second

// meddler is a relay of the worst kind: instead of a frame of the PDS it passes
// on whatever meddle makes of it.
type meddler struct {
	pds    string
	meddle func(frame []byte) [][]byte
}

func (m *meddler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	down, err := websocket.Accept(w, req, nil)
	if err != nil {
		return
	}
	defer down.CloseNow()
	ctx := down.CloseRead(req.Context())
	up, _, err := websocket.Dial(ctx, "ws"+m.pds[len("http"):]+req.URL.RequestURI(), nil)
	if err != nil {
		return
	}
	defer up.CloseNow()
	up.SetReadLimit(firehose.MaxFrame)
	for {
		_, frame, err := up.Read(ctx)
		if err != nil {
			return
		}
		for _, f := range m.meddle(frame) {
			if down.Write(ctx, websocket.MessageBinary, f) != nil {
				return
			}
		}
	}
}

type fixture struct {
	store    *store.Store
	registry *prometheus.Registry
}

// startIndexer follows the upstreams until the end of the test.
func startIndexer(t *testing.T, network *atmosphere.Network, upstreams ...string) *fixture {
	t.Helper()
	return startWith(t, network, indexer.Options{Clock: time.Now, Transport: network.Transport()}, upstreams...)
}

func startWith(t *testing.T, network *atmosphere.Network, opts indexer.Options, upstreams ...string) *fixture {
	t.Helper()
	opts.Log = slog.New(slog.DiscardHandler)
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "index.db")}, store.Options{Clock: opts.Clock, Log: opts.Log})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{store: st, registry: prometheus.NewRegistry()}
	opts.Registry = f.registry
	ix, err := indexer.New(indexer.Config{RelayURLs: upstreams, DirectoryURL: network.PDSURL(), PLCURL: network.PLCURL(), UserAgent: "test"}, st, opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- ix.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, st.Close()); err != nil {
			t.Errorf("the indexer ended with: %v", err)
		}
	})
	return f
}

// holds reports whether the index holds the record in this version, and for an
// empty cid whether it does not hold it.
func (f *fixture) holds(t *testing.T, uri syntax.ATURI, cid string) bool {
	t.Helper()
	var got string
	err := f.store.Read(t.Context(), func(r *store.Reader) error {
		records, err := r.Records(t.Context(), []syntax.ATURI{uri})
		got = records[uri].CID.String()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got == cid
}

// counted sums a counter over the label values that are given.
func (f *fixture) counted(t *testing.T, name, label, value string) float64 {
	t.Helper()
	families, err := f.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == label && l.GetValue() == value {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("still not so after %s: %s", patience, what)
		case <-tick.C:
		}
	}
}

func proposal(title string) map[string]any {
	return map[string]any{
		"$type": "fund.stratos.feature.proposal", "title": title, "description": "What it should do.",
		"subject":   map[string]any{"$type": "fund.stratos.feature.proposal#uriSubject", "uri": "https://example.org/"},
		"createdAt": time.Now().UTC().Format(syntax.AtprotoDatetimeLayout),
	}
}

// reframe encodes a commit message with something changed.
func reframe(t *testing.T, msg comatproto.SyncSubscribeRepos_Commit, change func(*comatproto.SyncSubscribeRepos_Commit)) []byte {
	change(&msg)
	ev := &events.XRPCStreamEvent{RepoCommit: &msg}
	var b bytes.Buffer
	if err := ev.Serialize(&b); err != nil {
		t.Errorf("encode a frame: %v", err)
	}
	return b.Bytes()
}

func TestALyingUpstreamChangesNothingAndIsCounted(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	author := atmospheretest.NewAccount(t, network, "lied-about")

	relay := httptest.NewServer(&meddler{pds: network.PDSURL(), meddle: func(frame []byte) [][]byte {
		ev, err := firehose.Parse(frame)
		if err != nil || ev.Commit == nil || ev.Commit.Repo != author.DID.String() {
			return [][]byte{frame}
		}
		lies := [][]byte{
			frame[:len(frame)/2],
			[]byte("\x00\xff no frame at all"),
			reframe(t, *ev.Commit, func(m *comatproto.SyncSubscribeRepos_Commit) {
				m.Blocks = bytes.Clone(m.Blocks)
				m.Blocks[len(m.Blocks)-1] ^= 1 // the last block is not what its CID says
			}),
			reframe(t, *ev.Commit, func(m *comatproto.SyncSubscribeRepos_Commit) { m.Rev = "7zzzzzzzzzzzz" }),
			reframe(t, *ev.Commit, func(m *comatproto.SyncSubscribeRepos_Commit) { m.TooBig = true }),
			reframe(t, *ev.Commit, func(m *comatproto.SyncSubscribeRepos_Commit) {
				m.Ops = nil // the tree changed, and nobody says how
			}),
		}
		if len(ev.Commit.Ops) == 1 {
			lies = append(lies, reframe(t, *ev.Commit, func(m *comatproto.SyncSubscribeRepos_Commit) {
				op := *m.Ops[0]
				op.Action, op.Cid, op.Prev = "delete", nil, nil
				m.Ops = []*comatproto.SyncSubscribeRepos_RepoOp{&op}
			}))
		}
		return append(lies, frame)
	}})
	defer relay.Close()
	index := startIndexer(t, network, relay.URL)

	kept, cid, err := author.CreateRecord(t.Context(), lexicons.CollectionProposal, proposal("Kept"))
	if err != nil {
		t.Fatal(err)
	}
	edited, _, err := author.CreateRecord(t.Context(), lexicons.CollectionProposal, proposal("Before"))
	if err != nil {
		t.Fatal(err)
	}
	_, editedCID, err := author.PutRecord(t.Context(), lexicons.CollectionProposal, edited.RecordKey(), proposal("After"))
	if err != nil {
		t.Fatal(err)
	}
	deleted, _, err := author.CreateRecord(t.Context(), lexicons.CollectionProposal, proposal("Deleted"))
	if err != nil {
		t.Fatal(err)
	}
	if err := author.DeleteRecord(t.Context(), deleted); err != nil {
		t.Fatal(err)
	}
	last, lastCID, err := author.CreateRecord(t.Context(), lexicons.CollectionProposal, proposal("Last"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the index holds what the repository holds", func() bool {
		return index.holds(t, kept, cid) && index.holds(t, edited, editedCID) &&
			index.holds(t, deleted, "") && index.holds(t, last, lastCID)
	})
	for _, reason := range []string{"malformed-frame", "bad-car", "future-rev", "deprecated", "prev-data", "missing-prev"} {
		if index.counted(t, "stratos_indexer_dropped_total", "reason", reason) == 0 {
			t.Errorf("no lie was dropped as %s", reason)
		}
	}
}

func TestACommitThatTheUpstreamWithheldIsFetchedFromThePDS(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	author := atmospheretest.NewAccount(t, network, "withheld")

	hidden := lexicons.CollectionProposal.String() + "/3aaaaaaaaaa"
	relay := httptest.NewServer(&meddler{pds: network.PDSURL(), meddle: func(frame []byte) [][]byte {
		ev, err := firehose.Parse(frame)
		if err == nil && ev.Commit != nil && len(ev.Commit.Ops) == 1 && strings.HasPrefix(ev.Commit.Ops[0].Path, hidden) {
			return nil
		}
		return [][]byte{frame}
	}})
	defer relay.Close()
	index := startIndexer(t, network, relay.URL)

	first, cid, err := author.CreateRecord(t.Context(), lexicons.CollectionProposal, proposal("First"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first record is indexed", func() bool { return index.holds(t, first, cid) })
	// A new account is also asked about, and then nobody needs the gap to find it.
	noticed := func() bool { return index.counted(t, "stratos_indexer_changes_total", "outcome", "desynchronized") > 0 }
	for _, last := range "234567abcdefghijklmnop" {
		rkey := syntax.RecordKey("3aaaaaaaaaa2" + string(last))
		withheld, hiddenCID, err := author.PutRecord(t.Context(), lexicons.CollectionProposal, rkey, proposal("Hidden by the relay"))
		if err != nil {
			t.Fatal(err)
		}
		next, nextCID, err := author.CreateRecord(t.Context(), lexicons.CollectionProposal, proposal("Next"))
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "what was withheld is there as well", func() bool {
			return index.holds(t, next, nextCID) && index.holds(t, withheld, hiddenCID)
		})
		if noticed() {
			return
		}
	}
	t.Error("no gap was noticed")
}

func TestTheNextUpstreamTakesOverFromOneThatIsGone(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	author := atmospheretest.NewAccount(t, network, "taken-over")
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	// Written before anybody listens: only asking around finds it.
	before, beforeCID, err := author.CreateRecord(t.Context(), lexicons.CollectionProposal, proposal("Before"))
	if err != nil {
		t.Fatal(err)
	}
	index := startIndexer(t, network, gone.URL, network.PDSURL())
	eventually(t, "what was there before is found", func() bool { return index.holds(t, before, beforeCID) })
	after, afterCID, err := author.CreateRecord(t.Context(), lexicons.CollectionProposal, proposal("After"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the next upstream is followed", func() bool { return index.holds(t, after, afterCID) })
}
