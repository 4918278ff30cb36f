package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
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

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
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

const someCID = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"

// operator has an account and a folder, and runs an escrow with them.
type operator struct {
	t        *testing.T
	network  *atmosphere.Network
	account  *atmosphere.Account
	database string
	terms    string
	key      string // of acknowledgements
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	network := atmospheretest.Shared(t)
	dir := t.TempDir()
	o := &operator{
		t: t, network: network, account: atmospheretest.NewAccount(t, network, "escrow"),
		database: filepath.Join(dir, "escrow.db"), terms: filepath.Join(dir, "terms.json"),
	}
	var err error
	o.key, _, err = checkout.NewKey()
	o.ok(err)
	const day = 24 * 60 * 60
	numbers, err := json.Marshal(map[string]any{
		"currencies":     []any{map[string]any{"currency": "USD", "minimum": 100, "maximum": 100_000}},
		"feeBasisPoints": 500, "previewSeconds": map[string]any{"minimum": 7 * day, "maximum": 14 * day},
		"releaseSeconds": 14 * day, "verificationSeconds": 14 * day, "rulingSeconds": 10 * day,
		"disputeReserveSeconds": 14 * day, "maximumHoldSeconds": 80 * day, "text": "terms.md",
	})
	o.ok(err)
	o.ok(os.WriteFile(o.terms, numbers, 0o600))
	o.ok(os.WriteFile(filepath.Join(dir, "terms.md"), []byte("The terms.\n"), 0o600))
	return o
}

func (o *operator) ok(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// settings are those of a simulator's escrow, with others in their place.
func (o *operator) settings(other map[string]string) (environ []string) {
	settings := map[string]string{
		"ESCROW_MODE": "simulator", "ESCROW_BIND": "127.0.0.1:0", "ESCROW_DATABASE_URL": "sqlite://" + o.database,
		"ESCROW_RELAY_URL": o.network.PDSURL(), "ESCROW_PLC_URL": o.network.PLCURL(),
		"ESCROW_DID": o.account.DID.String(), "ESCROW_IDENTIFIER": o.account.Handle.String(), "ESCROW_APP_PASSWORD": o.account.Password,
		"ESCROW_SERVICE_NAME": "Test Escrow", "ESCROW_TERMS_FILE": o.terms, "ESCROW_PUBLIC_URL": "https://escrow.example.org",
		"ESCROW_ACKNOWLEDGEMENT_KEY": o.key,
		"ESCROW_STRIPE_KEY":          "sk_test_simulator_local", "ESCROW_STRIPE_API_URL": "http://127.0.0.1:8095",
		"ESCROW_STRIPE_WEBHOOK_SECRET": "whsec_account", "ESCROW_STRIPE_CONNECT_WEBHOOK_SECRET": "whsec_connect",
	}
	for name, value := range other {
		settings[name] = value
	}
	for name, value := range settings {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// arguments are the same settings as flags.
func (o *operator) arguments(other map[string]string) []string {
	args := []string{"escrow", "run"}
	for _, setting := range o.settings(other) {
		name, value, _ := strings.Cut(setting, "=")
		args = append(args, "--"+strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "ESCROW_")), "_", "-")+"="+value)
	}
	return args
}

// process is an escrow in a process of its own.
type process struct {
	*exec.Cmd
	addr   string
	mu     sync.Mutex
	said   []string
	silent chan struct{} // closed when it has said everything
}

func (o *operator) command(other map[string]string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "run")
	cmd.Env = append(slices.Concat(os.Environ(), o.settings(other)), asProgram+"=1")
	cmd.Dir = o.t.TempDir()
	return cmd
}

func (o *operator) start(other map[string]string) *process {
	o.t.Helper()
	p := &process{Cmd: o.command(other), silent: make(chan struct{})}
	stderr, err := p.StderrPipe()
	o.ok(err)
	o.ok(p.Start())
	o.t.Cleanup(func() { _ = p.Process.Kill() })
	serving := regexp.MustCompile(`msg=serving .*addr=(\S+)`)
	addr := make(chan string, 1)
	go func() {
		defer close(p.silent)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			p.mu.Lock()
			p.said = append(p.said, lines.Text())
			p.mu.Unlock()
			if found := serving.FindStringSubmatch(lines.Text()); found != nil {
				addr <- found[1]
			}
		}
	}()
	select {
	case p.addr = <-addr:
	case <-p.silent:
		o.t.Fatalf("the process said no address: %q", p.lines())
	}
	return p
}

func (p *process) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.said)
}

// stop asks the process to end, and wants it to.
func (o *operator) stop(p *process) {
	o.t.Helper()
	o.ok(p.Process.Signal(syscall.SIGTERM))
	<-p.silent
	if err := p.Wait(); err != nil {
		o.t.Errorf("asked to stop, the process ended with %v, want status 0: %q", err, p.lines())
	}
}

func (o *operator) kill(p *process) {
	o.t.Helper()
	o.ok(p.Process.Signal(syscall.SIGKILL))
	<-p.silent
	_ = p.Wait() // says that it was killed, as we know
}

// run runs a command of the program within the test.
func (o *operator) run(args ...string) (string, error) {
	var out strings.Builder
	args = append([]string{"escrow"}, args...)
	err := run(o.t.Context(), append(args[:len(args):len(args)], "--database-url", "sqlite://"+o.database), func() []string { return nil }, &out, io.Discard)
	return out.String(), err
}

func (o *operator) get(p *process, path string) (status int, body map[string]any) {
	o.t.Helper()
	resp, err := http.Get("http://" + p.addr + path)
	o.ok(err)
	defer resp.Body.Close()
	o.ok(json.NewDecoder(resp.Body).Decode(&body))
	return resp.StatusCode, body
}

// published waits until nothing of the ledger is unpublished.
func (o *operator) published(p *process) {
	o.t.Helper()
	o.until("everything is published", func() bool {
		_, health := o.get(p, "/xrpc/_health")
		return health["unpublished"] == 0.0
	})
}

func (o *operator) until(what string, holds func() bool) {
	o.t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			o.t.Fatalf("it never came that %s", what)
		}
	}
}

func pledgeOf(n int64) syntax.ATURI {
	return syntax.ATURI("at://did:plc:payerpayerpayerpayerpaye/fund.stratos.feature.pledge/" + string(syntax.NewTID(n, 0)))
}

// paid puts pledges into the ledger, while no escrow runs.
func (o *operator) paid(count int64) {
	o.t.Helper()
	s, err := store.Open(o.t.Context(), store.Config{Path: o.database, Mode: payments.Simulator}, store.Options{Clock: time.Now})
	o.ok(err)
	defer s.Close()
	l, r := ledger.New(s.Mode()), repo.New(o.account.DID, s.Mode())
	in := func(did syntax.DID, collection syntax.NSID) comatproto.RepoStrongRef {
		return comatproto.RepoStrongRef{Uri: "at://" + did.String() + "/" + collection.String() + "/3lbqxkdzvqk2a", Cid: someCID}
	}
	for n := range count {
		hold := ledger.HoldID(fmt.Sprintf("h%d", n))
		value := money.Money{Amount: 1000 + n, Currency: "USD"}
		o.ok(s.Update(o.t.Context(), func(ctx context.Context, tx *store.Tx) error {
			err := r.PinReceipt(ctx, tx, repo.Pin{
				Pledge: pledgeOf(n), Development: in("did:plc:developerdeveloperdevelo", lexicons.CollectionDevelopment),
				Proposal: in("did:plc:developerdeveloperdevelo", lexicons.CollectionProposal),
				Terms:    in(o.account.DID, lexicons.CollectionTerms), HeldUntil: time.Now().AddDate(0, 0, 80),
			})
			if err != nil {
				return err
			}
			if err := l.OpenHold(ctx, tx, ledger.Checkout{Hold: hold, Pledge: pledgeOf(n), CID: someCID, Attempt: "attemptaaaaaaaaaaaaaaaaa", Value: value}); err != nil {
				return err
			}
			return l.Charge(ctx, tx, ledger.Charged{Hold: hold, Charge: "ch_" + string(hold), Transaction: ledger.Transaction{
				ID: "txn_" + string(hold), Amount: value.Amount, Currency: "USD",
			}})
		}))
	}
}

// receipts are those in the repository: amounts by pledge.
func (o *operator) receipts() map[syntax.ATURI]int64 {
	o.t.Helper()
	out := map[syntax.ATURI]int64{}
	for cursor := ""; ; {
		var page struct {
			Cursor  string
			Records []struct {
				URI   syntax.ATURI
				Value json.RawMessage
			}
		}
		o.ok(o.account.Client.Get(o.t.Context(), "com.atproto.repo.listRecords", map[string]any{
			"repo": o.account.DID.String(), "collection": lexicons.CollectionReceipt.String(), "limit": 100, "cursor": cursor,
		}, &page))
		for _, r := range page.Records {
			record, err := lexicons.ParseRecordJSON(o.account.DID, lexicons.CollectionReceipt, r.URI.RecordKey(), r.Value)
			o.ok(err)
			receipt := record.(*stratos.EscrowReceipt)
			out[syntax.ATURI(receipt.Subject.Uri)] = receipt.Value.Amount
		}
		if page.Cursor == "" || len(page.Records) == 0 {
			return out
		}
		cursor = page.Cursor
	}
}

func TestKilledAtAnyMomentReceiptsAndLedgerAgreeInTheEnd(t *testing.T) {
	t.Parallel()
	const pledges, lives = 120, 8
	o := newOperator(t)
	o.paid(pledges)
	interrupted := 0
	for range lives {
		p := o.start(nil)
		enough := min(pledges, len(o.receipts())+1+rand.IntN(10))
		o.until("some receipts are there", func() bool { return len(o.receipts()) >= enough })
		o.kill(p)
		if len(o.receipts()) < pledges {
			interrupted++
		}
	}
	if interrupted == 0 {
		t.Fatal("no life ended before the last receipt: this run proves nothing")
	}
	p := o.start(nil)
	o.published(p)
	o.stop(p)
	got := o.receipts()
	if len(got) != pledges {
		t.Errorf("%d receipts, want %d", len(got), pledges)
	}
	for n := range int64(pledges) {
		if got[pledgeOf(n)] != 1000+n {
			t.Errorf("the receipt of %s says %d, want %d", pledgeOf(n), got[pledgeOf(n)], 1000+n)
		}
	}
	if out, err := o.run("ledger", "verify"); err != nil || !strings.Contains(out, "whole: 120 entries") {
		t.Errorf("verify says %v, %s", err, out)
	}
}

// Two people behind the same proxy do not use up one another's requests, and nobody gets
// more of them by what he writes into a header.
func TestRun_CountsWhoComesThroughAProxyThatItTrusts(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	status := func(p *process, forwarded string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.addr+"/xrpc/_health", nil)
		o.ok(err)
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		resp, err := http.DefaultClient.Do(r)
		o.ok(err)
		o.ok(resp.Body.Close())
		return resp.StatusCode
	}
	const once = "0.001" // requests per second: one, and no other while the test runs
	const warning = "no proxy is trusted"
	type request struct {
		what, forwarded string
		want            int
	}
	for _, c := range []struct {
		proxies  string
		warned   bool
		requests []request
	}{
		{"127.0.0.1", false, []request{
			{"the first", "203.0.113.1", http.StatusOK},
			{"the first again", "203.0.113.1", http.StatusTooManyRequests},
			{"the second", "203.0.113.2", http.StatusOK},
			{"the first, with a lie", "203.0.113.3, 203.0.113.1", http.StatusTooManyRequests},
			{"the first, as this machine", "127.0.0.1, 203.0.113.1", http.StatusTooManyRequests},
			{"the operator", "", http.StatusOK},
		}},
		{"192.0.2.0/24", false, []request{
			{"not through the proxy", "203.0.113.1", http.StatusOK},
			{"the same with another lie", "203.0.113.2", http.StatusTooManyRequests},
		}},
		{"", true, []request{
			{"no proxy is trusted", "203.0.113.1", http.StatusOK},
			{"the same with another lie", "203.0.113.2", http.StatusTooManyRequests},
		}},
	} {
		p := o.start(map[string]string{"ESCROW_TRUSTED_PROXIES": c.proxies, "ESCROW_RATE_LIMIT": once})
		for _, r := range c.requests {
			if got := status(p, r.forwarded); got != r.want {
				t.Errorf("%q: %s was answered with %d, want %d", c.proxies, r.what, got, r.want)
			}
		}
		o.stop(p)
		if warned := strings.Contains(strings.Join(p.lines(), "\n"), warning); warned != c.warned {
			t.Errorf("%q: warned is %v: %q", c.proxies, warned, p.lines())
		}
	}
}

func TestRun_IntroducesItselfAndSaysThatNoMoneyIsReal(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	p := o.start(nil)
	o.published(p)
	var record struct{ Value json.RawMessage }
	o.ok(o.account.Client.Get(t.Context(), "com.atproto.repo.getRecord", map[string]any{
		"repo": o.account.DID.String(), "collection": lexicons.CollectionService.String(), "rkey": "self",
	}, &record))
	if _, err := lexicons.ParseRecordJSON(o.account.DID, lexicons.CollectionService, "self", record.Value); err != nil {
		t.Error(err)
	}
	if status, health := o.get(p, "/xrpc/_health"); status != http.StatusOK || health["mode"] != "simulator" || health["did"] != o.account.DID.String() {
		t.Errorf("status %d, health %v", status, health)
	}
	o.until("the embedded index is connected", func() bool {
		_, health := o.get(p, "/xrpc/_health")
		return health["connected"] == true
	})
	o.stop(p)
	lines := p.lines()
	for _, line := range lines {
		if !strings.Contains(line, "mode=simulator") {
			t.Errorf("a line without the mode: %s", line)
		}
		if strings.Contains(line, o.account.Password) {
			t.Error("the password is in the log")
		}
	}
	if last := lines[len(lines)-1]; !strings.Contains(last, "msg=stopped") {
		t.Errorf("the last line is %s", last)
	}
	if !strings.Contains(strings.Join(lines, "\n"), "does not lead to this service") {
		t.Error("nothing was said about a DID document without the service")
	}
}

func TestRun_OnlyOneAtATime(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	p := o.start(nil)
	out, err := o.command(nil).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another escrow runs on") {
		t.Errorf("a second escrow ended with %v: %s", err, out)
	}
	o.stop(p)
}

func TestRun_TheModeAndTheAccountArePinned(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	o.stop(o.start(nil))
	for name, c := range map[string]struct {
		settings map[string]string
		want     string
	}{
		"another mode": {map[string]string{
			"ESCROW_MODE": "test", "ESCROW_STRIPE_KEY": "sk_test_abc", "ESCROW_STRIPE_API_URL": "",
		}, "stays so for ever"},
		"another account": {map[string]string{"ESCROW_DID": "did:plc:otherotherotherotherothe"}, "stays so for ever"},
	} {
		out, err := o.command(c.settings).CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: ended with %v, want %q: %s", name, err, c.want, out)
		}
	}
}

func TestRun_ExplainsADidWebOfItsOwn(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	p := o.start(map[string]string{
		"ESCROW_PUBLIC_URL": "https://escrow.example.org", "ESCROW_DID": "did:web:escrow.example.org",
		"ESCROW_PDS_URL": o.network.PDSURL(), "ESCROW_SIGNING_KEY": "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
	})
	_, doc := o.get(p, "/.well-known/did.json")
	text := fmt.Sprint(doc)
	for _, want := range []string{"#stratos_escrow", "#atproto_pds", o.network.PDSURL(), "zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"} {
		if !strings.Contains(text, want) {
			t.Errorf("the document lacks %s: %s", want, text)
		}
	}
	// The account is another one, and nothing may be written there.
	<-p.silent
	if err := p.Wait(); err == nil || !strings.Contains(strings.Join(p.lines(), " "), "belongs to "+o.account.DID.String()) {
		t.Errorf("ended with %v: %q", err, p.lines())
	}
}

func TestRun_RefusesWhatDoesNotFitWithASentence(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	for name, c := range map[string]struct {
		settings map[string]string
		want     string
	}{
		"no mode":                    {map[string]string{"ESCROW_MODE": ""}, "ESCROW_MODE is missing"},
		"a mode that is none":        {map[string]string{"ESCROW_MODE": "production"}, "live, test or simulator"},
		"no key":                     {map[string]string{"ESCROW_STRIPE_KEY": ""}, "ESCROW_STRIPE_KEY is missing"},
		"a live key in another mode": {map[string]string{"ESCROW_STRIPE_KEY": "sk_live_abc"}, "a live key moves real money"},
		"a simulator in live mode":   {map[string]string{"ESCROW_MODE": "live", "ESCROW_STRIPE_KEY": "sk_live_abc"}, "ESCROW_MODE is live, so ESCROW_STRIPE_API_URL"},
		"this machine in live mode": {map[string]string{
			"ESCROW_MODE": "live", "ESCROW_STRIPE_KEY": "sk_live_abc", "ESCROW_STRIPE_API_URL": "", "ESCROW_PUBLIC_URL": "http://localhost:8090",
		}, "follows the real network"},
		"plain http in live mode": {map[string]string{
			"ESCROW_MODE": "live", "ESCROW_STRIPE_KEY": "sk_live_abc", "ESCROW_STRIPE_API_URL": "", "ESCROW_PUBLIC_URL": "http://localhost:8090",
			"ESCROW_RELAY_URL": "https://relay.example.org", "ESCROW_PLC_URL": "https://plc.example.org",
		}, "begins with https://"},
		"no secret of webhooks":        {map[string]string{"ESCROW_STRIPE_WEBHOOK_SECRET": ""}, "ESCROW_STRIPE_WEBHOOK_SECRET is missing"},
		"one secret for both":          {map[string]string{"ESCROW_STRIPE_CONNECT_WEBHOOK_SECRET": "whsec_account"}, "have a secret in common"},
		"a short password of admin":    {map[string]string{"ESCROW_ADMIN_PASSWORD": "swordfish"}, "at least 12 characters"},
		"no account":                   {map[string]string{"ESCROW_DID": ""}, "did: the escrow needs an account"},
		"no password":                  {map[string]string{"ESCROW_APP_PASSWORD": ""}, "needs an app password"},
		"no terms":                     {map[string]string{"ESCROW_TERMS_FILE": ""}, "terms-file"},
		"terms that are away":          {map[string]string{"ESCROW_TERMS_FILE": "/nonexistent/terms.json"}, "/nonexistent/terms.json"},
		"a database that is none":      {map[string]string{"ESCROW_DATABASE_URL": "postgres://x"}, "database-url"},
		"a did:web without its PDS":    {map[string]string{"ESCROW_DID": "did:web:escrow.example.org"}, "pds-url"},
		"a PDS that the DID names":     {map[string]string{"ESCROW_PDS_URL": "https://pds.example.org"}, "leave them out"},
		"a proxy that is no address":   {map[string]string{"ESCROW_TRUSTED_PROXIES": "10.0.0.0/8,proxy.example.org"}, `trusted-proxies: "proxy.example.org" is neither`},
		"everybody as a proxy":         {map[string]string{"ESCROW_TRUSTED_PROXIES": "0.0.0.0/0"}, "trusted-proxies"},
		"a contact that is no address": {map[string]string{"ESCROW_CONTACT": "call me"}, "contact"},
	} {
		err := run(t.Context(), o.arguments(c.settings), func() []string { return nil }, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		} else if strings.Contains(err.Error(), "sk_live_abc") || strings.Contains(err.Error(), o.account.Password) {
			t.Errorf("%s: a secret is quoted: %v", name, err)
		}
	}
}

func TestRun_RefusesAMistypedVariable(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	err := run(t.Context(), o.arguments(nil), func() []string { return []string{"ESCROW_MOOD=live"} }, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "ESCROW_MOOD;") {
		t.Errorf("got %v, want the variable by its name", err)
	}
}

// Whoever names a backup where a flag belongs must not be told about another database.
func TestCommands_TakeNoArgumentForNothing(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	o.paid(1)
	for _, args := range [][]string{
		{"ledger", "verify", "backup.db"}, {"status", "backup.db"}, {"journal", "all"}, {"new-key", "me"}, {"run", "now"}, {"reconcile", "now"},
	} {
		flags := []string{"--database-url", "sqlite://" + o.database}
		if slices.Contains([]string{"new-key", "reconcile"}, args[0]) {
			flags = nil
		}
		var out strings.Builder
		err := run(t.Context(), slices.Concat([]string{"escrow"}, args, flags), func() []string { return nil }, &out, io.Discard)
		if want := strings.Join(args[:len(args)-1], " ") + " takes only flags, and not"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %s", args, err, &out)
		}
	}
}

// A word in backquotes becomes the name of a flag's value.
func TestHelp_NamesAreOfFlags(t *testing.T) {
	t.Parallel()
	for _, flag := range runFlags() {
		named, ok := flag.(cli.DocGenerationFlag)
		if !ok || strings.Contains(named.GetUsage(), "`") {
			t.Errorf("%v says %q", flag.Names(), named.GetUsage())
		}
	}
}

func TestLedgerVerify_ComparesWithAStatement(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	o.paid(3)
	out, err := o.run("ledger", "verify")
	o.ok(err)
	hash := regexp.MustCompile(`head is 3 ([0-9a-f]{64})`).FindStringSubmatch(out)
	if hash == nil {
		t.Fatalf("verify says %s", out)
	}
	statement := func(content string) string {
		file := filepath.Join(t.TempDir(), "statement.json")
		o.ok(os.WriteFile(file, []byte(content), 0o600))
		return file
	}
	of := func(hash string) string {
		return statement(fmt.Sprintf(`{"$type":"fund.stratos.escrow.statement","ledgerHead":{"sequence":3,"hash":%q}}`, hash))
	}
	if out, err := o.run("ledger", "verify", "--against", of(hash[1])); err != nil || !strings.Contains(out, "whole") {
		t.Errorf("against its own head: %v, %s", err, out)
	}
	for name, c := range map[string]struct{ file, want string }{
		"another past": {of(strings.Repeat("ab", 32)), "1 findings"},
		"half a hash":  {of("abcd"), "32 bytes"},
		"no statement": {statement(`{}`), "no ledgerHead"},
		"no JSON":      {statement(`head`), "invalid character"},
		"no file":      {filepath.Join(t.TempDir(), "away.json"), "no such file"},
	} {
		if out, err := o.run("ledger", "verify", "--against", c.file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q; %s", name, err, c.want, out)
		}
	}
}

func TestStatusAndBackup_WorkWhileTheEscrowRuns(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	o.paid(2)
	out, err := o.run("status")
	o.ok(err)
	if !regexp.MustCompile(`repository +waiting +2 +since \d{4}-`).MatchString(out) {
		t.Errorf("status does not say since when receipts wait:\n%s", out)
	}
	p := o.start(nil)
	o.published(p)
	out, err = o.run("status")
	o.ok(err)
	for _, want := range []string{"simulator", o.account.DID.String(), lexicons.CollectionTerms.String(), "sequence  2", "waiting     0"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("status lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "retry-refund") {
		t.Errorf("no refund came back, and status says\n%s", out)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	if _, err := o.run("backup", copied); err != nil {
		t.Fatal(err)
	}
	if _, err := o.run("backup", copied); err == nil {
		t.Error("a backup was written over")
	}
	if _, err := o.run("backup"); err == nil {
		t.Error("a backup to nowhere")
	}
	o.stop(p)
	o.database = copied
	if out, err := o.run("ledger", "verify"); err != nil || !strings.Contains(out, "whole: 2 entries") {
		t.Errorf("the copy: %v, %s", err, out)
	}
}

// The operator, who alone can do something about a refund that came back, finds its pledge.
func TestStatus_NamesTheRefundsThatCameBack(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	o.paid(2)
	terms, err := repo.ReadTerms(o.terms)
	o.ok(err)
	s, err := store.Open(t.Context(), store.Config{Path: o.database, Mode: payments.Simulator}, store.Options{Clock: time.Now})
	o.ok(err)
	o.ok(s.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if err := repo.New(o.account.DID, s.Mode()).Announce(ctx, tx, repo.Service{Name: "Test", URI: "https://escrow.example.org/"}, terms); err != nil {
			return err
		}
		l := ledger.New(s.Mode())
		if err := l.DecideRefund(ctx, tx, "h1", ledger.ReasonFraud); err != nil {
			return err
		}
		return l.RefuseRefund(ctx, tx, "h1", "1")
	}))
	o.ok(s.Close())
	out, err := o.run("status")
	o.ok(err)
	for _, want := range []string{pledgeOf(1).String(), "USD 10.01", "escrow retry-refund", "escrow paid-otherwise"} {
		if !strings.Contains(out, want) {
			t.Errorf("status does not say %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, pledgeOf(0).String()) {
		t.Errorf("status names a pledge that is held:\n%s", out)
	}
}

func TestTheBareCommandPrintsItsHelp(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), []string{"escrow"}, func() []string { return nil }, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"run", "status", "ledger", "backup", "COMMANDS"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the help lacks %q", want)
		}
	}
}

// TestNewKey_IsOneThatSigns: what is printed is what the configuration takes.
func TestNewKey_IsOneThatSigns(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"escrow", "new-key"}, func() []string { return nil }, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	printed := regexp.MustCompile(`(?s)^ESCROW_ACKNOWLEDGEMENT_KEY=(\S+)\n.*# did:key:(\S+)\n$`).FindStringSubmatch(out.String())
	if printed == nil {
		t.Fatalf("printed %q", out.String())
	}
	key, err := checkout.ParseKey(payments.NewSecret(printed[1]))
	if err != nil || key.Multibase() != printed[2] {
		t.Errorf("the key of %q is %v, %v", printed[2], key, err)
	}
}
