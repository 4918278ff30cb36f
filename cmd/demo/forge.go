package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"embed"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-billy/v5/memfs"
	"github.com/go-git/go-billy/v5/util"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// code is what the developers of the demo write.
//
//go:embed code
var code embed.FS

const (
	licenseFile = "LICENSE"
	pageFile    = "index.html"
	// branch is where developers work, and what they release.
	branch = "main"

	codePath, previewPath = "/code/", "/preview/"
	// forgeCertLasts is how long the certificate is good; each start makes another one.
	forgeCertLasts = 365 * 24 * time.Hour
	// forgeClosesWithin bounds how long those who clone are waited for at the end.
	forgeClosesWithin = 5 * time.Second
)

// forge is the web of the developers on this machine, over TLS: the previews, and the git
// repositories that they have published, served by git itself. What they have not published
// lies beside, and nobody can ask for it.
type forge struct {
	dir      string
	url      string
	ca       string // a file with the certificate, for git and curl
	trusts   *x509.CertPool
	listener net.Listener
	server   *http.Server
	logFile  *os.File
}

// newForge listens; Run answers. It is closed by its Close.
func newForge(ctx context.Context, s settings) (*forge, error) {
	gitPath, err := exec.LookPath("git")
	if err != nil {
		return nil, fmt.Errorf("serve the developers' code: %w", err)
	}
	dir, err := filepath.Abs(filepath.Join(s.dataDir, "forge"))
	if err != nil {
		return nil, fmt.Errorf("find the forge's folder: %w", err)
	}
	f := &forge{dir: dir, ca: filepath.Join(dir, "certificate.pem")}
	for _, folder := range []string{f.public(), f.private()} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, fmt.Errorf("make the forge's folders: %w", err)
		}
	}
	certificate, err := f.certify()
	if err != nil {
		return nil, fmt.Errorf("make the forge's certificate: %w", err)
	}
	if f.logFile, err = os.OpenFile(filepath.Join(s.dataDir, "forge.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return nil, fmt.Errorf("open the forge's log: %w", err)
	}
	logger := log.New(f.logFile, "", log.LstdFlags|log.LUTC)
	f.server = &http.Server{
		Handler: f.handler(gitPath, logger), ErrorLog: logger, ReadHeaderTimeout: pageWithin,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}
	if f.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(s.forgePort)); err != nil {
		return nil, errors.Join(fmt.Errorf("serve the developers' code: %w", err), f.logFile.Close())
	}
	f.url = "https://localhost:" + strconv.Itoa(f.listener.Addr().(*net.TCPAddr).Port)
	return f, nil
}

func (f *forge) public() string  { return filepath.Join(f.dir, "public") }
func (f *forge) private() string { return filepath.Join(f.dir, "private") }

// certify makes a certificate, and keeps it where clients can be told to trust it.
func (f *forge) certify() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	is := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "The forge of the demo"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(forgeCertLasts),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, is, is, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	f.trusts = x509.NewCertPool()
	f.trusts.AppendCertsFromPEM(text)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(f.ca, text, 0o644)
}

func (f *forge) handler(gitPath string, logger *log.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(codePath, &cgi.Handler{
		Path: gitPath, Args: []string{"http-backend"}, Root: strings.TrimSuffix(codePath, "/"),
		Env:    []string{"GIT_PROJECT_ROOT=" + f.public(), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1"},
		Stderr: f.logFile, Logger: logger,
	})
	mux.HandleFunc("GET "+previewPath+"{name}", func(w http.ResponseWriter, r *http.Request) {
		page, err := code.ReadFile("code/" + pageFile)
		if err != nil {
			http.Error(w, "There is no preview.", http.StatusInternalServerError)
			return
		}
		http.ServeContent(w, r, pageFile, time.Time{}, bytes.NewReader(page))
	})
	return mux
}

// Run serves until ctx ends.
func (f *forge) Run(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- f.server.ServeTLS(f.listener, "", "") }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve the developers' code: %w", err)
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgeClosesWithin)
	defer cancel()
	err := f.server.Shutdown(closing)
	if errors.Is(err, context.DeadlineExceeded) {
		err = f.server.Close()
	}
	if ended := <-ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// Close releases everything.
func (f *forge) Close() error {
	err := f.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil // Run did
	}
	return errors.Join(err, f.logFile.Close())
}

// preview is where people can try what is being built.
func (f *forge) preview(title string) string { return f.url + previewPath + slug(title) }

// repository is where the code can be cloned from, once it is published.
func (f *forge) repository(title string) string { return f.url + codePath + slug(title) + ".git" }

// slug is a title as it stands in addresses.
func slug(title string) string { return strings.ReplaceAll(strings.ToLower(title), " ", "-") }

// revision is a commit, and the tree of all of its files.
type revision struct{ commit, tree string }

// begin makes a private repository. What was there before under its title is gone.
func (f *forge) begin(title string) error {
	for _, folder := range []string{f.private(), f.public()} {
		if err := os.RemoveAll(filepath.Join(folder, slug(title)+".git")); err != nil {
			return fmt.Errorf("begin the repository of %q: %w", title, err)
		}
	}
	_, err := git.PlainInitWithOptions(filepath.Join(f.private(), slug(title)+".git"), &git.PlainInitOptions{
		Bare: true, InitOptions: git.InitOptions{DefaultBranch: plumbing.NewBranchReferenceName(branch)},
	})
	if err != nil {
		return fmt.Errorf("begin the repository of %q: %w", title, err)
	}
	return nil
}

// commit adds files to a repository, published or not.
func (f *forge) commit(title, message string, by object.Signature, files map[string][]byte) (revision, error) {
	path := filepath.Join(f.public(), slug(title)+".git")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		path = filepath.Join(f.private(), slug(title)+".git")
	}
	r, err := commit(path, message, by, files)
	if err != nil {
		return revision{}, fmt.Errorf("commit to the repository of %q: %w", title, err)
	}
	return r, nil
}

func commit(path, message string, by object.Signature, files map[string][]byte) (revision, error) {
	bare, err := git.PlainOpen(path)
	if err != nil {
		return revision{}, err
	}
	// A bare repository has no files beside it: they are in memory for the moment.
	beside := memfs.New()
	repository, err := git.Open(bare.Storer, beside)
	if err != nil {
		return revision{}, err
	}
	worktree, err := repository.Worktree()
	if err != nil {
		return revision{}, err
	}
	for name, content := range files {
		if err := util.WriteFile(beside, name, content, 0o644); err != nil {
			return revision{}, err
		}
		if _, err := worktree.Add(name); err != nil {
			return revision{}, err
		}
	}
	hash, err := worktree.Commit(message, &git.CommitOptions{Author: &by})
	if err != nil {
		return revision{}, err
	}
	made, err := repository.CommitObject(hash)
	if err != nil {
		return revision{}, err
	}
	return revision{commit: hash.String(), tree: made.TreeHash.String()}, nil
}

// publish lets everybody clone a repository.
func (f *forge) publish(title string) error {
	name := slug(title) + ".git"
	if err := os.Rename(filepath.Join(f.private(), name), filepath.Join(f.public(), name)); err != nil {
		return fmt.Errorf("publish the repository of %q: %w", title, err)
	}
	return nil
}

// transport reaches the forge, whose certificate it trusts, and everything else by next.
func (f *forge) transport(next http.RoundTripper) http.RoundTripper {
	to := http.DefaultTransport.(*http.Transport).Clone()
	to.TLSClientConfig = &tls.Config{RootCAs: f.trusts, MinVersion: tls.VersionTLS12}
	return &roads{host: strings.TrimPrefix(f.url, "https://"), there: to, next: next}
}

// roads leads to one host by another way than to the rest.
type roads struct {
	host        string
	there, next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (r *roads) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host == r.host {
		return r.there.RoundTrip(req)
	}
	return r.next.RoundTrip(req)
}
