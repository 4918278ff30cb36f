package xrpc_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/xrpc"
)

const aURI = "at://did:plc:44ybard66vv44zksje25o7dz/com.example.note/3jzfcijpj2z2a"

type allOutput struct {
	Params struct{} `json:"params"`
}

// decodeAll sends a query to com.example.getAll and returns what its handler got.
func decodeAll(t *testing.T, query string) (allParams, wireError) {
	t.Helper()
	var got allParams
	srv := newServer(t, xrpc.Config{}, xrpc.Options{CheckOutput: true})
	xrpc.Query(srv, "com.example.getAll", func(_ context.Context, p allParams) (*allOutput, error) {
		got = p
		return &allOutput{}, nil
	})
	w := get(t, srv, "/xrpc/com.example.getAll?"+query)
	if w.Code == http.StatusOK {
		return got, wireError{}
	}
	return got, wantError(t, w, http.StatusBadRequest, "InvalidRequest")
}

func TestParamsDecoded(t *testing.T) {
	t.Parallel()
	base := allParams{URI: aURI, Mine: true, filters: filters{Sort: "hot", Limit: 50}}
	since, did := syntax.Datetime("2026-01-31T12:00:00.000Z"), syntax.DID("did:web:example.com")
	for query, change := range map[string]func(*allParams){
		"":                               func(*allParams) {},
		"unknown=%00&limits=x":           func(*allParams) {},
		"cursor=&limit=&stage=&open=":    func(*allParams) {}, // empty is absent
		"uris=" + aURI + "&uris=" + aURI: func(p *allParams) { p.URIs = []syntax.ATURI{aURI, aURI} },
		"actor=alice.test":               func(p *allParams) { p.Actor = "alice.test" },
		"actor=did:web:example.com":      func(p *allParams) { p.Actor = "did:web:example.com" },
		"did=did:web:example.com":        func(p *allParams) { p.DID = &did },
		"handle=alice.test":              func(p *allParams) { p.Handle = "alice.test" },
		"nsid=com.example.note":          func(p *allParams) { p.NSID = "com.example.note" },
		"cid=bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a": func(p *allParams) {
			p.CID = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"
		},
		"since=2026-01-31T12:00:00.000Z":  func(p *allParams) { p.Since = &since },
		"link=https://example.com/?a%3Db": func(p *allParams) { p.Link = "https://example.com/?a=b" },
		"lang=pt-BR":                      func(p *allParams) { p.Lang = "pt-BR" },
		"tid=3jzfcijpj2z2a":               func(p *allParams) { p.TID = "3jzfcijpj2z2a" },
		"rkey=self":                       func(p *allParams) { p.RKey = "self" },
		"q=gr%C3%BCn+rot":                 func(p *allParams) { p.Q = "grün rot" },
		"sort=new":                        func(p *allParams) { p.Sort = "new" },
		"stage=proposed&stage=other":      func(p *allParams) { p.Stage = []stage{"proposed", "other"} },
		"version=v1":                      func(p *allParams) { p.Version = new("v1") },
		"limit=100":                       func(p *allParams) { p.Limit = 100 },
		"limit=1":                         func(p *allParams) { p.Limit = 1 },
		"depth=4":                         func(p *allParams) { p.Depth = new(int64(4)) },
		"page=0":                          func(p *allParams) { p.Page = new(int64(0)) },
		"years=-5&years=3000":             func(p *allParams) { p.Years = []int64{-5, 3000} },
		"any=9223372036854775807":         func(p *allParams) { p.Any = new(int64(9223372036854775807)) },
		"open=false":                      func(p *allParams) { p.Open = new(false) },
		"open=true":                       func(p *allParams) { p.Open = new(true) },
		"mine=false":                      func(p *allParams) { p.Mine = false },
		"agree=true":                      func(p *allParams) { p.Agree = new(true) },
		"flags=true&flags=false":          func(p *allParams) { p.Flags = []bool{true, false} },
		"cursor=after-7":                  func(p *allParams) { p.Cursor = cursor{After: "7"} },
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			want := base
			change(&want)
			got, e := decodeAll(t, "uri="+aURI+"&"+query)
			if e != (wireError{}) {
				t.Fatal(e)
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(allParams{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParamsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ query, message string }{
		{"uri=", "uri: is required"},
		{"uri=https://example.com", `uri: must be an at:// URI, got "https://example.com"`},
		{"uris=" + aURI, "uris: must have between 2 and 3 items, got 1"},
		{strings.Repeat("&uris="+aURI, 4), "uris: must have between 2 and 3 items, got 4"},
		{"uris=" + aURI + "&uris=x", `uris: item 2 must be an at:// URI, got "x"`},
		{"actor=alice", `actor: must be a handle or DID, got "alice"`},
		{"did=alice.test", `did: must be a DID, got "alice.test"`},
		{"handle=did:web:example.com", `handle: must be a handle, got "did:web:example.com"`},
		{"nsid=note", `nsid: must be an NSID, got "note"`},
		{"cid=x", `cid: must be a CID, got "x"`},
		{"since=yesterday", `since: must be a datetime like 2026-01-31T12:00:00.000Z, got "yesterday"`},
		{"since=2026-01-31T12:00:00.000", `since: must be a datetime like 2026-01-31T12:00:00.000Z, got "2026-01-31T12:00:00.000"`},
		{"link=example", `link: must be a URI, got "example"`},
		{"lang=english-please!", `lang: must be a language tag, got "english-please!"`},
		{"tid=0", `tid: must be a TID, got "0"`},
		{"rkey=a/b", `rkey: must be a record key, got "a/b"`},
		{"q=a", "q: must have between 2 and 64 bytes, got 1"},
		{"q=" + strings.Repeat("a", 65), "q: must have between 2 and 64 bytes, got 65"},
		{"q=123456789", "q: must have at most 8 characters"},
		{"q=a%00b", `q: must not contain control characters, got "a\x00b"`},
		{"q=a%0Ab", `q: must not contain control characters, got "a\nb"`},
		{"q=a%C2%85b", `q: must not contain control characters, got "a\u0085b"`},
		{"q=a%FFb", "q: must be valid UTF-8"},
		{"q=a%zz", "the query string is malformed"},
		{"q=a;b", "the query string is malformed"},
		{"sort=old", `sort: must be one of hot, new, got "old"`},
		{"sort=hot&sort=hot", "sort: must be given once, got 2 times"},
		{"stage=proposed&stage=" + strings.Repeat("x", 17), "stage: item 2 must have at most 16 bytes, got 17"},
		{"version=v2", `version: must be "v1", got "v2"`},
		{"limit=1000", "limit: must be between 1 and 100, got 1000"},
		{"limit=0", "limit: must be between 1 and 100, got 0"},
		{"limit=ten", "limit: must be an integer, got ten"},
		{"limit=5.0", "limit: must be an integer, got 5.0"},
		{"limit=+5", `limit: must be an integer, got " 5"`},
		{"depth=3", "depth: must be one of 1, 2, 4, got 3"},
		{"page=-1", "page: must be at least 0, got -1"},
		{"years=2026&years=3001", "years: item 2 must be at most 3000, got 3001"},
		{"any=9223372036854775808", "any: must be an integer of 64 bits, got 9223372036854775808"},
		{"open=1", "open: must be true or false, got 1"},
		{"open=TRUE", "open: must be true or false, got TRUE"},
		{"agree=false", "agree: must be true, got false"},
		{"flags=yes", "flags: item 1 must be true or false, got yes"},
		{"cursor=before-7", "cursor: is not one of ours"},
		{"cursor=" + strings.Repeat("x", 33), "cursor: must have at most 32 bytes, got 33"},
	} {
		t.Run(c.query, func(t *testing.T) {
			t.Parallel()
			query := c.query
			if !strings.HasPrefix(query, "uri=") {
				query = "uri=" + aURI + "&" + query
			}
			if _, e := decodeAll(t, query); e.Message != c.message {
				t.Errorf("got  %s\nwant %s", e.Message, c.message)
			}
		})
	}
}

func TestParamsEchoIsCut(t *testing.T) {
	t.Parallel()
	_, e := decodeAll(t, "uri="+url.QueryEscape(strings.Repeat("ü", 5000)))
	if len(e.Message) > 300 {
		t.Errorf("%d bytes: %s", len(e.Message), e.Message)
	}
}

func FuzzParams(f *testing.F) {
	for _, q := range []string{
		"uri=" + aURI, "uri=" + aURI + "&limit=5&sort=new&stage=a&stage=b&cursor=after-1", "uri=%00", "limit=99999999999999999999",
		"uri=" + aURI + "&since=2026-01-31T12:00:00Z&lang=de&q=%F0%9F%8F%B3%EF%B8%8F%E2%80%8D%F0%9F%8C%88&flags=true", "a;b", "%", "uris=&uris=",
	} {
		f.Add(q)
	}
	srv := newServer(f, xrpc.Config{}, xrpc.Options{CheckOutput: true})
	xrpc.Query(srv, "com.example.getAll", func(_ context.Context, p allParams) (*allOutput, error) {
		if p.URI == "" || p.Limit < 1 || p.Limit > 100 || p.Sort != "hot" && p.Sort != "new" || strings.ContainsAny(p.Q, "\x00\n") {
			panic("a handler was given what its lexicon forbids")
		}
		return &allOutput{}, nil
	})
	f.Fuzz(func(t *testing.T, query string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/xrpc/com.example.getAll", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery = query
		if w := send(t, srv, r); w.Code != http.StatusOK {
			wantError(t, w, http.StatusBadRequest, "InvalidRequest")
		}
	})
}
