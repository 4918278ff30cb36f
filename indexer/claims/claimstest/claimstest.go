// Package claimstest is a web of strangers for tests: hosts with pages and git
// repositories, served over TLS on loopback by the real git, and a DNS server
// that runs inside the test.
package claimstest

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Domain is the end of the names of all hosts of a [Web].
const Domain = ".web.test"

// Web is the hosts under [Domain].
type Web struct {
	root      string // of the git repositories, a folder for each host
	server    *httptest.Server
	transport *http.Transport
	requests  atomic.Int64

	mu    sync.Mutex
	pages map[string]http.Handler // by host and path
	txt   map[string][]string
	dns   error // what every question is answered with
	asked map[string]bool
}

// New starts a web that ends with the test.
func New(t testing.TB) *Web {
	t.Helper()
	w := &Web{root: t.TempDir(), pages: map[string]http.Handler{}, txt: map[string][]string{}, asked: map[string]bool{}}
	w.server = httptest.NewTLSServer(w)
	t.Cleanup(w.server.Close)
	w.transport = w.server.Client().Transport.(*http.Transport).Clone()
	w.transport.TLSClientConfig.ServerName = "example.com" // whom the test server's certificate names
	w.transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, w.server.Listener.Addr().String())
	}
	t.Cleanup(w.transport.CloseIdleConnections)
	return w
}

// Serve answers a path of a host. Without it the path is served by git, if it is
// that of a repository.
func (w *Web) Serve(host, path string, h http.Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pages[host+path] = h
}

// Text is a page that says something.
func Text(text string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, text) })
}

// Status is a page that is not there.
func Status(status int) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(status) })
}

// ServeHTTP implements http.Handler.
func (w *Web) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	w.requests.Add(1)
	w.mu.Lock()
	page := w.pages[req.Host+req.URL.Path]
	w.mu.Unlock()
	if page != nil {
		page.ServeHTTP(rw, req)
		return
	}
	git := &cgi.Handler{
		Path: "/usr/bin/env", Args: []string{"git", "http-backend"},
		Env:    []string{"GIT_PROJECT_ROOT=" + filepath.Join(w.root, req.Host), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1"},
		Stderr: io.Discard, // it tells of every path that is no repository
	}
	git.ServeHTTP(rw, req)
}

// Requests counts what the web was asked so far.
func (w *Web) Requests() int64 { return w.requests.Load() }

// Repository makes a repository, or its next commit: these files, and no others.
func (w *Web) Repository(t testing.TB, host, path string, files map[string]string) {
	t.Helper()
	bare, work := filepath.Join(w.root, host, path), t.TempDir()
	w.Git(t, "", "init", "--quiet", "--bare", "--initial-branch=trunk", bare)
	w.Git(t, bare, "config", "uploadpack.allowFilter", "true")
	for name, content := range files {
		name = filepath.Join(work, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.Git(t, bare, "--work-tree", work, "add", "--all", ".")
	w.Git(t, bare, "--work-tree", work, "commit", "--quiet", "--allow-empty", "--message", "Say whose it is")
}

// Git runs git, on a repository unless its folder is empty.
func (w *Web) Git(t testing.TB, folder string, args ...string) {
	t.Helper()
	if folder != "" {
		args = append([]string{"--git-dir", folder}, args...)
	}
	args = append([]string{"-c", "user.name=Test", "-c", "user.email=test@web.test", "-c", "commit.gpgsign=false", "-c", "core.bare=false"}, args...)
	if out, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Folder is where a repository lies.
func (w *Web) Folder(host, path string) string { return filepath.Join(w.root, host, path) }

// TXT sets the records of a name.
func (w *Web) TXT(name string, records ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.txt[name] = records
}

// Asked lists what the DNS server was asked so far, as "TXT _atproto.it.example".
func (w *Web) Asked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.asked))
}

// BreakDNS makes every question of DNS fail, or with nil work again.
func (w *Web) BreakDNS(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dns = err
}

// RoundTrip implements http.RoundTripper: hosts of the web are on this machine,
// others nowhere.
func (w *Web) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(req.URL.Hostname(), Domain) {
		return nil, &net.DNSError{Err: "no such host", Name: req.URL.Hostname(), IsNotFound: true}
	}
	return w.transport.RoundTrip(req)
}

// DialDNS connects to the web's DNS server, whichever is asked for.
func (w *Web) DialDNS(context.Context, string, string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dns != nil {
		return nil, w.dns
	}
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		for w.answerDNS(server) == nil {
		}
	}()
	return client, nil
}

// answerDNS answers one question on a stream.
func (w *Web) answerDNS(conn net.Conn) error {
	var length uint16
	if err := binary.Read(conn, binary.BigEndian, &length); err != nil {
		return err
	}
	raw := make([]byte, length)
	if _, err := io.ReadFull(conn, raw); err != nil {
		return err
	}
	var msg dnsmessage.Message
	if err := msg.Unpack(raw); err != nil {
		return err
	}
	msg.Response, msg.Authoritative, msg.Additionals = true, true, nil
	msg.RCode = dnsmessage.RCodeNameError
	q := msg.Questions[0]
	w.mu.Lock()
	w.asked[strings.TrimPrefix(q.Type.String(), "Type")+" "+strings.TrimSuffix(q.Name.String(), ".")] = true
	w.mu.Unlock()
	if q.Type == dnsmessage.TypeTXT {
		w.mu.Lock()
		records := w.txt[strings.TrimSuffix(q.Name.String(), ".")]
		w.mu.Unlock()
		for _, r := range records {
			msg.RCode = dnsmessage.RCodeSuccess
			msg.Answers = append(msg.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
				Body:   &dnsmessage.TXTResource{TXT: []string{r}},
			})
		}
	}
	answer, err := msg.Pack()
	if err != nil {
		return err
	}
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return err
}
