package xrpc_test

import (
	"net/http"
	"testing"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/xrpc"
)

func TestWebDID(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://fund.example.com":      "did:web:fund.example.com",
		"https://Fund.Example.com/":     "did:web:fund.example.com",
		"http://localhost:8080":         "did:web:localhost%3A8080",
		"https://localhost":             "did:web:localhost",
		"http://fund.example.com":       "",
		"https://fund.example.com:8443": "",
		"https://fund.example.com/app":  "",
		"https://fund.example.com?a=b":  "",
		"https://me@fund.example.com":   "",
		"https://127.0.0.1":             "",
		"https://[::1]":                 "",
		"http://127.0.0.1:8080":         "",
		"fund.example.com":              "",
		"https://":                      "",
		"":                              "",
		"https://fund_example.com/\x00": "",
	} {
		did, err := xrpc.WebDID(url)
		if did.String() != want || (err != nil) != (want == "") {
			t.Errorf("%q: got %q, %v; want %q", url, did, err, want)
		}
	}
}

func TestDIDDocument(t *testing.T) {
	t.Parallel()
	srv := newServer(t, xrpc.Config{PublicURL: "http://localhost:8080/"}, xrpc.Options{ServiceID: "stratos_appview", ServiceType: "StratosAppView"})
	w := get(t, srv, "/.well-known/did.json")
	want := map[string]any{
		"@context": []any{"https://www.w3.org/ns/did/v1"},
		"id":       "did:web:localhost%3A8080",
		"service": []any{map[string]any{
			"id": "#stratos_appview", "type": "StratosAppView", "serviceEndpoint": "http://localhost:8080",
		}},
	}
	if diff := cmp.Diff(want, decode[map[string]any](t, w.Body)); diff != "" {
		t.Error(diff)
	}
	if w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
		t.Error(w.Header())
	}
	if srv.DID() != "did:web:localhost%3A8080" {
		t.Error(srv.DID())
	}
	if w := get(t, newServer(t, xrpc.Config{}, xrpc.Options{}), "/.well-known/did.json"); w.Code != http.StatusNotFound {
		t.Errorf("without a service: %d", w.Code)
	}
}

func TestDIDDocument_OfAnAccountIsWhatDirectoriesRead(t *testing.T) {
	t.Parallel()
	key, err := atcrypto.GeneratePrivateKeyK256()
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	srv := newServer(t, xrpc.Config{PublicURL: "https://escrow.example.org", DID: "did:web:escrow.example.org"}, xrpc.Options{
		ServiceID: "stratos_escrow", ServiceType: "StratosEscrow",
		Account: &xrpc.Account{
			Handle: "escrow.example.org", Key: public.Multibase(), PDS: "https://pds.example.org", Others: map[string]string{"further": "zDnae"},
		},
	})
	id := identity.ParseIdentity(new(decode[identity.DIDDocument](t, get(t, srv, "/.well-known/did.json").Body)))
	found, err := id.PublicKey()
	if err != nil || !found.Equal(public) {
		t.Errorf("the key is %v, %v", found, err)
	}
	if further := id.Keys["further"]; further.Type != "Multikey" || further.PublicKeyMultibase != "zDnae" {
		t.Errorf("another key is read as %+v", further)
	}
	if id.PDSEndpoint() != "https://pds.example.org" || id.GetServiceEndpoint("stratos_escrow") != "https://escrow.example.org" || id.DID != "did:web:escrow.example.org" {
		t.Errorf("read as %+v", id)
	}
}

func TestDIDDocument_OfAnotherMethodIsNotServed(t *testing.T) {
	t.Parallel()
	srv := newServer(t, xrpc.Config{DID: "did:plc:escrowescrowescrowescrow"}, xrpc.Options{ServiceID: "stratos_escrow", ServiceType: "StratosEscrow"})
	if w := get(t, srv, "/.well-known/did.json"); w.Code != http.StatusNotFound {
		t.Errorf("status %d: the directory of its method explains it", w.Code)
	}
	if srv.DID() != "did:plc:escrowescrowescrowescrow" {
		t.Error(srv.DID())
	}
}
