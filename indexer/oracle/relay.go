package oracle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/events"
	"github.com/coder/websocket"

	"github.com/stratosfund/stratosfund/indexer/firehose"
)

// Relay gathers what happens and tells it to its consumers under sequence
// numbers of its own. The network's lock guards it.
type Relay struct {
	net    *Network
	server *httptest.Server
	log    []sent
	head   int64
	// forgotten is the newest number that is no longer in the backlog.
	forgotten int64
	life      int           // counts the sequences
	grew      chan struct{} // closed when the log grows or begins anew
	down      context.Context
	hangUp    context.CancelFunc
	conns     int
	// blind: somebody came without a cursor, and so never heard what was told
	// before.
	blind bool
	// told is what the relay said honestly and a consumer must have heard, in
	// its order.
	told []told
	// met: a consumer followed the present sequence.
	met bool
	// refuses is how many connections it will not accept.
	refuses int
	// pds: it is no relay, but a PDS that tells of its own accounts.
	pds *pds
}

// sent is a frame as it went out. Garbage has the number of the frame before.
type sent struct {
	seq   int64
	frame []byte
}

func newRelay(n *Network) *Relay {
	r := &Relay{net: n, grew: make(chan struct{})}
	r.down, r.hangUp = context.WithCancel(n.closing)
	r.server = httptest.NewServer(http.HandlerFunc(r.serve))
	return r
}

// URL is the upstream.
func (r *Relay) URL() string { return r.server.URL }

func (r *Relay) shut() {
	r.server.CloseClientConnections()
	r.server.Close()
}

func (r *Relay) serve(w http.ResponseWriter, req *http.Request) {
	if req.URL.Path != "/xrpc/com.atproto.sync.subscribeRepos" {
		if r.pds != nil {
			r.pds.serve(w, req)
		} else {
			r.net.serveLists(w, req)
		}
		return
	}
	// What comes from here on is sent, before the consumer can know that it is.
	cursor, err := r.welcome(req.URL.Query().Get("cursor"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	conn, err := websocket.Accept(w, req, nil)
	if err != nil {
		return // the consumer sees it
	}
	defer conn.CloseNow()
	r.net.mu.Lock()
	down := r.down
	r.conns++
	r.net.mu.Unlock()
	ctx, stop := context.WithCancel(conn.CloseRead(down))
	defer stop()
	r.stream(ctx, conn, cursor)
	r.net.mu.Lock()
	r.conns--
	r.net.mu.Unlock()
}

var errOutage = errors.New("the relay is down")

// welcome reads the cursor of a consumer. One without wants what comes.
func (r *Relay) welcome(raw string) (cursor int64, err error) {
	r.net.mu.Lock()
	defer r.net.mu.Unlock()
	if r.refuses > 0 {
		r.refuses--
		r.net.fired.fire(FaultOutage)
		return 0, errOutage
	}
	if raw == "" {
		r.blind = true
		r.unheard(0, r.head)
		r.net.owe()
		r.met = true
		return r.head, nil
	}
	if cursor, err = strconv.ParseInt(raw, 10, 64); err != nil {
		return 0, fmt.Errorf("cursor: %w", err)
	}
	if cursor <= r.head {
		if !r.met { // the cursor is of another sequence
			r.unheard(0, cursor)
		}
		r.met = true
		if cursor < r.forgotten {
			r.unheard(cursor, r.forgotten)
			r.net.owe()
		}
	}
	return cursor, nil
}

// stream sends what follows the cursor until the consumer or the relay is gone.
func (r *Relay) stream(ctx context.Context, conn *websocket.Conn, cursor int64) {
	r.net.mu.Lock()
	next, life := 0, r.life
	for next < len(r.log) && r.log[next].seq <= cursor {
		next++
	}
	head, forgotten := r.head, r.forgotten
	r.net.mu.Unlock()
	if cursor > head {
		r.net.fired.fire(FaultFuture)
		_ = conn.Write(ctx, websocket.MessageBinary, encode(&events.XRPCStreamEvent{
			Error: &events.ErrorFrame{Error: firehose.FutureCursor, Message: "the cursor is in the future"},
		}))
		_ = conn.Close(websocket.StatusPolicyViolation, firehose.FutureCursor)
		return
	}
	if cursor < forgotten {
		r.net.fired.fire(FaultOutdated)
		info := &comatproto.SyncSubscribeRepos_Info{Name: firehose.OutdatedCursor}
		if conn.Write(ctx, websocket.MessageBinary, encode(&events.XRPCStreamEvent{RepoInfo: info})) != nil {
			return
		}
	}
	for {
		r.net.mu.Lock()
		if r.life != life {
			r.net.mu.Unlock()
			return
		}
		var frame []byte
		if next < len(r.log) {
			frame = r.log[next].frame
			next++
		}
		grew := r.grew
		r.net.mu.Unlock()
		if frame == nil {
			select {
			case <-grew:
			case <-ctx.Done():
				return
			}
			continue
		}
		if conn.Write(ctx, websocket.MessageBinary, frame) != nil {
			return
		}
	}
}

// commit is the frame's, nil when it has none.
func (s sent) commit() *events.XRPCStreamEvent {
	var ev events.XRPCStreamEvent
	if ev.Deserialize(bytes.NewReader(s.frame)) != nil || ev.RepoCommit == nil {
		return nil
	}
	return &ev
}

// send tells an event under the next number.
func (r *Relay) send(ev *events.XRPCStreamEvent) {
	r.head++
	r.put(encode(numbered(ev, r.head)))
}

// put tells bytes as they are, under no new number.
func (r *Relay) put(frame []byte) {
	r.log = append(r.log, sent{r.head, frame})
	close(r.grew)
	r.grew = make(chan struct{})
}

// drop ends all connections.
func (r *Relay) drop() {
	r.hangUp()
	r.down, r.hangUp = context.WithCancel(r.net.closing)
}

// restart begins a new sequence; what was told before is gone.
func (r *Relay) restart() {
	r.log, r.told, r.head, r.forgotten, r.met = nil, nil, 0, 0, false
	r.life++
	r.drop()
}

// forget keeps only the newest part of the backlog.
func (r *Relay) forget(keep int) bool {
	if len(r.log) <= keep {
		return false
	}
	r.forgotten = r.log[len(r.log)-keep-1].seq
	r.log = append([]sent(nil), r.log[len(r.log)-keep:]...)
	r.life++ // positions changed: consumers come again by their cursors
	r.drop()
	return true
}

// numbered is a copy of the event with its number.
func numbered(ev *events.XRPCStreamEvent, seq int64) *events.XRPCStreamEvent {
	switch {
	case ev.RepoCommit != nil:
		msg := *ev.RepoCommit
		msg.Seq = seq
		return &events.XRPCStreamEvent{RepoCommit: &msg}
	case ev.RepoSync != nil:
		msg := *ev.RepoSync
		msg.Seq = seq
		return &events.XRPCStreamEvent{RepoSync: &msg}
	case ev.RepoAccount != nil:
		msg := *ev.RepoAccount
		msg.Seq = seq
		return &events.XRPCStreamEvent{RepoAccount: &msg}
	case ev.RepoIdentity != nil:
		msg := *ev.RepoIdentity
		msg.Seq = seq
		return &events.XRPCStreamEvent{RepoIdentity: &msg}
	}
	return ev
}

func encode(ev *events.XRPCStreamEvent) []byte {
	var b bytes.Buffer
	if err := ev.Serialize(&b); err != nil {
		panic(fmt.Errorf("oracle: encode a frame: %w", err)) // we made it
	}
	return b.Bytes()
}
