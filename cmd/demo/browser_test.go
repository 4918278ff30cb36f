package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const shop = `<!doctype html><h1>A <em>shop</em></h1>
<form method="post" action="/bought">
<input type="hidden" name="number" value="7"><input type="email" name="email" value="">
<input type="radio" name="card" value="red" checked><input type="radio" name="card" value="blue">
<input type="checkbox" name="terms" value="long"><input type="checkbox" name="letters" value="yes">
<button type="submit" name="result" value="pay">Pay</button><button type="submit" name="result" value="leave">Leave</button>
</form>`

func TestBrowser_SendsWhatThePageOffersAndThePersonChose(t *testing.T) {
	t.Parallel()
	var got map[string][]string
	var headers http.Header
	mux := http.NewServeMux()
	mux.HandleFunc("GET /shop", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, shop) })
	mux.HandleFunc("GET /thanks", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<h1>Thanks</h1>") })
	mux.HandleFunc("POST /bought", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		got, headers = r.PostForm, r.Header
		http.Redirect(w, r, "/thanks", http.StatusSeeOther)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	b, err := newBrowser()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.open(t.Context(), server.URL+"/shop"); err != nil {
		t.Fatal(err)
	}
	if b.heading() != "A shop" {
		t.Errorf("the heading is %q", b.heading())
	}
	for _, c := range []choice{{"card", "green"}, {"name", "Ana"}, {"result", ""}} {
		if err := b.submit(t.Context(), c); err == nil || !strings.Contains(err.Error(), "offers") {
			t.Errorf("%v was sent, though nobody offers it: %v", c, err)
		}
	}
	if err := b.submit(t.Context(), choice{"card", "blue"}, choice{name: "terms"}, choice{"result", "pay"}); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"number": {"7"}, "email": {""}, "card": {"blue"}, "terms": {"long"}, "result": {"pay"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if headers.Get("Origin") != server.URL || headers.Get("Sec-Fetch-Site") != "same-origin" {
		t.Errorf("it came with %v", headers)
	}
	if b.heading() != "Thanks" || b.at.Path != "/thanks" {
		t.Errorf("the browser is at %s, %q", b.at, b.heading())
	}
	if err := b.submit(t.Context()); err == nil {
		t.Error("a page without a form was submitted")
	}
	if err := b.open(t.Context(), server.URL+"/nothing"); err == nil {
		t.Error("a page that is not there was opened")
	}
}
