package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// within bounds how long a demo may take to tell everything, on a machine that is busy.
const within = 7 * time.Minute

// printed is what a demo prints.
type printed struct {
	mu   sync.Mutex
	text bytes.Buffer
	last string        // what it says last
	all  chan struct{} // closed when it has said that, or that it cannot
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	said := p.said()
	p.text.Write(b)
	if !said && p.said() {
		close(p.all)
	}
	return len(b), nil
}

// said tells whether it has said everything; the caller holds the lock.
func (p *printed) said() bool {
	return bytes.Contains(p.text.Bytes(), []byte(p.last)) || bytes.Contains(p.text.Bytes(), []byte(brokenOff))
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// showing is a whole demo that runs.
type showing struct {
	t       *testing.T
	out     *printed
	stop    func()
	bin     string
	api     *atclient.APIClient
	escrow  *atclient.APIClient
	subject string // the live story's proposal
	dataDir string
}

// show starts a demo in a folder without the outcomes, and returns when it has told
// everything.
func show(t *testing.T, dataDir, bin string) *showing {
	t.Helper()
	return start(t, settings{dataDir: dataDir}, bin, "Ctrl-C")
}

// showOutcomes is show with nothing left out.
func showOutcomes(t *testing.T, dataDir, bin string) *showing {
	t.Helper()
	return start(t, settings{dataDir: dataDir, outcomes: true}, bin, tableTitle)
}

// start starts a demo, and returns when it has said what it says last.
func start(t *testing.T, s settings, bin, last string) *showing {
	t.Helper()
	for {
		out := &printed{last: last, all: make(chan struct{})}
		s.port, s.escrowPort, s.processorPort = freePort(t), freePort(t), freePort(t)
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		ended := make(chan error, 1)
		go func() { ended <- demo(ctx, s, out, t.Output()) }()
		stop := sync.OnceFunc(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("the demo ended with: %v", err)
			}
		})
		select {
		case <-out.all:
			t.Cleanup(stop)
		case err := <-ended:
			cancel()
			if errors.Is(err, syscall.EADDRINUSE) { // somebody else's by now
				continue
			}
			t.Fatalf("the demo ended with %v, after it said\n%s", err, out)
		case <-time.After(within):
			stop()
			t.Fatalf("the demo said no more than\n%s", out)
		}
		s := &showing{t: t, out: out, stop: stop, bin: bin, dataDir: s.dataDir}
		s.api = atclient.NewAPIClient(strings.TrimSuffix(s.said(`API=(\S+)`), "/xrpc"))
		s.escrow = atclient.NewAPIClient(strings.TrimSuffix(s.said(`HELD=(\S+)`), "/xrpc"))
		s.subject = s.said(`PROPOSAL=(\S+)`)
		return s
	}
}

// said finds something in what was printed.
func (s *showing) said(pattern string) string {
	s.t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(s.out.String())
	if found == nil {
		s.t.Fatalf("nothing like %s in\n%s", pattern, s.out)
	}
	return found[1]
}

// pledges are what the AppView says of the pledges: their statuses by amounts.
func (s *showing) pledges() map[int64]string {
	s.t.Helper()
	out, err := stratos.FeatureListPledges(s.t.Context(), s.api, "", nil, s.subject)
	if err != nil {
		s.t.Fatal(err)
	}
	statuses := map[int64]string{}
	for _, p := range out.Pledges {
		statuses[p.Value.Amount] = p.Status
		if (p.Receipt == nil) != (p.Status == "pending") {
			s.t.Errorf("%s is %s, and its receipt is %v", p.Uri, p.Status, p.Receipt)
		}
	}
	return statuses
}

// becomes lists what became of a payment, as its receipt tells.
func (s *showing) becomes(amount int64) (statuses []string) {
	s.t.Helper()
	out, err := stratos.EscrowListReceipts(s.t.Context(), s.escrow, "", "", nil, "", "")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range out.Receipts {
		uri := syntax.ATURI(r.Uri)
		parsed, err := lexicons.ParseRecordJSON(syntax.DID(uri.Authority()), uri.Collection(), uri.RecordKey(), json.RawMessage(r.Record))
		if err != nil {
			s.t.Fatal(err)
		}
		receipt := parsed.(*stratos.EscrowReceipt)
		if receipt.Test == nil || !*receipt.Test {
			s.t.Errorf("%s does not say that it is of play money", uri)
		}
		if receipt.Value.Amount != amount {
			continue
		}
		for _, change := range receipt.History {
			statuses = append(statuses, change.Status)
		}
	}
	return statuses
}

// typed gives all that was printed to a shell, where curl fails as browsers do not.
func (s *showing) typed() string {
	s.t.Helper()
	_, commands, _ := strings.Cut(s.out.String(), "\nAPI=")
	cmd := exec.CommandContext(s.t.Context(), "sh", "-eu", "-c", `curl() { command curl -fsS "$@"; }`+"\nAPI="+commands)
	cmd.Dir = s.t.TempDir() // what it clones stays there
	if err := os.Symlink(filepath.Join(s.bin, "bin"), filepath.Join(cmd.Dir, "bin")); err != nil {
		s.t.Fatal(err)
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		s.t.Errorf("typed into a shell, what was printed ends with %v: %s\n%s", err, complaints.String(), out)
	}
	return string(out)
}

// movements is what the operator's commands say of the money.
func (s *showing) movements() string {
	s.t.Helper()
	out := s.typed()
	agree := regexp.MustCompile(`The processor and the ledger agree: \d+ movements, 0 in flight`).FindString(out)
	whole := regexp.MustCompile(`The ledger is whole: \d+ entries`).FindString(out)
	if agree == "" || whole == "" {
		s.t.Errorf("the operator is told\n%s", out)
	}
	return agree + ". " + whole
}

// becameOfTheAttempts wants the table to say how each attempt ended.
func (s *showing) becameOfTheAttempts() {
	s.t.Helper()
	want := map[string][]string{
		"released, to two payees":   {"USD 65.00", "released", "lin-builds.test USD 43.23, omar-builds.test USD 18.52", "2 released", "yes, counts 3"},
		"cancelled":                 {"USD 15.00", "refunded (cancelled)", "nobody", "1 refunded", "yes, counts 1"},
		"lapsed":                    {"USD 12.00", "refunded (not-released)", "nobody", "1 refunded", "yes, counts 1"},
		"disputed, upheld":          {"USD 30.00", "refunded (dispute-upheld)", "nobody", "2 refunded", "yes, counts 2"},
		"disputed, rejected":        {"USD 17.00", "released", "omar-builds.test USD 16.15", "1 released", "yes, counts 1"},
		"licence corrected in time": {"USD 31.00", "released", "lin-builds.test USD 29.45", "2 released", "yes, counts 2"},
	}
	_, table, found := strings.Cut(s.out.String(), tableTitle)
	if !found {
		s.t.Fatalf("no table in\n%s", s.out)
	}
	columns := regexp.MustCompile(` {2,}`)
	got := map[string][]string{}
	for line := range strings.Lines(table) {
		if cells := columns.Split(strings.TrimSpace(line), -1); len(cells) == 7 && cells[1] != "what it shows" {
			got[cells[1]] = cells[2:]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("what became of the attempts (-want +got):\n%s", diff)
	}
}

// buildEscrow makes the operator's command, and returns the folder of its folder.
func buildEscrow(t *testing.T) (bin string) {
	t.Helper()
	bin = t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(bin, "bin")+"/", "github.com/stratosfund/stratosfund/cmd/escrow")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the escrow: %v: %s", err, out)
	}
	return bin
}

func TestDemo_HoldsAndRefundsForRealAndGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	bin, dir := buildEscrow(t), t.TempDir()
	s := show(t, dir, bin)
	if diff := cmp.Diff(map[int64]string{2500: "held", 1200: "pending"}, s.pledges()); diff != "" {
		t.Errorf("pledges in the AppView (-want +got):\n%s", diff)
	}
	if got := s.becomes(1800); !slices.Equal(got, []string{"held", "refunding", "refunded"}) {
		t.Errorf("the pledge that was taken back became %q", got)
	}
	s.said(`AppView says: held\.\n(?s:.*)AppView says: (refunded)\.`)
	s.typed()

	// Somebody does what the last step asks for.
	if err := pay(t.Context(), s.said(`within an hour: (\S+)`), cardAsks3DS); err != nil {
		t.Fatal(err)
	}
	if err := eventually(t.Context(), "the AppView shows it", func() (bool, error) { return s.pledges()[1200] == "held", nil }); err != nil {
		t.Fatal(err)
	}
	before := s.movements()
	s.stop()

	again := show(t, dir, bin)
	if again.subject != s.subject {
		t.Errorf("started again, the story is about %s, and was about %s", again.subject, s.subject)
	}
	if diff := cmp.Diff(map[int64]string{2500: "held", 1200: "held"}, again.pledges()); diff != "" {
		t.Errorf("pledges in the AppView after a restart (-want +got):\n%s", diff)
	}
	again.said(`tomas-backs.test's (pledge was paid before)`)
	if after := again.movements(); after != before {
		t.Errorf("after a restart: %s; before: %s", after, before)
	}
}

func TestDemo_AttemptsEndInEveryWayAndStayEndedAfterARestart(t *testing.T) {
	t.Parallel()
	bin, dir := buildEscrow(t), t.TempDir()
	s := showOutcomes(t, dir, bin)
	s.becameOfTheAttempts()
	before := s.movements()
	s.stop()

	again := showOutcomes(t, dir, bin)
	again.becameOfTheAttempts()
	if after := again.movements(); after != before {
		t.Errorf("after a restart: %s; before: %s", after, before)
	}
}
