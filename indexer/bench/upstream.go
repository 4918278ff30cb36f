package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/gorilla/websocket"
)

// sendBuffer is how many bytes of frames go into one write. A write for each
// frame would make the server, which shares the processors, the limit.
const sendBuffer = 256 << 10

// Upstream serves a feed on loopback: relay, PDS of all accounts, and PLC
// directory. Its stream stays behind a gate until Open; until then its PDS shows
// the repositories as they were before the stream, afterwards as they are after
// it, as a PDS is always ahead of a relay.
type Upstream struct {
	feed    *Feed
	members map[syntax.DID]*member
	server  *http.Server
	addr    string

	gate    chan struct{}
	open    sync.Once
	waiting atomic.Int64
	pace    atomic.Int64 // events per second; 0: as fast as they are read
}

// NewUpstream listens and serves until Close.
func NewUpstream(f *Feed) (*Upstream, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("bench: listen: %w", err)
	}
	u := &Upstream{feed: f, members: map[syntax.DID]*member{}, addr: listener.Addr().String(), gate: make(chan struct{})}
	for i := range f.ours {
		u.members[f.ours[i].did] = &f.ours[i]
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /xrpc/com.atproto.sync.subscribeRepos", u.subscribeRepos)
	mux.HandleFunc("GET /xrpc/com.atproto.sync.listRepos", u.listRepos)
	mux.HandleFunc("GET /xrpc/com.atproto.sync.listReposByCollection", u.listRepos)
	mux.HandleFunc("GET /xrpc/com.atproto.sync.getRepo", u.getRepo)
	mux.HandleFunc("GET /xrpc/com.atproto.sync.getLatestCommit", u.getLatestCommit)
	mux.HandleFunc("GET /xrpc/com.atproto.sync.getRepoStatus", u.getRepoStatus)
	mux.HandleFunc("GET /xrpc/com.atproto.repo.describeRepo", u.describeRepo)
	mux.HandleFunc("GET /{did}", u.document)
	u.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = u.server.Serve(listener) }() // ends by Close, and says only that
	return u, nil
}

// URL is where the upstream is: as relay, PDS and PLC directory.
func (u *Upstream) URL() string { return "http://" + u.addr }

// FirstSeq is the sequence number of the first event.
func (u *Upstream) FirstSeq() int64 { return firstSeq }

// Waiting is how many subscribers stand at the gate.
func (u *Upstream) Waiting() int { return int(u.waiting.Load()) }

// Open lets the stream begin.
func (u *Upstream) Open() { u.open.Do(func() { close(u.gate) }) }

// Pace makes the stream go at so many events per second once the gate opens.
func (u *Upstream) Pace(perSecond int) { u.pace.Store(int64(perSecond)) }

func (u *Upstream) opened() bool {
	select {
	case <-u.gate:
		return true
	default:
		return false
	}
}

// Close ends all connections.
func (u *Upstream) Close() error {
	u.Open()
	if err := u.server.Close(); err != nil {
		return fmt.Errorf("bench: close the upstream: %w", err)
	}
	return nil
}

// subscribeRepos streams the feed from the cursor; one from before the feed, or
// none, means all of it.
func (u *Upstream) subscribeRepos(w http.ResponseWriter, r *http.Request) {
	var from int
	if raw := r.FormValue("cursor"); raw != "" {
		cursor, err := strconv.ParseInt(raw, 10, 64)
		if err != nil {
			refuse(w, http.StatusBadRequest, "InvalidRequest")
			return
		}
		from = int(max(0, cursor-firstSeq+1))
	}
	var upgrader websocket.Upgrader
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	defer func() { _ = conn.Close() }() // there is nothing left to lose
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
	u.waiting.Add(1)
	select {
	case <-u.gate:
	case <-ctx.Done():
	}
	u.waiting.Add(-1)
	if err := u.send(ctx, conn.NetConn(), from); err == nil {
		<-ctx.Done() // a subscriber leaves by itself
	}
}

// send writes the stream as fast as it is read, or at its pace.
func (u *Upstream) send(ctx context.Context, conn net.Conn, from int) error {
	buf := make([]byte, 0, sendBuffer+1<<20)
	pace := u.pace.Load()
	began := time.Now()
	for i := from; i < len(u.feed.stream) && ctx.Err() == nil; i++ {
		buf = u.feed.frames[u.feed.stream[i]].appendMessage(buf, firstSeq+int64(i))
		if pace > 0 {
			due := began.Add(time.Duration(i-from) * time.Second / time.Duration(pace))
			select {
			case <-time.After(time.Until(due)):
			case <-ctx.Done():
			}
		} else if len(buf) < sendBuffer && i < len(u.feed.stream)-1 {
			continue
		}
		if _, err := conn.Write(buf); err != nil {
			return fmt.Errorf("bench: send frames: %w", err)
		}
		buf = buf[:0]
	}
	return ctx.Err()
}

func (u *Upstream) now(m *member) *snapshot {
	if u.opened() {
		return &m.after
	}
	return &m.before
}

// listRepos answers listReposByCollection as well: all the accounts that it
// knows have records of all collections that anybody asks for.
func (u *Upstream) listRepos(w http.ResponseWriter, r *http.Request) {
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
	for i := from; i < min(from+page, len(u.feed.ours)); i++ {
		m := &u.feed.ours[i]
		s := u.now(m)
		out.Repos = append(out.Repos, row{m.did, s.head.String(), s.rev, true})
		out.Cursor = strconv.Itoa(i + 1)
	}
	answer(w, out)
}

// member finds the account that a request is about, or refuses it.
func (u *Upstream) member(w http.ResponseWriter, did string) (*member, bool) {
	m, ok := u.members[syntax.DID(did)]
	if !ok {
		refuse(w, http.StatusNotFound, "RepoNotFound")
	}
	return m, ok
}

func (u *Upstream) getRepo(w http.ResponseWriter, r *http.Request) {
	if m, ok := u.member(w, r.FormValue("did")); ok {
		w.Header().Set("Content-Type", "application/vnd.ipld.car")
		_, _ = w.Write(u.now(m).car) // whoever hung up will ask again
	}
}

func (u *Upstream) getLatestCommit(w http.ResponseWriter, r *http.Request) {
	if m, ok := u.member(w, r.FormValue("did")); ok {
		s := u.now(m)
		answer(w, map[string]any{"cid": s.head.String(), "rev": s.rev})
	}
}

func (u *Upstream) getRepoStatus(w http.ResponseWriter, r *http.Request) {
	if m, ok := u.member(w, r.FormValue("did")); ok {
		answer(w, map[string]any{"did": m.did, "active": true, "rev": u.now(m).rev})
	}
}

func (u *Upstream) describeRepo(w http.ResponseWriter, r *http.Request) {
	if m, ok := u.member(w, r.FormValue("repo")); ok {
		answer(w, map[string]any{
			"did": m.did, "handle": syntax.HandleInvalid, "handleIsCorrect": false,
			"didDoc": u.didDocument(m), "collections": []string{"fund.stratos.feature.proposal"},
		})
	}
}

func (u *Upstream) document(w http.ResponseWriter, r *http.Request) {
	if m, ok := u.member(w, r.PathValue("did")); ok {
		answer(w, u.didDocument(m))
	}
}

// didDocument names no handle: looking one up would leave this machine.
func (u *Upstream) didDocument(m *member) map[string]any {
	return map[string]any{
		"id": m.did,
		"verificationMethod": []any{map[string]any{
			"id": m.did.String() + "#atproto", "type": "Multikey", "controller": m.did, "publicKeyMultibase": m.key,
		}},
		"service": []any{map[string]any{
			"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": u.URL(),
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
