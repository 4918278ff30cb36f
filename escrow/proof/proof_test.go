package proof_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/proof"
	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/indexer/reposync"
	"github.com/stratosfund/stratosfund/lexicons"
)

// world is an author at a real PDS, and a fetcher with what its index has seen.
type world struct {
	t       *testing.T
	network *atmosphere.Network
	author  *atmosphere.Account
	config  indexer.Config
	seen    syntax.TID
	// lie changes what the PDS answers; nil for nothing.
	lie func([]byte) []byte
	pds proof.PDS
}

func newWorld(t *testing.T) *world {
	t.Helper()
	network := atmospheretest.Shared(t)
	w := &world{
		t: t, network: network, author: atmospheretest.NewAccount(t, network, "author"),
		config: indexer.Config{RelayURLs: []string{network.PDSURL()}, PLCURL: network.PLCURL(), UserAgent: "test"},
	}
	pds, err := indexer.NewAsker(w.config, nil)
	w.ok(err)
	w.pds = pds
	return w
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// Query asks the real PDS and then lies.
func (w *world) Query(ctx context.Context, server string, method syntax.NSID, params url.Values, accept string, read func(io.Reader) error) error {
	return w.pds.Query(ctx, server, method, params, accept, func(r io.Reader) error {
		if w.lie == nil {
			return read(r)
		}
		honest, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		return read(bytes.NewReader(w.lie(honest)))
	})
}

func (w *world) directory() identity.Directory { return indexer.NewDirectory(w.config, nil) }

func (w *world) fetcher(d identity.Directory) *proof.Fetcher {
	return proof.NewFetcher(d, w, func(context.Context, syntax.DID) (syntax.TID, error) { return w.seen, nil }, time.Now)
}

func (w *world) fetch(uri syntax.ATURI) (proof.Proof, error) {
	return w.fetcher(w.directory()).Fetch(w.t.Context(), uri)
}

func (w *world) write(text string) (syntax.ATURI, string) {
	w.t.Helper()
	uri, cid, err := w.author.CreateRecord(w.t.Context(), lexicons.CollectionPledge, map[string]any{"note": text})
	w.ok(err)
	return uri, cid
}

func (w *world) want(kind error, uri syntax.ATURI) {
	w.t.Helper()
	if p, err := w.fetch(uri); !errors.Is(err, kind) {
		w.t.Errorf("got %+v, %v; want %v", p, err, kind)
	}
}

func TestFetch_ProvesWhatIsThereAndWhatIsNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	uri, cid := w.write("a pledge")
	got, err := w.fetch(uri)
	w.ok(err)
	if !got.Present || got.CID.String() != cid || len(got.Record) == 0 || got.Rev == "" {
		t.Errorf("got %+v, want the record %s", got, cid)
	}
	w.seen = got.Rev
	w.ok(w.author.DeleteRecord(t.Context(), uri))
	gone, err := w.fetch(uri)
	w.ok(err)
	if gone.Present || gone.CID != "" || gone.Record != nil || gone.Rev <= got.Rev {
		t.Errorf("got %+v, want its absence at a later rev than %s", gone, got.Rev)
	}
}

func TestFetch_AnOldSignedCommitIsStale(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	uri, _ := w.write("a pledge")
	var old []byte
	w.lie = func(car []byte) []byte { old = car; return car }
	before, err := w.fetch(uri)
	w.ok(err)
	w.ok(w.author.DeleteRecord(t.Context(), uri))
	w.lie = nil
	after, err := w.fetch(uri)
	w.ok(err)

	// The PDS hides the deletion behind what the account once signed.
	w.lie = func([]byte) []byte { return old }
	w.seen = before.Rev
	if got, err := w.fetch(uri); err != nil || !got.Present {
		t.Errorf("as long as the index saw nothing newer: %+v, %v", got, err)
	}
	w.seen = after.Rev
	w.want(proof.ErrStale, uri)
}

func TestFetch_WhatTheAccountDidNotSignIsForged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	uri, _ := w.write("ten dollars")
	for name, lie := range map[string]func([]byte) []byte{
		"another amount":    func(car []byte) []byte { return bytes.Replace(car, []byte("ten dollars"), []byte("one dollars"), 1) },
		"cut off":           func(car []byte) []byte { return car[:len(car)-20] },
		"nothing":           func([]byte) []byte { return nil },
		"a page":            func([]byte) []byte { return []byte("<html>") },
		"more than allowed": func(car []byte) []byte { return append(car, make([]byte, reposync.MaxBlocks)...) },
	} {
		w.lie = lie
		if _, err := w.fetch(uri); !errors.Is(err, proof.ErrForged) {
			t.Errorf("%s: %v, want ErrForged", name, err)
		}
	}
}

func TestFetch_AnotherAccountsProofIsForged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	uri, _ := w.write("mine")
	other := newWorld(t)
	foreign, _ := other.write("theirs")
	var theirs []byte
	other.lie = func(car []byte) []byte { theirs = car; return car }
	_, err := other.fetch(foreign)
	w.ok(err)
	w.lie = func([]byte) []byte { return theirs }
	w.want(proof.ErrForged, uri)
}

func TestFetch_AKeyThatIsNotTheAccountsIsForged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	uri, _ := w.write("mine")
	stranger := atmospheretest.NewAccount(t, w.network, "stranger")
	mine, err := w.directory().LookupDID(t.Context(), w.author.DID)
	w.ok(err)
	theirs, err := w.directory().LookupDID(t.Context(), stranger.DID)
	w.ok(err)
	mine.Keys = theirs.Keys
	rotated := identity.NewMockDirectory()
	rotated.Insert(*mine)
	if _, err := w.fetcher(rotated).Fetch(t.Context(), uri); !errors.Is(err, proof.ErrForged) {
		t.Errorf("%v, want ErrForged", err)
	}
}

func TestF5_FetchOfAHiddenAccountIsUnavailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	uri, _ := w.write("a pledge")
	w.ok(w.author.Client.Post(t.Context(), "com.atproto.server.deactivateAccount", map[string]any{}, nil))
	w.want(proof.ErrUnavailable, uri)
	w.want(proof.ErrUnavailable, "at://did:plc:nobodynobodynobodynobody/fund.stratos.feature.pledge/3lbqxkdzvqk2a")
}

func TestFetch_OnlyRecordsOfDIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, uri := range []syntax.ATURI{
		"at://alice.test/fund.stratos.feature.pledge/3lbqxkdzvqk2a",
		"at://did:plc:nobodynobodynobodynobody/fund.stratos.feature.pledge",
		"at://did:plc:nobodynobodynobodynobody", "",
	} {
		w.want(proof.ErrNotRecord, uri)
	}
}

// TestFetch_ReachesNoPrivateAddress: a stranger chooses the PDS in a DID document.
func TestFetch_ReachesNoPrivateAddress(t *testing.T) {
	t.Parallel()
	reached := false
	inside := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	t.Cleanup(inside.Close)
	w := newWorld(t)
	uri, _ := w.write("a pledge")
	account, err := w.directory().LookupDID(t.Context(), w.author.DID)
	w.ok(err)
	guarded, err := indexer.NewAsker(indexer.Config{RelayURLs: []string{"https://relay.example.org"}}, nil)
	w.ok(err)
	w.pds = guarded
	for _, pds := range []string{inside.URL, strings.Replace(inside.URL, "https", "http", 1), "https://localhost", "ftp://example.org", ""} {
		account.Services = map[string]identity.ServiceEndpoint{"atproto_pds": {Type: "AtprotoPersonalDataServer", URL: pds}}
		moved := identity.NewMockDirectory()
		moved.Insert(*account)
		if _, err := w.fetcher(moved).Fetch(t.Context(), uri); !errors.Is(err, proof.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", pds, err)
		}
	}
	if reached {
		t.Error("a private address was reached")
	}
}

// slow is a directory that answers in the last moment.
type slow struct{ identity.Directory }

func (slow) LookupDID(ctx context.Context, did syntax.DID) (*identity.Identity, error) {
	<-ctx.Done()
	key, err := atcrypto.GeneratePrivateKeyK256()
	if err != nil {
		return nil, err
	}
	public, err := key.PublicKey()
	return &identity.Identity{DID: did, Keys: map[string]identity.VerificationMethod{"atproto": {Type: "Multikey", PublicKeyMultibase: public.Multibase()}}}, err
}

// nobody answers no question.
type nobody struct{}

func (nobody) Query(ctx context.Context, _ string, _ syntax.NSID, _ url.Values, _ string, _ func(io.Reader) error) error {
	return ctx.Err()
}

// TestFetch_OfASlowAccountIsNoTroubleOfOurs: what a stranger uses of the time is not taken
// from our own index, whose errors end the process.
func TestFetch_OfASlowAccountIsNoTroubleOfOurs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		revs := func(ctx context.Context, _ syntax.DID) (syntax.TID, error) { return "", ctx.Err() }
		_, err := proof.NewFetcher(slow{}, nobody{}, revs, time.Now).Fetch(t.Context(), "at://did:plc:slowslowslowslowslowslow/fund.stratos.feature.pledge/3l4kq2xyzab22")
		if !errors.Is(err, proof.ErrUnavailable) {
			t.Errorf("%v, want ErrUnavailable", err)
		}
	})
}
