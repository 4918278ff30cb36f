package atmosphere_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
)

const proposal = syntax.NSID("fund.stratos.feature.proposal")

// parentEnv makes this test binary the parent of a network that somebody kills.
const parentEnv = "ATMOSPHERE_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parentEnv) != "" {
		beParent()
	}
	os.Exit(m.Run())
}

func darkMode(title string) map[string]any {
	return map[string]any{
		"$type":     proposal.String(),
		"title":     title,
		"createdAt": "2026-04-30T12:00:00.000Z",
	}
}

func TestRecordIsReadBackAsWritten(t *testing.T) {
	t.Parallel()
	n := atmospheretest.Shared(t)
	alice := atmospheretest.NewAccount(t, n, "alice")
	bob := atmospheretest.NewAccount(t, n, "bob")

	uri, cid, err := alice.CreateRecord(t.Context(), proposal, darkMode("Dark mode"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	gotCID, err := bob.GetRecord(t.Context(), uri, &got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(darkMode("Dark mode"), got); diff != "" || gotCID != cid {
		t.Errorf("record %s, written as %s:\n%s", gotCID, cid, diff)
	}

	edited, editedCID, err := alice.PutRecord(t.Context(), proposal, uri.RecordKey(), darkMode("Darker mode"))
	if err != nil {
		t.Fatal(err)
	}
	if edited != uri || editedCID == cid {
		t.Errorf("edit wrote %s %s, want a new CID at %s", edited, editedCID, uri)
	}
	if err := alice.DeleteRecord(t.Context(), uri); err != nil {
		t.Fatal(err)
	}
	var refused *atclient.APIError
	if _, err := bob.GetRecord(t.Context(), uri, &got); !errors.As(err, &refused) || refused.Name != "RecordNotFound" {
		t.Errorf("reading a deleted record: %v, want RecordNotFound", err)
	}
}

func TestRestartKeepsPortsAccountsAndRecords(t *testing.T) {
	t.Parallel()
	cfg := atmosphere.Config{DataDir: filepath.Join(t.TempDir(), "network")}
	before := start(t, cfg)
	alice, err := before.CreateAccount(t.Context(), "alice.test", atmosphere.WithPassword("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	bob, err := before.CreateAccount(t.Context(), "bob.test")
	if err != nil {
		t.Fatal(err)
	}
	uri, cid, err := alice.CreateRecord(t.Context(), proposal, darkMode("Dark mode"))
	if err != nil {
		t.Fatal(err)
	}
	// A second operation of the DID, so that the log is replayed in order.
	if err := bob.Client.Post(t.Context(), "com.atproto.identity.updateHandle", map[string]any{"handle": "robert.test"}, nil); err != nil {
		t.Fatal(err)
	}

	bobsLog := before.PLCURL() + "/" + bob.DID.String() + "/log/audit"
	logged := get(t, bobsLog)

	if _, err := atmosphere.Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("second network in the same directory: %v, want ports in use", err)
	}
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	other := cfg
	other.PDSPort = 1
	if _, err := atmosphere.Start(t.Context(), other); err == nil || !strings.Contains(err.Error(), "its DIDs name that address") {
		t.Errorf("start on another port: %v, want a refusal that says why", err)
	}

	after := start(t, cfg)
	if after.PLCURL() != before.PLCURL() || after.PDSURL() != before.PDSURL() {
		t.Errorf("restarted at %s and %s, want %s and %s", after.PLCURL(), after.PDSURL(), before.PLCURL(), before.PDSURL())
	}
	if diff := cmp.Diff(string(logged), string(get(t, bobsLog))); diff != "" {
		t.Errorf("the PLC's log changed:\n%s", diff)
	}
	again, err := after.CreateAccount(t.Context(), "alice.test", atmosphere.WithPassword("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	if again.DID != alice.DID {
		t.Errorf("alice is %s after the restart, want %s", again.DID, alice.DID)
	}
	if _, err := after.Login(t.Context(), "robert.test", bob.Password); err != nil {
		t.Error(err)
	}
	var got map[string]any
	// bob's session is the one from before the restart.
	if gotCID, err := bob.GetRecord(t.Context(), uri, &got); err != nil || gotCID != cid {
		t.Errorf("record after the restart: %s, %v, want %s", gotCID, err, cid)
	}
	for did, handle := range map[syntax.DID]syntax.Handle{alice.DID: "alice.test", bob.DID: "robert.test"} {
		ident, err := after.Directory().LookupDID(t.Context(), did)
		if err != nil {
			t.Fatal(err)
		}
		if ident.Handle != handle || ident.PDSEndpoint() != after.PDSURL() {
			t.Errorf("%s is %s at %s, want %s at %s", did, ident.Handle, ident.PDSEndpoint(), handle, after.PDSURL())
		}
	}
}

func TestTakenPortIsRefusedAndNotRemembered(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg := atmosphere.Config{DataDir: t.TempDir(), PLCPort: taken.Addr().(*net.TCPAddr).Port}
	if _, err := atmosphere.Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("start on a taken port: %v, want a refusal", err)
	}
	cfg.PLCPort = 0
	start(t, cfg)
}

func TestListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	n := atmospheretest.Shared(t)
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	var outside []net.IP
	for _, addr := range addrs {
		if ip, ok := addr.(*net.IPNet); ok && !ip.IP.IsLoopback() && !ip.IP.IsLinkLocalUnicast() {
			outside = append(outside, ip.IP)
		}
	}
	if len(outside) == 0 {
		t.Skip("this machine has only loopback addresses")
	}
	for _, server := range []string{n.PLCURL(), n.PDSURL()} {
		u, err := url.Parse(server)
		if err != nil {
			t.Fatal(err)
		}
		inside, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", u.Port()))
		if err != nil {
			t.Fatal(err)
		}
		inside.Close()
		for _, ip := range outside {
			conn, err := net.Dial("tcp", net.JoinHostPort(ip.String(), u.Port()))
			if err == nil {
				conn.Close()
				t.Errorf("%s answers at %s", server, ip)
			}
		}
	}
}

// A killed parent runs no code: the servers have to notice by themselves.
func TestServersEndWithKilledParent(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentEnv+"=1", "TMPDIR="+temp)
	parent.Stderr = os.Stderr
	// Nobody writes to this pipe. The parent hands its end down to the servers, as
	// Go does with descriptors that a process was born with, so it ends when the
	// last of them has ended.
	alive, held, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	parent.ExtraFiles = []*os.File{held}
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	held.Close()
	var pds string
	if err := json.NewDecoder(stdout).Decode(&pds); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(pds)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	if _, err := io.Copy(io.Discard, alive); err != nil {
		t.Fatal(err)
	}
	t.Logf("the servers ended %s after their parent", time.Since(killed).Round(time.Millisecond))
	_ = parent.Wait() // reports the kill
	left, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 0 {
		t.Errorf("the temporary data directory is still there: %v", left)
	}
}

func beParent() {
	n, err := atmosphere.Start(context.Background(), atmosphere.Config{Log: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%q\n", n.PDSURL())
	<-n.Done()
	os.Exit(1)
}

func TestCloseTwiceIsOneClose(t *testing.T) {
	t.Parallel()
	n := start(t, atmosphere.Config{})
	// A consumer of the firehose stays connected and must not hold it up.
	u, err := url.Parse(n.PDSURL())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /xrpc/com.atproto.sync.subscribeRepos HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", u.Host)
	if status, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(status, " 101 ") {
		t.Fatalf("subscribe: %q, %v", status, err)
	}

	begun := time.Now()
	if err := errors.Join(n.Close(), n.Close()); err != nil {
		t.Fatal(err)
	}
	t.Logf("closed in %s", time.Since(begun).Round(time.Millisecond))
	<-n.Done()
	if err := n.Err(); err != nil {
		t.Errorf("Err after Close: %v", err)
	}
}

func TestDeathOfTheServersIsReported(t *testing.T) {
	t.Parallel()
	n, err := atmosphere.Start(t.Context(), atmosphere.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Err(); err != nil {
		t.Fatalf("Err of a running network: %v", err)
	}
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	<-n.Done()
	if err := n.Err(); !errors.Is(err, atmosphere.ErrEnded) {
		t.Errorf("Err: %v, want ErrEnded", err)
	}
	if err := n.Close(); !errors.Is(err, atmosphere.ErrEnded) {
		t.Errorf("Close: %v, want ErrEnded", err)
	}
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %s, %v: %s", url, resp.Status, err, body)
	}
	return body
}

func start(t *testing.T, cfg atmosphere.Config) *atmosphere.Network {
	t.Helper()
	begun := time.Now()
	n := atmospheretest.Start(t, cfg)
	t.Logf("ready in %s", time.Since(begun).Round(time.Millisecond))
	return n
}
