package indexer_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/indexer/claims/claimstest"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/lexicons/weburi"
)

// leaping is a clock that goes on like others, from a moment that is moved.
type leaping struct{ ahead atomic.Int64 }

func (c *leaping) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *leaping) leap(d time.Duration) { c.ahead.Add(int64(d)) }

// crossing sends requests for the web's hosts there, and others to the network.
type crossing struct{ web, network http.RoundTripper }

func (c crossing) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Hostname(), claimstest.Domain) {
		return c.web.RoundTrip(req)
	}
	return c.network.RoundTrip(req)
}

// claimsOf are the claims of a project, by address.
func (f *fixture) claimsOf(t *testing.T, project syntax.ATURI) map[weburi.URI]store.ProjectClaim {
	t.Helper()
	out := map[weburi.URI]store.ProjectClaim{}
	err := f.store.Read(t.Context(), func(r *store.Reader) error {
		all, err := r.ProjectClaims(t.Context(), []syntax.ATURI{project})
		for _, c := range all[project] {
			out[c.URI] = c
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (f *fixture) claimed(t *testing.T, uri weburi.URI) []lifecycle.Claim {
	t.Helper()
	var out []lifecycle.Claim
	err := f.store.Read(t.Context(), func(r *store.Reader) (err error) {
		out, err = r.Claims(t.Context(), uri)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestR4_AProjectsAddressesAreVerifiedCheckedAgainAndExpire(t *testing.T) {
	t.Parallel()
	const (
		host  = "it.web.test"
		file  = ".well-known/atproto-did"
		repo  = weburi.URI("https://it.web.test/alice/it")
		pages = weburi.URI("https://it.web.test/docs")
	)
	network, web, clock := atmospheretest.Shared(t), claimstest.New(t), &leaping{}
	owner := atmospheretest.NewAccount(t, network, "claims")
	web.Repository(t, host, "alice/it.git", map[string]string{"README": "Hello."})
	index := startWith(t, network, indexer.Options{
		Clock: clock.Now, Transport: crossing{web, network.Transport()}, DialDNS: web.DialDNS,
	}, network.PDSURL())
	project := syntax.ATURI("at://" + owner.DID.String() + "/" + lexicons.CollectionProject.String() + "/it")
	put := func(name string, uris ...map[string]any) {
		t.Helper()
		_, _, err := owner.PutRecord(t.Context(), lexicons.CollectionProject, project.RecordKey(), map[string]any{
			"$type": lexicons.CollectionProject.String(), "name": name, "uris": uris,
			"createdAt": time.Now().UTC().Format(syntax.AtprotoDatetimeLayout),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	address := func(kind, uri string) map[string]any { return map[string]any{"kind": kind, "uri": uri} }
	both := func(want store.ClaimState) func() bool {
		return func() bool {
			c := index.claimsOf(t, project)
			return c[repo].State == want && c[pages].State == want
		}
	}

	put("It", address("repository", "https://it.web.test/alice/it.git"), address("documentation", "http://www.it.web.test/docs/"))
	eventually(t, "both addresses are refuted", both(store.ClaimRefuted))
	for uri, reason := range map[weburi.URI]string{repo: "has no file", pages: "nobody's handle"} {
		if c := index.claimsOf(t, project)[uri]; !strings.Contains(c.Reason, reason) || len(index.claimed(t, uri)) > 0 {
			t.Errorf("%s: %+v", uri, c)
		}
	}

	// The owner says so at both places, and edits the record to be asked again.
	web.Repository(t, host, "alice/it.git", map[string]string{file: owner.DID.String()})
	web.TXT("_atproto."+host, "did="+owner.DID.String())
	clock.leap(time.Minute)
	put("It works", address("repository", "https://it.web.test/alice/it.git"), address("documentation", "http://www.it.web.test/docs/"))
	eventually(t, "both addresses are verified", both(store.ClaimVerified))
	proven := map[weburi.URI]lifecycle.Claim{}
	for uri, method := range map[weburi.URI]lifecycle.ClaimMethod{repo: lifecycle.ClaimByRepository, pages: lifecycle.ClaimByHost} {
		got := index.claimed(t, uri)
		if len(got) != 1 || got[0].Method != method || got[0].Project.URI != project || got[0].Project.Author != owner.DID {
			t.Fatalf("%s: %+v", uri, got)
		}
		// The moments are of the clock at the check, and at its transaction.
		if holds := got[0].ExpiresAt.Sub(got[0].VerifiedAt); (7*24*time.Hour - holds).Abs() > time.Minute {
			t.Errorf("%s holds for %s", uri, holds)
		}
		proven[uri] = got[0]
	}

	clock.leap(24 * time.Hour)
	eventually(t, "both are checked again a day later", func() bool {
		r, p := index.claimed(t, repo)[0], index.claimed(t, pages)[0]
		return r.ExpiresAt.After(proven[repo].ExpiresAt) && p.ExpiresAt.After(proven[pages].ExpiresAt)
	})
	if got := index.claimed(t, repo)[0]; !got.VerifiedAt.Equal(proven[repo].VerifiedAt) {
		t.Errorf("verified since %s, and before that since %s", got.VerifiedAt, proven[repo].VerifiedAt)
	}

	// Nobody answers any more: the claims stand until they expire.
	web.Serve(host, "/alice/it/info/refs", claimstest.Status(http.StatusServiceUnavailable))
	web.Serve(host, "/alice/it.git/info/refs", claimstest.Status(http.StatusServiceUnavailable))
	web.BreakDNS(errors.New("no route"))
	clock.leap(6 * 24 * time.Hour)
	eventually(t, "nobody could be asked", func() bool {
		c := index.claimsOf(t, project)
		return strings.Contains(c[repo].Reason, "503") && strings.Contains(c[pages].Reason, "no route")
	})
	count := func() map[string]int64 {
		status, err := index.store.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return status.Claims
	}
	if got := count(); got["verified"] != 2 {
		t.Errorf("claims: %v", got)
	}
	clock.leap(24 * time.Hour)
	if got := count(); got["expired"] != 2 {
		t.Errorf("claims: %v", got)
	}
	if got := index.claimed(t, repo); len(got) != 1 || got[0].ExpiresAt.After(clock.Now()) {
		t.Errorf("claims: %+v", got)
	}

	put("It moved", address("repository", "https://it.web.test/alice/other"))
	eventually(t, "what is listed no more is claimed no more", func() bool {
		_, listed := index.claimsOf(t, project)[repo]
		return !listed && len(index.claimed(t, repo)) == 0 && len(index.claimed(t, pages)) == 0
	})
	for _, outcome := range []string{"repository", "host", "refuted", "undecided"} {
		if index.counted(t, "stratos_indexer_claims_checked_total", "outcome", outcome) == 0 {
			t.Errorf("no check was counted as %s", outcome)
		}
	}
}

func TestClaims_APublicIndexReachesNoPrivateAddress(t *testing.T) {
	t.Parallel()
	network, web := atmospheretest.Shared(t), claimstest.New(t)
	owner := atmospheretest.NewAccount(t, network, "private")
	// What production uses with upstreams that are not on this machine.
	guard := indexer.Outgoing(false)
	index := startWith(t, network, indexer.Options{
		Clock: time.Now, Transport: crossing{web, guardedBut{network.Transport(), guard}}, DialDNS: web.DialDNS,
	}, network.PDSURL())
	project, _, err := owner.PutRecord(t.Context(), lexicons.CollectionProject, "it", map[string]any{
		"$type": lexicons.CollectionProject.String(), "name": "It", "createdAt": time.Now().UTC().Format(syntax.AtprotoDatetimeLayout),
		"uris": []map[string]any{
			{"kind": "repository", "uri": "https://127.0.0.1/it"}, {"kind": "repository", "uri": "https://localhost/it"},
			{"kind": "repository", "uri": "https://moved.web.test/it"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	web.Serve("moved.web.test", "/it/info/refs", http.RedirectHandler("https://192.168.0.1/it/info/refs", http.StatusFound))
	eventually(t, "all were tried and none was reached", func() bool {
		refused := 0
		for _, c := range index.claimsOf(t, project) {
			if c.State == store.ClaimUnchecked && strings.Contains(c.Reason, "is not a public IP address") {
				refused++
			}
		}
		return refused == 3
	})
}

// guardedBut leaves the atmosphere's own servers, which are on this machine, out
// of the guard.
type guardedBut struct{ network, guard http.RoundTripper }

func (g guardedBut) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "http" || strings.HasSuffix(req.URL.Hostname(), ".test") {
		return g.network.RoundTrip(req)
	}
	return g.guard.RoundTrip(req)
}
