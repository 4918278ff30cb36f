package xrpc_test

import (
	"net/http"
	"testing"

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
