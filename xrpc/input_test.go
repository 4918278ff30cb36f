package xrpc_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/xrpc"
)

type money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

type hint struct {
	Text string `json:"text,omitempty"`
}

type transferInput struct {
	Value money      `json:"value"`
	To    syntax.DID `json:"to"`
	Note  string     `json:"note,omitempty"`
	Hints []hint     `json:"hints,omitempty"`
}

type transferOutput struct {
	Moved money `json:"moved"`
}

func TestProcedureInput(t *testing.T) {
	t.Parallel()
	const valid = `{"value": {"amount": 5, "currency": "EUR"}, "to": "did:web:example.com", "note": "hi", "hints": [{"text": "a"}], "extra": [null]}`
	srv := newServer(t, xrpc.Config{MaxBody: 1000}, xrpc.Options{CheckOutput: true})
	want := transferInput{Value: money{5, "EUR"}, To: "did:web:example.com", Note: "hi", Hints: []hint{{"a"}}}
	xrpc.Procedure(srv, "com.example.transfer", func(_ context.Context, in transferInput) (*transferOutput, error) {
		if diff := cmp.Diff(want, in); diff != "" {
			t.Errorf("a handler was given\n%s", diff)
		}
		return &transferOutput{Moved: in.Value}, nil
	})
	post := func(contentType, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/xrpc/com.example.transfer", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		return send(t, srv, r)
	}
	for _, contentType := range []string{"application/json", "application/json; charset=utf-8"} {
		if w := post(contentType, valid); w.Code != 200 || w.Body.String() != `{"moved":{"amount":5,"currency":"EUR"}}` {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	for name, c := range map[string]struct {
		contentType, body string
		status            int
		error, says       string
	}{
		"no body":            {"application/json", "", 400, "InvalidRequest", "required"},
		"no type":            {"", valid, 400, "InvalidRequest", "Content-Type"},
		"a form":             {"application/x-www-form-urlencoded", valid, 400, "InvalidRequest", "Content-Type"},
		"not JSON":           {"application/json", "{", 400, "InvalidRequest", "input: not a JSON object"},
		"not an object":      {"application/json", "[]", 400, "InvalidRequest", "input: not a JSON object"},
		"null":               {"application/json", "null", 400, "InvalidRequest", "required field missing"},
		"more after it":      {"application/json", valid + "{}", 400, "InvalidRequest", "input"},
		"missing":            {"application/json", `{"to": "did:web:example.com"}`, 400, "InvalidRequest", "required field missing: value"},
		"wrong format":       {"application/json", `{"value": {"amount": 5, "currency": "EUR"}, "to": "me"}`, 400, "InvalidRequest", "input: to: "},
		"wrong inside a ref": {"application/json", `{"value": {"amount": 0, "currency": "EUR"}, "to": "did:web:example.com"}`, 400, "InvalidRequest", "input: value: integer val outside"},
		"float":              {"application/json", `{"value": {"amount": 1.5, "currency": "EUR"}, "to": "did:web:example.com"}`, 400, "InvalidRequest", "input"},
		"exponent":           {"application/json", `{"value": {"amount": 1e3, "currency": "EUR"}, "to": "did:web:example.com"}`, 400, "InvalidRequest", "input"},
		"wrong in a list":    {"application/json", `{"value": {"amount": 5, "currency": "EUR"}, "to": "did:web:example.com", "hints": [{"text": "longer"}]}`, 400, "InvalidRequest", "input: hints: "},
		"hidden by case":     {"application/json", `{"value": {"amount": 5, "Amount": -5, "currency": "EUR"}, "to": "did:web:example.com"}`, 400, "InvalidRequest", "ambiguous"},
		"too large":          {"application/json", `{"note": "` + strings.Repeat("x", 1000) + `"}`, 413, "PayloadTooLarge", "at most 1000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if e := wantError(t, post(c.contentType, c.body), c.status, c.error); !strings.Contains(e.Message, c.says) {
				t.Errorf("message %q lacks %q", e.Message, c.says)
			}
		})
	}
}

func TestProcedureWithoutBodies(t *testing.T) {
	t.Parallel()
	srv := newServer(t, xrpc.Config{}, xrpc.Options{CheckOutput: true})
	xrpc.Procedure(srv, "com.example.ping", func(context.Context, nothing) (*nothing, error) { return &nothing{}, nil })
	w := send(t, srv, httptest.NewRequest(http.MethodPost, "/xrpc/com.example.ping", nil))
	if w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	w = send(t, srv, httptest.NewRequest(http.MethodPost, "/xrpc/com.example.ping", strings.NewReader("{}")))
	wantError(t, w, http.StatusBadRequest, "InvalidRequest")
}
