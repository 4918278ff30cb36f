package contract_test

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/lexicon"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/lexicons"
)

//go:embed package.json package-lock.json
var packages embed.FS

//go:embed *.mjs
var scripts embed.FS

var client = atmosphere.Program{Name: "contract", Packages: packages, Scripts: scripts, Main: "call.mjs"}

// patience is how long the test waits for the index before it looks all the same.
const patience = 30 * time.Second

func TestEveryEndpointAnswersAsItsLexiconSays(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	w := makeAccounts(t, network)
	indexed := startAppView(t, network, w, network.PDSURL())
	unindexed := startAppView(t, network, w, "http://localhost:9") // discard: nobody to follow
	w.live(t)
	awaitFull(t, indexed, w)

	var calls []call
	for _, c := range cases {
		calls = append(calls, c.call(w, indexed, unindexed))
	}
	for _, method := range notServed {
		calls = append(calls, call{Proxy: indexed.proxy(), Method: method})
	}
	answers := callAll(t, network, w, calls)

	table := &verdicts{}
	for i, c := range cases {
		table.add(c.method, string(c.answer), c.judge(answers[i]))
	}
	for i, method := range notServed {
		got := answers[len(cases)+i]
		if got.Error != "MethodNotImplemented" {
			table.add(method, "not served", "is served: give it its cases and take it off the list")
			continue
		}
		table.add(method, "not served", "")
	}
	t.Log("\n" + table.String())
	if table.bad > 0 {
		t.Errorf("%d of %d answers are not what the lexicons say", table.bad, len(table.rows))
	}
}

func TestEveryEndpointHasItsCases(t *testing.T) {
	t.Parallel()
	have := map[syntax.NSID]map[answer]bool{}
	for _, c := range cases {
		if have[c.method] == nil {
			have[c.method] = map[answer]bool{}
		}
		have[c.method][c.answer] = true
		if named := c.fields != ""; named != (c.answer == full || c.answer == empty) {
			t.Errorf("%s, %s: fields say what a full or an empty answer has, and nothing else", c.method, c.answer)
		}
	}
	for _, method := range appview.Methods() {
		if slices.Contains(notServed, method) {
			if have[method] != nil {
				t.Errorf("%s has cases and is listed as not served", method)
			}
			delete(have, method)
			continue
		}
		for _, want := range append([]answer{full, empty}, errorsOf(t, method)...) {
			if !have[method][want] {
				t.Errorf("%s has no case for %s", method, want)
			}
			delete(have[method], want)
		}
		for extra := range have[method] {
			t.Errorf("%s has a case for %s, which its lexicon does not list", method, extra)
		}
		delete(have, method)
	}
	for method := range have {
		t.Errorf("%s has cases and no lexicon", method)
	}
}

// errorsOf lists the errors that a method's lexicon names.
func errorsOf(t *testing.T, method syntax.NSID) []answer {
	t.Helper()
	schema, err := lexicons.Catalog().Resolve(method.String())
	if err != nil {
		t.Fatal(err)
	}
	var named []lexicon.SchemaError
	switch def := schema.Def.(type) {
	case lexicon.SchemaQuery:
		named = def.Errors
	case lexicon.SchemaProcedure:
		named = def.Errors
	}
	var out []answer
	for _, e := range named {
		out = append(out, answer(e.Name))
	}
	return out
}

// call is what call.mjs is asked to do, and reply what it says of it.
type call struct {
	Proxy  string      `json:"proxy"`
	Method syntax.NSID `json:"method"`
	Params params      `json:"params"`
}

type reply struct {
	Status     int            `json:"status"`
	Error      string         `json:"error"`
	Message    string         `json:"message"`
	Body       map[string]any `json:"body"`
	Violations []string       `json:"violations"`
}

func (c contractCase) call(w *world, indexed, unindexed *service) call {
	to := indexed
	if c.nothing {
		to = unindexed
	}
	return call{Proxy: to.proxy(), Method: c.method, Params: c.params(w)}
}

// judge says what is wrong with the answer to a case; nothing when it is right.
func (c contractCase) judge(got reply) string {
	if len(got.Violations) > 0 {
		return strings.Join(got.Violations, "; ")
	}
	if c.answer != full && c.answer != empty {
		if got.Status != 400 || got.Error != string(c.answer) || got.Message == "" {
			return fmt.Sprintf("got %d %s %q", got.Status, got.Error, got.Message)
		}
		return ""
	}
	if got.Status != 200 {
		return fmt.Sprintf("got %d %s %q", got.Status, got.Error, got.Message)
	}
	var wrong []string
	for _, field := range strings.Fields(c.fields) {
		if holds(got.Body, strings.Split(field, ".")) != (c.answer == full) {
			wrong = append(wrong, field)
		}
	}
	switch {
	case len(wrong) == 0:
		return ""
	case c.answer == full:
		return "nothing in " + strings.Join(wrong, ", ")
	default:
		return "something in " + strings.Join(wrong, ", ")
	}
}

// holds reports whether there is something at the path. Lists are entered at their
// first element.
func holds(value any, path []string) bool {
	switch v := value.(type) {
	case map[string]any:
		if len(path) > 0 {
			return holds(v[path[0]], path[1:])
		}
		return len(v) > 0
	case []any:
		return len(v) > 0 && holds(v[0], path)
	case string:
		return v != "" && len(path) == 0
	case float64:
		return v != 0 && len(path) == 0
	case bool:
		return len(path) == 0
	}
	return false
}

// callAll has the official client make the calls as the backer.
func callAll(t *testing.T, network *atmosphere.Network, w *world, calls []call) []reply {
	t.Helper()
	schemas, err := filepath.Abs("../../lexicons")
	if err != nil {
		t.Fatal(err)
	}
	job, err := json.Marshal(map[string]any{
		"pds": network.PDSURL(), "identifier": w.backer.Handle, "password": w.backer.Password,
		"lexicons": schemas, "calls": calls,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := client.Command(t.Context(), atmosphere.Config{Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(job), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("the client: %v\n%s", err, stderr.String())
	}
	var out []reply
	if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	if len(out) != len(calls) {
		t.Fatalf("%d answers to %d calls", len(out), len(calls))
	}
	return out
}

// verdicts is the table of what was asked and how it went.
type verdicts struct {
	rows []string
	bad  int
}

func (v *verdicts) add(method syntax.NSID, response, wrong string) {
	verdict := "ok"
	if wrong != "" {
		verdict = "WRONG: " + wrong
		v.bad++
	}
	v.rows = append(v.rows, fmt.Sprintf("%s\t%s\t%s\n", method, response, verdict))
}

func (v *verdicts) String() string {
	slices.Sort(v.rows)
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "endpoint\tresponse\tverdict")
	for _, row := range v.rows {
		fmt.Fprint(w, row)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}

// service is a running AppView.
type service struct {
	url  string
	port int
}

// proxy is how the PDS is told to forward to it.
func (s *service) proxy() string {
	return fmt.Sprintf("did:web:localhost%%3A%d#%s", s.port, appview.ServiceID)
}

// startAppView runs an AppView that follows an upstream and trusts the escrow.
func startAppView(t *testing.T, network *atmosphere.Network, w *world, upstream string) *service {
	t.Helper()
	built, s := buildAppView(t, network, w, upstream)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- built.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, built.Close()); err != nil {
			t.Errorf("the AppView ended with: %v", err)
		}
	})
	return s
}

// buildAppView knows its port before it listens, since the did:web names it: a free
// port that somebody else takes meanwhile is tried again with another one.
func buildAppView(t *testing.T, network *atmosphere.Network, w *world, upstream string) (*appview.Service, *service) {
	t.Helper()
	for {
		port := freePort(t)
		s := &service{url: fmt.Sprintf("http://localhost:%d", port), port: port}
		built, err := appview.Build(t.Context(), appview.Config{
			Bind:           fmt.Sprintf("127.0.0.1:%d", port),
			DatabaseURL:    "sqlite://" + filepath.Join(t.TempDir(), "appview.db"),
			RelayURLs:      []string{upstream},
			PLCURL:         network.PLCURL(),
			PublicURL:      s.url,
			TrustedEscrows: []syntax.DID{w.escrow.DID},
			Version:        "contract",
		}, appview.Options{
			Log: slog.New(slog.DiscardHandler), Clock: time.Now, Transport: network.Transport(),
		})
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return built, s
	}
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

// awaitFull waits until the index has all that the full answers need. What is
// missing after that shows in the table.
func awaitFull(t *testing.T, s *service, w *world) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	api := atclient.NewAPIClient(s.url)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for _, c := range cases {
		if c.answer != full {
			continue
		}
		c.fields = strings.Join(slices.DeleteFunc(strings.Fields(c.fields), ofViewer), " ")
		for {
			var body map[string]any
			err := api.Get(ctx, c.method, c.params(w), &body)
			if err == nil && c.judge(reply{Status: 200, Body: body}) == "" {
				break
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}
}

// ofViewer tells the fields that only an answer to somebody has.
func ofViewer(field string) bool { return slices.Contains(strings.Split(field, "."), "viewer") }
