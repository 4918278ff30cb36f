package firehose_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/stratosfund/stratosfund/indexer/firehose"
)

// upstream serves subscriptions with serve, which owns the connection, and
// returns a client for it.
func upstream(t *testing.T, serve func(ctx context.Context, conn *websocket.Conn, r *http.Request)) *firehose.Client {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // the test sees it from the other side
		}
		defer conn.CloseNow()
		serve(ctx, conn, r)
	}))
	t.Cleanup(func() { stop(); server.Close() })
	return newClient(t, server.URL)
}

func newClient(t *testing.T, base string) *firehose.Client {
	t.Helper()
	c, err := firehose.NewClient(base, nil, "tester/1")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// send writes binary frames.
func send(ctx context.Context, conn *websocket.Conn, frames ...string) {
	for _, f := range frames {
		if conn.Write(ctx, websocket.MessageBinary, []byte(f)) != nil {
			return // the client has gone
		}
	}
}

var errEnough = errors.New("enough")

// collect streams until the frame "end", whose handler returns errEnough.
func collect(ctx context.Context, c *firehose.Client, cursor int64) (frames []string, err error) {
	err = c.Stream(ctx, cursor, func(frame []byte) error {
		if string(frame) == "end" {
			return errEnough
		}
		frames = append(frames, string(frame))
		return nil
	})
	return frames, err
}

func TestStream_DeliversFramesInOrder(t *testing.T) {
	t.Parallel()
	var want []string
	for i := range 500 {
		want = append(want, strings.Repeat("x", i)+".")
	}
	c := upstream(t, func(ctx context.Context, conn *websocket.Conn, _ *http.Request) {
		send(ctx, conn, append(want, "end")...)
		<-ctx.Done()
	})
	got, err := collect(t.Context(), c, 0)
	if !errors.Is(err, errEnough) {
		t.Errorf("got %v, want the handler's error", err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %d frames, not the %d that were sent", len(got), len(want))
	}
}

func TestStream_SaysFromWhereAndWho(t *testing.T) {
	t.Parallel()
	tests := []struct {
		cursor int64
		want   string
	}{{0, "0"}, {42, "42"}, {1 << 60, "1152921504606846976"}}
	for _, tt := range tests {
		asked := make(chan *http.Request, 1)
		c := upstream(t, func(ctx context.Context, conn *websocket.Conn, r *http.Request) {
			asked <- r
			send(ctx, conn, "end")
			<-ctx.Done()
		})
		if _, err := collect(t.Context(), c, tt.cursor); !errors.Is(err, errEnough) {
			t.Fatal(err)
		}
		r := <-asked
		if got := r.URL.Query().Get("cursor"); got != tt.want {
			t.Errorf("asked for cursor %q, want %q", got, tt.want)
		}
		if r.URL.Path != "/xrpc/com.atproto.sync.subscribeRepos" || r.UserAgent() != "tester/1" {
			t.Errorf("asked %s as %s", r.URL, r.UserAgent())
		}
	}
}

func TestStream_PassesOverText(t *testing.T) {
	t.Parallel()
	c := upstream(t, func(ctx context.Context, conn *websocket.Conn, _ *http.Request) {
		_ = conn.Write(ctx, websocket.MessageText, []byte("hello"))
		send(ctx, conn, "a")
		_ = conn.Write(ctx, websocket.MessageText, []byte("end"))
		send(ctx, conn, "b", "end")
		<-ctx.Done()
	})
	got, err := collect(t.Context(), c, 0)
	if !slices.Equal(got, []string{"a", "b"}) || !errors.Is(err, errEnough) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestStream_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	c := upstream(t, func(ctx context.Context, conn *websocket.Conn, _ *http.Request) {
		send(ctx, conn, "a")
		<-ctx.Done() // nothing more: only the client's context can end it
	})
	ctx, cancel := context.WithCancel(t.Context())
	err := c.Stream(ctx, 0, func([]byte) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestStream_EndsWithItsContextWhileDialling(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	if _, err := collect(ctx, newClient(t, server.URL), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestStream_RefusesAFrameThatIsTooLarge(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		size int
		want error
	}{
		{"as large as allowed", firehose.MaxFrame, errEnough},
		{"a byte more", firehose.MaxFrame + 1, websocket.ErrMessageTooBig},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := upstream(t, func(ctx context.Context, conn *websocket.Conn, _ *http.Request) {
				send(ctx, conn, strings.Repeat("x", tt.size), "end")
				<-ctx.Done()
			})
			if _, err := collect(t.Context(), c, 0); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestStream_SaysThatTheUpstreamWentAway(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		end  func(conn *websocket.Conn)
		want websocket.StatusCode // -1: it said nothing
	}{
		{"without a word", func(conn *websocket.Conn) { _ = conn.CloseNow() }, -1},
		{"with a close frame", func(conn *websocket.Conn) { _ = conn.Close(websocket.StatusPolicyViolation, "FutureCursor") }, websocket.StatusPolicyViolation},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := upstream(t, func(ctx context.Context, conn *websocket.Conn, _ *http.Request) {
				send(ctx, conn, "a")
				tt.end(conn)
			})
			got, err := collect(t.Context(), c, 0)
			if !slices.Equal(got, []string{"a"}) || err == nil || websocket.CloseStatus(err) != tt.want || !strings.Contains(err.Error(), c.Host()) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestStream_LeavesAPeerThatNoLongerAnswers(t *testing.T) {
	t.Parallel()
	c := upstream(t, func(ctx context.Context, conn *websocket.Conn, _ *http.Request) {
		send(ctx, conn, "a")
		<-ctx.Done() // it reads no pings
	})
	c.SetPatience(time.Millisecond, 100*time.Millisecond)
	got, err := collect(t.Context(), c, 0)
	if !slices.Equal(got, []string{"a"}) || !errors.Is(err, firehose.ErrSilent) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestStream_KeepsAPeerThatIsQuietAndAnswers(t *testing.T) {
	t.Parallel()
	const pings = 5
	// The server speaks only after it was asked some times whether it lives.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := make(chan struct{}, 1000)
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{OnPingReceived: func(context.Context, []byte) bool {
			asked <- struct{}{}
			return true
		}})
		if err != nil {
			return
		}
		defer conn.CloseNow()
		ctx := conn.CloseRead(r.Context())
		for range pings {
			select {
			case <-asked:
			case <-ctx.Done():
				return
			}
		}
		send(ctx, conn, "end")
		<-ctx.Done()
	}))
	t.Cleanup(server.Close)
	c := newClient(t, server.URL)
	c.SetPatience(time.Millisecond, time.Minute)
	if _, err := collect(t.Context(), c, 0); !errors.Is(err, errEnough) {
		t.Errorf("got %v", err)
	}
}

// While a frame is being handled nobody reads the connection, and so nobody
// would see the answer to a ping.
func TestStream_DoesNotTakeItsOwnSlownessForSilence(t *testing.T) {
	t.Parallel()
	c := upstream(t, func(ctx context.Context, conn *websocket.Conn, _ *http.Request) {
		ctx = conn.CloseRead(ctx)
		send(ctx, conn, "slow", "a", "end")
		<-ctx.Done()
	})
	const every, within = time.Millisecond, 100 * time.Millisecond
	c.SetPatience(every, within)
	var got []string
	err := c.Stream(t.Context(), 0, func(frame []byte) error {
		got = append(got, string(frame))
		switch string(frame) {
		case "slow":
			<-time.After(2 * (every + within)) // long enough for a ping to fail
		case "end":
			return errEnough
		}
		return nil
	})
	if !slices.Equal(got, []string{"slow", "a", "end"}) || !errors.Is(err, errEnough) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestStream_NamesHostAndStatusWhenItCannotSubscribe(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusTooManyRequests)
	}))
	defer server.Close()
	c := newClient(t, server.URL)
	_, err := collect(t.Context(), c, 0)
	if err == nil || !strings.Contains(err.Error(), c.Host()) || !strings.Contains(err.Error(), "429") {
		t.Errorf("got %v", err)
	}

	server.Close()
	_, err = collect(t.Context(), c, 0)
	if err == nil || !strings.Contains(err.Error(), c.Host()) {
		t.Errorf("with nobody there: got %v", err)
	}
}

func TestNewClient_ChecksTheUpstream(t *testing.T) {
	t.Parallel()
	tests := []struct{ base, host string }{
		{"http://localhost:2583", "localhost:2583"},
		{"https://relay.example", "relay.example"},
		{"ws://localhost:1", "localhost:1"},
		{"wss://relay.example/xrpc/ignored?cursor=1#x", "relay.example"},
		{"relay.example", ""},
		{"ftp://relay.example", ""},
		{"https://", ""},
		{"https:///path", ""},
		{"://", ""},
		{"", ""},
	}
	for _, tt := range tests {
		c, err := firehose.NewClient(tt.base, nil, "")
		if (err == nil) != (tt.host != "") {
			t.Errorf("%q: %v", tt.base, err)
		} else if err == nil && c.Host() != tt.host {
			t.Errorf("%q: host %q, want %q", tt.base, c.Host(), tt.host)
		}
	}
}
