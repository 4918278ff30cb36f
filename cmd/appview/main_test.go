package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// asProgram makes the test binary be the program, so that tests can kill it.
const asProgram = "STRATOS_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is an appview in a process of its own.
type process struct {
	*exec.Cmd
	addr string
}

func startProcess(t *testing.T, network *atmosphere.Network, database string, more ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{
		"run",
		"--bind", "127.0.0.1:0", "--database-url", "sqlite://" + database,
		"--relay-url", network.PDSURL(), "--plc-url", network.PLCURL(),
	}, more...)...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.Dir = t.TempDir()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	p := &process{Cmd: cmd}
	serving := regexp.MustCompile(`msg=serving addr=(\S+)`)
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if found := serving.FindStringSubmatch(lines.Text()); found != nil {
			p.addr = found[1]
			break
		}
		t.Log(lines.Text())
	}
	if p.addr == "" {
		t.Fatalf("the process said no address: %v", cmd.Wait())
	}
	go func() { _, _ = io.Copy(io.Discard, stderr) }()
	return p
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // says that it was killed, as we know
}

func TestKilledAtAnyMomentItLosesAndDoublesNothing(t *testing.T) {
	network := atmospheretest.Shared(t)
	author, backer := atmospheretest.NewAccount(t, network, "author"), atmospheretest.NewAccount(t, network, "backer")
	database := filepath.Join(t.TempDir(), "appview.db")

	// Two accounts write, edit and delete while the process is killed over and
	// over; expected is what their repositories hold in the end.
	const lives = 8
	writing, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var mu sync.Mutex
	expected := map[string]string{} // uri -> cid
	write := func(account *atmosphere.Account, n int) {
		defer wg.Done()
		for i := 0; writing.Err() == nil; i++ {
			rkey := syntax.RecordKey(syntax.NewTIDFromTime(time.UnixMicro(int64(1_700_000_000_000_000+i%40)), uint(n)))
			uri := "at://" + account.DID.String() + "/" + lexicons.CollectionProposal.String() + "/" + rkey.String()
			if i%7 == 6 {
				if err := account.DeleteRecord(t.Context(), syntax.ATURI(uri)); err != nil {
					t.Error(err)
				}
				mu.Lock()
				delete(expected, uri)
				mu.Unlock()
				continue
			}
			_, cid, err := account.PutRecord(t.Context(), lexicons.CollectionProposal, rkey, proposal(fmt.Sprintf("Proposal %d", i)))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			expected[uri] = cid
			mu.Unlock()
		}
	}
	wg.Add(2)
	go write(author, 1)
	go write(backer, 2)
	for range lives {
		p := startProcess(t, network, database)
		// Not waiting for a fact but making a moment: any is as good as another.
		time.Sleep(time.Duration(50+rand.IntN(400)) * time.Millisecond)
		p.kill(t)
	}
	stop()
	wg.Wait()
	if len(expected) < 20 {
		t.Fatalf("only %d records were written: the test proves nothing", len(expected))
	}

	p := startProcess(t, network, database)
	client := atclient.NewAPIClient("http://" + p.addr)
	var got map[string]string
	deadline := time.Now().Add(30 * time.Second)
	for got = listed(t, client); !equal(got, expected); got = listed(t, client) {
		if time.Now().After(deadline) {
			t.Fatalf("the index holds %d records, the repositories %d, or other versions", len(got), len(expected))
		}
		time.Sleep(5 * time.Millisecond)
	}

	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("asked to stop, the process ended with %v, want status 0", err)
	}
}

func proposal(title string) *stratos.FeatureProposal {
	return &stratos.FeatureProposal{
		LexiconTypeID: "fund.stratos.feature.proposal", Title: title, Description: "What it should do.",
		Subject:   stratos.FeatureProposal_Subject{FeatureProposal_UriSubject: &stratos.FeatureProposal_UriSubject{Uri: "https://example.org/"}},
		CreatedAt: time.Now().UTC().Format(syntax.AtprotoDatetimeLayout),
	}
}

// listed is what the AppView lists, uri to cid. Nothing may come twice.
func listed(t *testing.T, client *atclient.APIClient) map[string]string {
	t.Helper()
	got := map[string]string{}
	for cursor, limit := "", int64(100); ; {
		out, err := stratos.FeatureListProposals(t.Context(), client, "", "", "", cursor, &limit, "", "new", nil, "", "")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range out.Proposals {
			if got[p.Uri] != "" {
				t.Fatalf("%s is listed twice", p.Uri)
			}
			got[p.Uri] = p.Cid
		}
		if out.Cursor == nil {
			return got
		}
		cursor = *out.Cursor
	}
}

func equal(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

func TestUnknownVariablesAndWrongFlagsAreRefusedByName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		args    []string
		environ []string
		want    string
	}{
		{"a mistyped variable", []string{"appview", "run"}, []string{"APPVIEW_RELAY=x"}, "APPVIEW_RELAY;"},
		{"plain http to a stranger", []string{"appview", "run", "--relay-url", "http://relay.example.org"}, nil, "relay-url"},
		{"a database that is none", []string{"appview", "run", "--database-url", "postgres://x"}, nil, "database-url"},
		{"a public url with a path", []string{"appview", "run", "--public-url", "https://example.org/x"}, nil, "public-url"},
		{"an escrow that is no DID", []string{"appview", "run", "--trusted-escrows", "example.org"}, nil, "trusted-escrows"},
		{"a proxy that is no address", []string{"appview", "run", "--trusted-proxies", "localhost"}, nil, `trusted-proxies: "localhost" is neither`},
		{"a level that is none", []string{"appview", "run", "--log-level", "loud"}, nil, "log-level"},
		{"status of no index", []string{"appview", "status", "--database-url", "sqlite:///nonexistent/x.db"}, nil, "no index"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := run(t.Context(), c.args, func() []string { return c.environ }, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestPeopleBehindATrustedProxyAreClientsOfTheirOwn(t *testing.T) {
	t.Parallel()
	p := startProcess(t, atmospheretest.Shared(t), filepath.Join(t.TempDir(), "appview.db"), "--rate-limit", "0.001", "--trusted-proxies", "127.0.0.1")
	for _, c := range []struct {
		path, forwarded string
		want            int
	}{
		{"/", "203.0.113.1", http.StatusOK},
		{"/xrpc/_health", "203.0.113.1", http.StatusTooManyRequests},
		{"/", "203.0.113.2", http.StatusOK},
		{"/", "203.0.113.3, 203.0.113.2", http.StatusTooManyRequests},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.addr+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Forwarded-For", c.forwarded)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != c.want {
			t.Errorf("%s for %s was answered with %d, want %d (%v)", c.path, c.forwarded, resp.StatusCode, c.want, err)
		}
	}
	p.kill(t)
}

func TestTheBareCommandPrintsItsHelp(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), []string{"appview"}, func() []string { return nil }, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"run", "status", "COMMANDS"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the help lacks %q", want)
		}
	}
}

func TestStatusReadsTheIndexOfARunningService(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	author := atmospheretest.NewAccount(t, network, "counted")
	database := filepath.Join(t.TempDir(), "appview.db")
	p := startProcess(t, network, database)
	if _, _, err := author.CreateRecord(t.Context(), lexicons.CollectionProposal, proposal("Counted")); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		var out strings.Builder
		err := run(t.Context(), []string{"appview", "status", "--database-url", "sqlite://" + database}, func() []string { return nil }, &out, io.Discard)
		if err == nil && strings.Contains(out.String(), lexicons.CollectionProposal.String()) && strings.Contains(out.String(), "cursor") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("status says %v\n%s", err, out.String())
		}
		time.Sleep(5 * time.Millisecond)
	}
	p.kill(t)
}
