package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/gorilla/websocket"
	"github.com/ipfs/go-cid"
)

// hosting answers on loopback what a relay, the PDS of all accounts and the PLC
// directory are asked.
type hosting struct {
	accounts accounts
	server   *http.Server
	addr     string
}

// accounts are those that a hosting speaks for. It may be asked by several
// goroutines.
type accounts interface {
	// list returns at most so many accounts, in an order that only grows.
	list(from, most int) []hosted
	find(did syntax.DID) (hosted, bool)
	// repo is the CAR of an account that find has found.
	repo(did syntax.DID) ([]byte, error)
}

// hosted is an account as its PDS shows it.
type hosted struct {
	did    syntax.DID
	key    string // multibase
	active bool
	rev    syntax.TID
	head   cid.Cid
}

// host listens and answers until Close.
func host(a accounts, subscribeRepos http.HandlerFunc) (*hosting, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("bench: listen: %w", err)
	}
	h := &hosting{accounts: a, addr: listener.Addr().String()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /xrpc/com.atproto.sync.subscribeRepos", subscribeRepos)
	mux.HandleFunc("GET /xrpc/com.atproto.sync.listRepos", h.listRepos)
	mux.HandleFunc("GET /xrpc/com.atproto.sync.listReposByCollection", h.listRepos)
	mux.HandleFunc("GET /xrpc/com.atproto.sync.getRepo", h.getRepo)
	mux.HandleFunc("GET /xrpc/com.atproto.sync.getLatestCommit", h.getLatestCommit)
	mux.HandleFunc("GET /xrpc/com.atproto.sync.getRepoStatus", h.getRepoStatus)
	mux.HandleFunc("GET /xrpc/com.atproto.repo.describeRepo", h.describeRepo)
	mux.HandleFunc("GET /{did}", h.document)
	h.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = h.server.Serve(listener) }() // ends by Close, and says only that
	return h, nil
}

// URL is where the upstream is: as relay, PDS and PLC directory.
func (h *hosting) URL() string { return "http://" + h.addr }

// Close ends all connections but those of subscribers.
func (h *hosting) Close() error {
	if err := h.server.Close(); err != nil {
		return fmt.Errorf("bench: close the upstream: %w", err)
	}
	return nil
}

// cursorOf reads where a subscriber wants to begin; ok is false for one that
// does not say.
func cursorOf(r *http.Request) (cursor int64, ok bool, err error) {
	raw := r.FormValue("cursor")
	if raw == "" {
		return 0, false, nil
	}
	cursor, err = strconv.ParseInt(raw, 10, 64)
	return cursor, err == nil, err
}

// accept makes a subscription of a request, or answers what is wrong with it.
// The context ends with the connection.
func accept(w http.ResponseWriter, r *http.Request) (context.Context, net.Conn, error) {
	var upgrader websocket.Upgrader
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("bench: accept a subscription: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		// Reading answers pings. A pong is one write, as a buffer of frames is,
		// so that they do not mix.
		for {
			if _, _, err := conn.ReadMessage(); err != nil {
				return
			}
		}
	}()
	return ctx, conn.NetConn(), nil
}

// listRepos answers listReposByCollection as well: all the accounts that it
// knows have records of all collections that anybody asks for.
func (h *hosting) listRepos(w http.ResponseWriter, r *http.Request) {
	const page = 500
	type row struct {
		DID    syntax.DID `json:"did"`
		Head   string     `json:"head"`
		Rev    syntax.TID `json:"rev"`
		Active bool       `json:"active"`
	}
	var out struct {
		Cursor string `json:"cursor,omitempty"`
		Repos  []row  `json:"repos"`
	}
	out.Repos = []row{}
	from, err := strconv.Atoi(r.FormValue("cursor"))
	if err != nil {
		from = 0 // the first page has no cursor, and nobody makes one up
	}
	for i, a := range h.accounts.list(from, page) {
		out.Repos = append(out.Repos, row{a.did, a.head.String(), a.rev, a.active})
		out.Cursor = strconv.Itoa(from + i + 1)
	}
	answer(w, out)
}

// account finds the account that a request is about, or refuses it.
func (h *hosting) account(w http.ResponseWriter, did string) (hosted, bool) {
	a, ok := h.accounts.find(syntax.DID(did))
	if !ok {
		refuse(w, http.StatusNotFound, "RepoNotFound")
	}
	return a, ok
}

// repository is account for what a PDS shows of active accounts only.
func (h *hosting) repository(w http.ResponseWriter, did string) (hosted, bool) {
	a, ok := h.account(w, did)
	if ok && !a.active {
		refuse(w, http.StatusBadRequest, "RepoDeactivated")
	}
	return a, ok && a.active
}

func (h *hosting) getRepo(w http.ResponseWriter, r *http.Request) {
	a, ok := h.repository(w, r.FormValue("did"))
	if !ok {
		return
	}
	raw, err := h.accounts.repo(a.did)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/vnd.ipld.car")
	_, _ = w.Write(raw) // whoever hung up will ask again
}

func (h *hosting) getLatestCommit(w http.ResponseWriter, r *http.Request) {
	if a, ok := h.repository(w, r.FormValue("did")); ok {
		answer(w, map[string]any{"cid": a.head.String(), "rev": a.rev})
	}
}

func (h *hosting) getRepoStatus(w http.ResponseWriter, r *http.Request) {
	a, ok := h.account(w, r.FormValue("did"))
	switch {
	case !ok:
	case a.active:
		answer(w, map[string]any{"did": a.did, "active": true, "rev": a.rev})
	default:
		answer(w, map[string]any{"did": a.did, "active": false, "status": deactivated})
	}
}

// deactivated is the status of accounts that are not active here.
const deactivated = "deactivated"

func (h *hosting) describeRepo(w http.ResponseWriter, r *http.Request) {
	if a, ok := h.repository(w, r.FormValue("repo")); ok {
		answer(w, map[string]any{
			"did": a.did, "handle": syntax.HandleInvalid, "handleIsCorrect": false,
			"didDoc": h.didDocument(a), "collections": []string{"fund.stratos.feature.proposal"},
		})
	}
}

func (h *hosting) document(w http.ResponseWriter, r *http.Request) {
	if a, ok := h.account(w, r.PathValue("did")); ok {
		answer(w, h.didDocument(a))
	}
}

// didDocument names no handle: looking one up would leave this machine.
func (h *hosting) didDocument(a hosted) map[string]any {
	return map[string]any{
		"id": a.did,
		"verificationMethod": []any{map[string]any{
			"id": a.did.String() + "#atproto", "type": "Multikey", "controller": a.did, "publicKeyMultibase": a.key,
		}},
		"service": []any{map[string]any{
			"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": h.URL(),
		}},
	}
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(body); err != nil && !errors.Is(err, net.ErrClosed) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func refuse(w http.ResponseWriter, status int, name string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"error":%q,"message":"no"}`, name)
}
