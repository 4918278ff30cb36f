package bench

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// sendAtOnce is how many bytes of frames go into one write. A write for each
// frame would make the server, which shares the processors, the limit.
const sendAtOnce = 256 << 10

// Upstream serves a feed on loopback: relay, PDS of all accounts, and PLC
// directory. Its stream stays behind a gate until Open; until then its PDS shows
// the repositories as they were before the stream, afterwards as they are after
// it, as a PDS is always ahead of a relay.
type Upstream struct {
	feed    *Feed
	members map[syntax.DID]*member
	*hosting

	gate    chan struct{}
	open    sync.Once
	waiting atomic.Int64
	pace    atomic.Int64 // events per second; 0: as fast as they are read
}

// NewUpstream listens and serves until Close.
func NewUpstream(f *Feed) (*Upstream, error) {
	u := &Upstream{feed: f, members: map[syntax.DID]*member{}, gate: make(chan struct{})}
	for i := range f.ours {
		u.members[f.ours[i].did] = &f.ours[i]
	}
	var err error
	u.hosting, err = host(u, u.subscribeRepos)
	return u, err
}

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
	return u.hosting.Close()
}

// subscribeRepos streams the feed from the cursor; one from before the feed, or
// none, means all of it.
func (u *Upstream) subscribeRepos(w http.ResponseWriter, r *http.Request) {
	var from int
	if cursor, ok, err := cursorOf(r); err != nil {
		refuse(w, http.StatusBadRequest, "InvalidRequest")
		return
	} else if ok {
		from = int(max(0, cursor-firstSeq+1))
	}
	ctx, conn, err := accept(w, r)
	if err != nil {
		return // it has been answered
	}
	defer func() { _ = conn.Close() }() // there is nothing left to lose
	u.waiting.Add(1)
	select {
	case <-u.gate:
	case <-ctx.Done():
	}
	u.waiting.Add(-1)
	if err := u.send(ctx, conn, from); err == nil {
		<-ctx.Done() // a subscriber leaves by itself
	}
}

// send writes the stream as fast as it is read, or at its pace.
func (u *Upstream) send(ctx context.Context, conn net.Conn, from int) error {
	var b burst
	pace := u.pace.Load()
	began := time.Now()
	for i := from; i < len(u.feed.stream) && ctx.Err() == nil; i++ {
		b.add(u.feed.frames[u.feed.stream[i]], firstSeq+int64(i))
		if pace > 0 {
			due := began.Add(time.Duration(i-from) * time.Second / time.Duration(pace))
			select {
			case <-time.After(time.Until(due)):
			case <-ctx.Done():
			}
		} else if b.size < sendAtOnce && i < len(u.feed.stream)-1 {
			continue
		}
		if err := b.writeTo(conn); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (u *Upstream) now(m *member) *snapshot {
	if u.opened() {
		return &m.after
	}
	return &m.before
}

func (u *Upstream) hosted(m *member) hosted {
	s := u.now(m)
	return hosted{did: m.did, key: m.key, active: true, rev: s.rev, head: s.head}
}

func (u *Upstream) list(from, most int) (out []hosted) {
	for i := from; i < min(from+most, len(u.feed.ours)); i++ {
		out = append(out, u.hosted(&u.feed.ours[i]))
	}
	return out
}

func (u *Upstream) find(did syntax.DID) (hosted, bool) {
	m, ok := u.members[did]
	if !ok {
		return hosted{}, false
	}
	return u.hosted(m), true
}

func (u *Upstream) repo(did syntax.DID) ([]byte, error) { return u.now(u.members[did]).car, nil }
