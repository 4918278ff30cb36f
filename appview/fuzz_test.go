package appview_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/bluesky-social/indigo/atproto/lexicon"

	"github.com/stratosfund/stratosfund/appview"
	"github.com/stratosfund/stratosfund/lexicons"
)

// FuzzQueries sends whatever query to every method of a small index. An answer
// is what its lexicon says, or an error that the sender can act on; never ours.
func FuzzQueries(f *testing.F) {
	l := newLife(f)
	f.Add("")
	for _, q := range []string{
		"q=%00", "q=eye&sort=relevance", "q=*&title=%22", "title=dark+mo&limit=25", "q=NEAR(a+b)", "sort=estimated&currency=JPY", "stage=proposed&tag=%ff",
		"actor=bob.example", "actor=" + bob.String() + "&currency=USD", "owner=" + bob.String(), "subject=did:plc:bob", "subject=https://[::1]:0/",
		"subject=at://did:plc:bob/fund.stratos.project.profile/tool", "project=at://did:plc:bob/fund.stratos.project.profile/tool", "cursor=e30", "cursor=e30.AAAA",
		"uris=at://did:plc:bob&uris=at://bob.example/fund.stratos.feature.proposal/1",
	} {
		f.Add(q)
	}
	for _, method := range appview.Methods() {
		if !isQuery(f, method.String()) {
			continue
		}
		query := l.uri()
		for name, value := range map[string]string{"limit": "1", "q": "dark", "title": "dark", "actor": carol.String(), "currency": "USD"} {
			query.Set(name, value)
		}
		var page struct{ Cursor string }
		if err := json.Unmarshal(l.ask(f.Context(), method, query.Encode()).Body.Bytes(), &page); err != nil {
			f.Fatal(err)
		}
		if page.Cursor != "" {
			query.Set("cursor", page.Cursor)
		}
		f.Add(query.Encode())
	}
	f.Fuzz(func(t *testing.T, query string) {
		if _, err := url.Parse("/?" + query); err != nil {
			t.Skip("no server gets this")
		}
		for _, method := range appview.Methods() {
			if !isQuery(t, method.String()) {
				continue
			}
			if w := l.ask(t.Context(), method, query); w.Code >= http.StatusInternalServerError {
				t.Errorf("%s?%s: %d %s", method, query, w.Code, w.Body)
			}
		}
	})
}

func isQuery(t testing.TB, method string) bool {
	t.Helper()
	schema, err := lexicons.Catalog().Resolve(method)
	if err != nil {
		t.Fatal(err)
	}
	_, ok := schema.Def.(lexicon.SchemaQuery)
	return ok
}
