package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// soakUpstream serves an endless stream and what it is about on loopback, as
// [Upstream] serves a feed.
type soakUpstream struct {
	*hosting
	stream *endless
	gate   chan struct{} // closed when the stream begins
	open   sync.Once
	cut    chan struct{} // taken by a connection that is to break
	broken chan error    // what must not happen, the first time
}

func newSoakUpstream(w *world, s *endless) (*soakUpstream, error) {
	u := &soakUpstream{stream: s, gate: make(chan struct{}), cut: make(chan struct{}), broken: make(chan error, 1)}
	var err error
	if u.hosting, err = host(w, u.subscribeRepos); err != nil {
		return nil, err
	}
	return u, nil
}

// Open lets the stream begin.
func (u *soakUpstream) Open() { u.open.Do(func() { close(u.gate) }) }

// Close ends all connections.
func (u *soakUpstream) Close() error {
	u.Open()
	return u.hosting.Close()
}

// Break breaks a connection, the next one if there is none. What is on its way
// is lost.
func (u *soakUpstream) Break(ctx context.Context) error {
	select {
	case u.cut <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// subscribeRepos streams from the cursor; without one, what comes next.
func (u *soakUpstream) subscribeRepos(w http.ResponseWriter, r *http.Request) {
	seq, _ := u.stream.at()
	if cursor, ok, err := cursorOf(r); err != nil {
		refuse(w, http.StatusBadRequest, "InvalidRequest")
		return
	} else if ok && cursor < seq {
		seq = cursor
	}
	ctx, conn, err := accept(w, r)
	if err != nil {
		return // it has been answered
	}
	defer func() { _ = conn.Close() }() // there is nothing left to lose
	select {
	case <-u.gate:
	case <-ctx.Done():
		return
	}
	if err := u.send(ctx, conn, seq); errors.Is(err, errForgotten) {
		select {
		case u.broken <- err:
		default:
		}
	}
}

var errCut = errors.New("bench: the connection is to break")

// send writes the stream as fast as it is read, until the connection ends or is
// to break.
func (u *soakUpstream) send(ctx context.Context, conn net.Conn, seq int64) error {
	buf := make([]byte, 0, sendAtOnce+1<<20)
	for ctx.Err() == nil {
		select {
		case <-u.cut:
			return errors.Join(errCut, lose(conn))
		default:
		}
		var err error
		if buf, seq, err = u.stream.fill(buf[:0], seq, time.Now()); err != nil {
			return err
		}
		if len(buf) == 0 {
			<-ctx.Done() // the end of the stream; a subscriber leaves by itself
			break
		}
		if _, err := conn.Write(buf); err != nil {
			return fmt.Errorf("bench: send frames: %w", err)
		}
	}
	return ctx.Err()
}

// lose makes closing the connection throw away what is on its way.
func lose(conn net.Conn) error {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return fmt.Errorf("bench: cannot break a %T", conn)
	}
	if err := tcp.SetLinger(0); err != nil {
		return fmt.Errorf("bench: break a connection: %w", err)
	}
	return nil
}
