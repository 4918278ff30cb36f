package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func TestDemo(t *testing.T) {
	t.Parallel()
	sum, dir, at := startDemo(t)
	var printed bytes.Buffer
	if err := sum.print(t.Context(), &printed); err != nil {
		t.Fatal(err)
	}

	t.Run("each stage lists its proposals", func(t *testing.T) { eachStageLists(t, sum) })
	t.Run("every printed query answers", func(t *testing.T) { everyQueryAnswers(t, sum, printed.String()) })
	t.Run("nothing is overdue while somebody looks", func(t *testing.T) { nothingIsOverdue(t, sum, dir, at) })
	t.Run("the story stays until it is too old", func(t *testing.T) { staysUntilTooOld(t, sum.cast, at) })
}

// startDemo runs the parts of a demo, and tells the story anew, as of at, where an
// old one is.
func startDemo(t *testing.T) (sum *summary, dir string, at time.Time) {
	t.Helper()
	network := atmospheretest.Shared(t)
	c, err := assemble(t.Context(), network)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	var service *appview.Service
	var base *url.URL
	for service == nil {
		service, base, err = buildAppView(t.Context(), settings{dataDir: dir, port: freePort(t)}, network, []syntax.DID{c.escrow.DID}, io.Discard)
		if err != nil && !errors.Is(err, syscall.EADDRINUSE) { // somebody else's by now
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, service.Close()); err != nil {
			t.Errorf("the AppView ended with: %v", err)
		}
	})
	at = time.Now().Truncate(time.Millisecond)
	if _, err := tell(t.Context(), pds{}, c, at.Add(-2*freshFor)); err != nil {
		t.Fatal(err)
	}
	if told, err := toldAt(t.Context(), c, at); err != nil || !told.Equal(at) {
		t.Fatalf("an old story would be told as of %s, %v, want %s", told, err, at)
	}
	scenes, err := tell(t.Context(), pds{}, c, at)
	if err != nil {
		t.Fatal(err)
	}
	return &summary{base: base, network: network, cast: c, scenes: scenes}, dir, at
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func eachStageLists(t *testing.T, sum *summary) {
	client := atclient.NewAPIClient(sum.base.String())
	for _, stage := range lifecycle.Stages() {
		out, err := stratos.FeatureListProposals(t.Context(), client, "", "", "", "", nil, "", "", []string{string(stage)}, "", "")
		if err != nil {
			t.Fatal(err)
		}
		listed := map[string]bool{}
		for _, p := range out.Proposals {
			listed[p.Uri] = true
		}
		for _, s := range sum.scenes {
			if s.stage == stage && !listed[s.uri] {
				t.Errorf("%s does not list %q", stage, s.title)
			}
		}
	}
}

var printedQuery = regexp.MustCompile(`(?m)^curl "\$API/([^"]*)"( +#.*)?$`)

// everyQueryAnswers asks what the demo tells people to ask. Each answer has
// something in each of its lists.
func everyQueryAnswers(t *testing.T, sum *summary, printed string) {
	queries := printedQuery.FindAllStringSubmatch(printed, -1)
	if want := len(lifecycle.Stages()) + len(aboutOne) + len(sum.aboutAll()); len(queries) != want {
		t.Fatalf("%d queries in\n%s\nwant %d", len(queries), printed, want)
	}
	for _, match := range queries {
		query := strings.ReplaceAll(match[1], "$URI", sum.scenes[0].uri)
		status, answer := ask(t, sum.base.JoinPath("xrpc").String()+"/"+query)
		if status != http.StatusOK {
			t.Errorf("%s answers %d: %v", query, status, answer)
		}
		for name, value := range answer {
			if list, ok := value.([]any); ok && len(list) == 0 {
				t.Errorf("%s: nothing in %s", query, name)
			}
		}
	}
}

func ask(t *testing.T, address string) (status int, answer map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	return resp.StatusCode, answer
}

// nothingIsOverdue asks the rules for the moment until which a story may be shown
// that was about to be told anew, and as long again.
func nothingIsOverdue(t *testing.T, sum *summary, dir string, at time.Time) {
	st, err := store.OpenReadOnly(t.Context(), filepath.Join(dir, "appview.db"), store.Options{
		Clock: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	policy := lifecycle.Policy{TrustedEscrows: []syntax.DID{sum.cast.escrow.DID}, TestMoney: true}
	err = st.Read(t.Context(), func(r *store.Reader) error {
		for _, s := range sum.scenes {
			facts, err := r.Facts(t.Context(), syntax.ATURI(s.uri))
			if err != nil {
				return err
			}
			facts.Policy = policy
			for _, w := range lifecycle.WarningsAt(facts, at.Add(2*freshFor)) {
				if w.Code != lifecycle.WarnTestMoney && (w.Code != lifecycle.WarnUntrustedEscrow || s.title != "Translate posts") {
					t.Errorf("%q has the warning %s about %s", s.title, w.Code, w.URI)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func staysUntilTooOld(t *testing.T, c *cast, at time.Time) {
	for after, want := range map[time.Duration]time.Time{
		0:                           at,
		freshFor:                    at,
		freshFor + time.Millisecond: at.Add(freshFor + time.Millisecond),
	} {
		got, err := toldAt(t.Context(), c, at.Add(after))
		if err != nil {
			t.Fatal(err)
		}
		if !got.Equal(want) {
			t.Errorf("%s later, the story is as of %s, want %s", after, got, want)
		}
	}
}
