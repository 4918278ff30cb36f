package indexer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/stratosfund/stratosfund/indexer/store"
)

const (
	// maxAnswer bounds the JSON of an answer in bytes.
	maxAnswer    = 4 << 20
	queryTimeout = 20 * time.Second
	// hostsRemembered bounds how many hosts have a limit of their own.
	hostsRemembered = 10_000
	// perHostRate and perHostBurst bound the requests to one host that is not
	// on this machine.
	perHostRate  = 10
	perHostBurst = 20
	// perHostAtOnce bounds them at the same time, so that one slow host cannot
	// take all workers.
	perHostAtOnce = 2
)

// hosts asks other servers, each no faster than is polite.
type hosts struct {
	client *http.Client
	agent  string
	local  bool // everything is on this machine: http, and no rate limit
	known  *lru.Cache[string, *host]
}

type host struct {
	limiter *rate.Limiter
	slots   chan struct{}
}

func newHosts(client *http.Client, agent string, local bool) (*hosts, error) {
	known, err := lru.New[string, *host](hostsRemembered)
	if err != nil {
		return nil, fmt.Errorf("indexer: remember hosts: %w", err)
	}
	return &hosts{client: client, agent: agent, local: local, known: known}, nil
}

// base checks an address that a stranger's DID document may have brought, and
// reduces it to scheme and host. Private addresses are refused where the
// connection is made.
func (h *hosts) base(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, err
	case u.Host == "":
		return nil, fmt.Errorf("%q names no host", address)
	case u.Scheme == "wss":
		u.Scheme = "https"
	case u.Scheme == "ws":
		u.Scheme = "http"
	}
	if u.Scheme == "https" || u.Scheme == "http" && h.local {
		return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
	}
	return nil, fmt.Errorf("%q: want https", address)
}

// acquire waits for the host's turn; the caller calls release afterwards.
func (h *hosts) acquire(ctx context.Context, name string) (release func(), err error) {
	fresh := &host{limiter: rate.NewLimiter(perHostRate, perHostBurst), slots: make(chan struct{}, perHostAtOnce)}
	if h.local {
		fresh.limiter = rate.NewLimiter(rate.Inf, 1)
		fresh.slots = make(chan struct{}, 16*perHostAtOnce)
	}
	known, ok, _ := h.known.PeekOrAdd(name, fresh)
	if !ok {
		known = fresh
	}
	if err := known.limiter.Wait(ctx); err != nil {
		return nil, fmt.Errorf("wait for %s: %w", name, err)
	}
	select {
	case known.slots <- struct{}{}:
		return func() { <-known.slots }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for %s: %w", name, ctx.Err())
	}
}

// answerError is an answer that is an error.
type answerError struct {
	host    string
	status  int
	name    string
	message string
}

func (e *answerError) Error() string {
	return fmt.Sprintf("%s answered with status %d: %s %s", e.host, e.status, e.name, e.message)
}

// get asks one query and hands over the body of a good answer. No redirect is
// followed: an XRPC method has one address.
func (h *hosts) get(ctx context.Context, base *url.URL, nsid string, params url.Values, accept string, read func(io.Reader) error) error {
	release, err := h.acquire(ctx, base.Host)
	if err != nil {
		return err
	}
	defer release()
	endpoint := base.JoinPath("/xrpc/", nsid)
	endpoint.RawQuery = params.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint.String(), nil)
	if err != nil {
		return fmt.Errorf("ask %s for %s: %w", base.Host, nsid, err)
	}
	req.Header.Set("User-Agent", h.agent)
	req.Header.Set("Accept", accept)
	resp, err := h.client.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s for %s: %w", base.Host, nsid, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return readError(base.Host, resp)
	}
	if err := read(resp.Body); err != nil {
		return fmt.Errorf("read %s from %s: %w", nsid, base.Host, err)
	}
	return nil
}

func readError(name string, resp *http.Response) error {
	var body struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}
	// What does not parse leaves the name empty, and the status says enough.
	_ = json.NewDecoder(io.LimitReader(resp.Body, 4096)).Decode(&body)
	return &answerError{host: name, status: resp.StatusCode, name: body.Error, message: body.Message}
}

// query asks one query whose answer is JSON.
func (h *hosts) query(ctx context.Context, base *url.URL, nsid string, params url.Values, out any) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	return h.get(ctx, base, nsid, params, "application/json", func(r io.Reader) error {
		b, err := io.ReadAll(io.LimitReader(r, maxAnswer+1))
		if err != nil {
			return err
		}
		if len(b) > maxAnswer {
			return fmt.Errorf("the answer is over %d bytes", maxAnswer)
		}
		return json.Unmarshal(b, out)
	})
}

// unavailable reads an error of a PDS about one of its repositories: ok is true
// when it says that the account is not to be shown. [store.AccountDeleted] means
// that it has no such account.
func unavailable(err error) (status store.AccountStatus, ok bool) {
	answer, ok := errors.AsType[*answerError](err)
	if !ok {
		return "", false
	}
	switch answer.name {
	case "RepoDeactivated":
		return store.AccountDeactivated, true
	case "RepoSuspended":
		return store.AccountSuspended, true
	case "RepoTakendown":
		return store.AccountTakendown, true
	case "RepoNotFound":
		return store.AccountDeleted, true
	}
	return "", false
}

// repoStatus asks a PDS where a repository is.
func (h *hosts) repoStatus(ctx context.Context, pds *url.URL, did syntax.DID) (store.Swept, error) {
	swept := store.Swept{Status: store.AccountActive}
	var out struct {
		Active bool    `json:"active"`
		Status *string `json:"status"`
		Rev    *string `json:"rev"`
	}
	err := h.query(ctx, pds, "com.atproto.sync.getRepoStatus", url.Values{"did": {did.String()}}, &out)
	if status, ok := unavailable(err); ok {
		swept.Status = status
		return swept, nil
	}
	if err != nil {
		return swept, err
	}
	if !out.Active {
		swept.Status = hiddenStatus(out.Status)
	}
	if out.Rev != nil {
		swept.Rev = syntax.TID(*out.Rev)
	}
	return swept, nil
}

// hiddenStatus reads why an account is not active. A reason that we do not know
// hides it like one that we do.
func hiddenStatus(raw *string) store.AccountStatus {
	if raw != nil {
		switch s := store.AccountStatus(*raw); s {
		case store.AccountDeactivated, store.AccountSuspended, store.AccountTakendown, store.AccountDeleted:
			return s
		}
	}
	return store.AccountDeactivated
}
