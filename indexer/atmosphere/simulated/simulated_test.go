package simulated_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/repo"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/simulated"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
)

const (
	alice    syntax.DID  = "did:plc:alicealicealicealicealic"
	post     syntax.NSID = "app.bsky.feed.post"
	password             = "alice's"
)

// world is a network with one account.
type world struct {
	t       *testing.T
	network *simulated.Network
	account *simulated.Account
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, network: simulated.NewNetwork(time.Now)}
	t.Cleanup(w.network.Close)
	key, err := atcrypto.GeneratePrivateKeyK256()
	w.ok(err)
	w.account, err = w.network.NewAccount(alice, "alice.test", key)
	w.ok(err)
	w.account.Allow(password)
	return w
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) put(rkey syntax.RecordKey, text string) syntax.CID {
	w.t.Helper()
	_, c, err := w.account.Put(post, rkey, map[string]any{"text": text})
	w.ok(err)
	return c
}

func (w *world) login() *atclient.APIClient {
	w.t.Helper()
	client, err := atclient.LoginWithPasswordHost(w.t.Context(), w.network.PDSURL(), "alice.test", password, "", nil)
	w.ok(err)
	return client
}

type written struct {
	CID    syntax.CID
	Commit *struct{ Rev syntax.TID }
}

// write is putRecord; swap is nil for no condition.
func (w *world) write(client *atclient.APIClient, rkey, text string, swap ...any) (written, error) {
	input := map[string]any{"repo": alice, "collection": post, "rkey": rkey, "record": map[string]any{"text": text, "n": 12345678}}
	if len(swap) > 0 {
		input["swapRecord"] = swap[0]
	}
	var out written
	return out, errors.Join(client.Post(w.t.Context(), "com.atproto.repo.putRecord", input, &out))
}

func (w *world) wantRefusal(err error, name string) {
	w.t.Helper()
	if e, ok := errors.AsType[*atclient.APIError](err); !ok || e.Name != name {
		w.t.Errorf("got %v, want %s", err, name)
	}
}

// proof fetches and verifies one as indigo does.
func (w *world) proof(rkey syntax.RecordKey) (commit *repo.Commit, value []byte, err error) {
	w.t.Helper()
	query := url.Values{"did": {alice.String()}, "collection": {post.String()}, "rkey": {rkey.String()}}
	resp, err := http.Get(w.network.PDSURL() + "/xrpc/com.atproto.sync.getRecord?" + query.Encode())
	w.ok(err)
	defer resp.Body.Close()
	car, err := io.ReadAll(resp.Body)
	w.ok(err)
	commit, loaded, err := repo.LoadRepoFromCAR(w.t.Context(), bytes.NewReader(car))
	w.ok(err)
	pub, err := w.account.Key.PublicKey()
	w.ok(err)
	w.ok(commit.VerifySignature(pub))
	value, _, err = loaded.GetRecordBytes(w.t.Context(), post, rkey)
	return commit, value, err
}

func TestProof_ShowsWhatIsThereAndWhatIsNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var keys []syntax.RecordKey
	for i := range 60 { // so that the tree has layers
		keys = append(keys, syntax.RecordKey(syntax.NewTID(1_780_000_000_000_000+int64(i)*7919, 0)))
		w.put(keys[i], "post")
	}
	for _, key := range keys {
		if _, value, err := w.proof(key); err != nil || len(value) == 0 {
			t.Fatalf("%s: %v", key, err)
		}
	}
	w.ok(w.account.Delete(post, keys[30]))
	for _, absent := range []syntax.RecordKey{keys[30], "3aaaaaaaaaa2a", "zzz"} {
		if _, _, err := w.proof(absent); !errors.Is(err, repo.ErrNotFound) {
			t.Errorf("%s: %v, want a proof that it is not there", absent, err)
		}
	}
}

func TestFaultProofOld_ProvesThePast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("one", "post")
	w.ok(w.account.Delete(post, "one"))
	w.network.Arm(simulated.FaultProofOld)
	then, _, err := w.proof("one")
	w.ok(err)
	now, _, err := w.proof("one")
	if !errors.Is(err, repo.ErrNotFound) || then.Rev >= now.Rev {
		t.Errorf("got %v at %s after %s", err, now.Rev, then.Rev)
	}
}

func TestPutRecord_LooksAtContentBeforeTheCondition(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := w.login()
	first, err := w.write(client, "one", "a", nil)
	w.ok(err)
	if first.Commit == nil {
		t.Error("a new record made no commit")
	}
	_, err = w.write(client, "one", "b", nil)
	w.wantRefusal(err, "InvalidSwap")
	again, err := w.write(client, "one", "a", nil)
	w.ok(err)
	if again.Commit != nil || again.CID != first.CID {
		t.Errorf("the same again: %+v, want no commit", again)
	}
	second, err := w.write(client, "one", "b", first.CID)
	w.ok(err)
	_, err = w.write(client, "one", "c", first.CID)
	w.wantRefusal(err, "InvalidSwap")
	if second.Commit == nil {
		t.Error("a change made no commit")
	}
}

func TestFaults_DoWhatTheySayOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := w.login()
	_, err := w.write(client, "one", "0")
	w.ok(err)
	for i, c := range []struct {
		fault   simulated.Fault
		written bool
		status  int // 0 when no answer comes
	}{
		{simulated.FaultWriteFails, false, http.StatusInternalServerError},
		{simulated.FaultWriteUnsaid, true, http.StatusInternalServerError},
		{simulated.FaultWriteLost, true, 0},
		{simulated.FaultRateLimited, false, http.StatusTooManyRequests},
		{simulated.FaultLoggedOut, false, http.StatusUnauthorized},
	} {
		before := w.account.Newest()
		w.network.Arm(c.fault)
		_, err := w.write(client, "one", string(c.fault))
		status := 0
		if e, ok := errors.AsType[*atclient.APIError](err); ok {
			status = e.StatusCode
		}
		if err == nil || status != c.status || (w.account.Newest() != before) != c.written {
			t.Errorf("%d. %s: %v", i, c.fault, err)
		}
		if w.network.Fired()[c.fault] != 1 {
			t.Errorf("%s fired %d times", c.fault, w.network.Fired()[c.fault])
		}
	}
	client = w.login()
	w.network.Arm(simulated.FaultExpired)
	if _, err := w.write(client, "one", "after a refresh"); err != nil {
		t.Errorf("a token that was too old: %v", err)
	}
}

func TestIndexerFollowsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "index.db"), Policy: lifecycle.Policy{}},
		store.Options{Log: slog.New(slog.DiscardHandler), Clock: time.Now})
	w.ok(err)
	defer st.Close()
	ix, err := indexer.New(indexer.Config{RelayURLs: []string{w.network.RelayURL()}, PLCURL: w.network.PLCURL(), UserAgent: "test"}, st,
		indexer.Options{Log: slog.New(slog.DiscardHandler), Clock: time.Now, Transport: simulated.Transport(w.network.PDSURL())})
	w.ok(err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- ix.Run(ctx) }()
	until := func(what string, holds func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("it never came that %s", what)
			}
			w.network.Cough()
		}
	}
	until("the index follows", func() bool { return ix.Progress().Cursor > 0 })
	write := func(rkey syntax.RecordKey) syntax.ATURI {
		uri, _, err := w.account.Put(lexicons.CollectionProposal, rkey, map[string]any{
			"title": "Dark mode", "description": "My eyes hurt.", "subject": map[string]any{"$type": "fund.stratos.feature.proposal#accountSubject", "did": alice},
			"createdAt": simulated.Stamp(time.Now()),
		})
		w.ok(err)
		return uri
	}
	uris := []syntax.ATURI{write("3lbqxkdzvqk2a")}
	w.network.Arm(simulated.FaultLate)
	uris = append(uris, write("3lbqxkdzvqk2b"))
	w.network.HangUp()
	w.network.Release()
	until("the index has both records", func() bool {
		have := 0
		w.ok(st.Read(t.Context(), func(r *store.Reader) error {
			rows, err := r.Records(t.Context(), uris)
			have = len(rows)
			return err
		}))
		return have == len(uris)
	})
	stop()
	w.ok(<-ended)
}
