package simulated

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/bluesky-social/indigo/events"
	"github.com/coder/websocket"
)

// stream is what the relay tells, in order, for ever. The network's lock guards it.
type stream struct {
	frames [][]byte // the first has number 1
	kept   []*events.XRPCStreamEvent
	late   bool
	grew   chan struct{} // closed when there are more frames
	down   context.Context
	hangUp context.CancelFunc
}

func (n *Network) relayRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /xrpc/com.atproto.sync.subscribeRepos", n.subscribe)
	mux.HandleFunc("GET /xrpc/com.atproto.sync.listRepos", func(w http.ResponseWriter, req *http.Request) {
		n.listRepos(w, req, func(*Account) bool { return true })
	})
	mux.HandleFunc("GET /xrpc/com.atproto.sync.listReposByCollection", func(w http.ResponseWriter, req *http.Request) {
		collection := req.URL.Query().Get("collection")
		n.listRepos(w, req, func(a *Account) bool { return slices.Contains(a.Collections(), collection) })
	})
	mux.HandleFunc("GET /xrpc/com.atproto.sync.getRepoStatus", n.repoStatus)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "MethodNotImplemented") })
	return mux
}

// tell hands an event to the relay. The lock is held.
func (n *Network) tell(ev *events.XRPCStreamEvent) {
	s := &n.stream
	if s.late || n.take([]Fault{FaultLate}, always) != "" {
		s.late = true
		s.kept = append(s.kept, ev)
		return
	}
	s.put(ev)
}

// Release lets the relay tell what it kept back.
func (n *Network) Release() {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := &n.stream
	for _, ev := range s.kept {
		s.put(ev)
	}
	s.kept, s.late = nil, false
}

// Cough lets the relay say something that concerns nobody, so that its consumers know
// how late it is.
func (n *Network) Cough() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tell(&events.XRPCStreamEvent{RepoIdentity: &comatproto.SyncSubscribeRepos_Identity{
		Did: "did:plc:nobodynobodynobodynobody", Time: Stamp(n.clock()),
	}})
}

// HangUp ends all connections of consumers.
func (n *Network) HangUp() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fired[FaultHangUp]++
	n.stream.hangUp()
	n.stream.down, n.stream.hangUp = context.WithCancel(n.closing)
}

// Head is the number of the last thing that was told.
func (n *Network) Head() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return int64(len(n.stream.frames))
}

func (s *stream) put(ev *events.XRPCStreamEvent) {
	seq := int64(len(s.frames)) + 1
	switch {
	case ev.RepoCommit != nil:
		ev.RepoCommit.Seq = seq
	case ev.RepoIdentity != nil:
		ev.RepoIdentity.Seq = seq
	}
	var b bytes.Buffer
	if err := ev.Serialize(&b); err != nil {
		panic(fmt.Errorf("simulated: encode a frame: %w", err)) // we made it
	}
	s.frames = append(s.frames, b.Bytes())
	close(s.grew)
	s.grew = make(chan struct{})
}

func (n *Network) subscribe(w http.ResponseWriter, req *http.Request) {
	n.mu.Lock()
	next, down := len(n.stream.frames), n.stream.down
	n.mu.Unlock()
	if raw := req.URL.Query().Get("cursor"); raw != "" {
		cursor, err := strconv.Atoi(raw)
		if err != nil || cursor < 0 || cursor > next {
			http.Error(w, "a cursor of another stream", http.StatusBadRequest)
			return
		}
		next = cursor
	}
	conn, err := websocket.Accept(w, req, nil)
	if err != nil {
		return // the consumer sees it
	}
	defer conn.CloseNow()
	ctx := conn.CloseRead(down)
	for {
		n.mu.Lock()
		var frame []byte
		if next < len(n.stream.frames) {
			frame = n.stream.frames[next]
		}
		grew := n.stream.grew
		n.mu.Unlock()
		if frame == nil {
			select {
			case <-grew:
				continue
			case <-ctx.Done():
				return
			}
		}
		if conn.Write(ctx, websocket.MessageBinary, frame) != nil {
			return
		}
		next++
	}
}

func (n *Network) repoStatus(w http.ResponseWriter, req *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a := n.accounts[syntax.DID(req.URL.Query().Get("did"))]
	if a == nil {
		refuse(w, http.StatusBadRequest, "RepoNotFound")
		return
	}
	answer(w, map[string]any{"did": a.DID, "active": true, "rev": a.Rev})
}

// listRepos answers all at once: there are few.
func (n *Network) listRepos(w http.ResponseWriter, _ *http.Request, in func(*Account) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	repos := []map[string]any{}
	for _, did := range n.dids() {
		if a := n.accounts[did]; in(a) {
			repos = append(repos, map[string]any{"did": a.DID, "active": true, "head": a.Commit.CID.String(), "rev": a.Rev})
		}
	}
	answer(w, map[string]any{"repos": repos})
}
