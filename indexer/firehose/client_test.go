package firehose_test

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"

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

func newClient(t testing.TB, base string) *firehose.Client {
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
	err = c.Stream(ctx, cursor, func() {}, func(frame []byte) error {
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
		want   []string
	}{{firehose.Live, nil}, {0, []string{"0"}}, {42, []string{"42"}}, {1 << 60, []string{"1152921504606846976"}}}
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
		if got := r.URL.Query()["cursor"]; !slices.Equal(got, tt.want) {
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
	err := c.Stream(ctx, 0, func() {}, func([]byte) error { cancel(); return nil })
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
		{"a byte more", firehose.MaxFrame + 1, gorilla.ErrReadLimit},
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
		want int
	}{
		{"without a word", func(conn *websocket.Conn) { _ = conn.CloseNow() }, gorilla.CloseAbnormalClosure},
		{"with a close frame", func(conn *websocket.Conn) { _ = conn.Close(websocket.StatusPolicyViolation, "FutureCursor") }, gorilla.ClosePolicyViolation},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := upstream(t, func(ctx context.Context, conn *websocket.Conn, _ *http.Request) {
				send(ctx, conn, "a")
				tt.end(conn)
			})
			got, err := collect(t.Context(), c, 0)
			if !slices.Equal(got, []string{"a"}) || !closedWith(err, tt.want) || !strings.Contains(err.Error(), c.Host()) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func closedWith(err error, code int) bool {
	e, ok := errors.AsType[*gorilla.CloseError](err)
	return ok && e.Code == code
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
	err := c.Stream(t.Context(), 0, func() {}, func(frame []byte) error {
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

func TestStream_TellsWhenItIsOpen(t *testing.T) {
	t.Parallel()
	var told []string
	c := upstream(t, func(ctx context.Context, conn *websocket.Conn, _ *http.Request) {
		send(ctx, conn, "a", "b")
		<-ctx.Done()
	})
	_ = c.Stream(t.Context(), 0, func() { told = append(told, "open") }, func(frame []byte) error {
		told = append(told, string(frame))
		if string(frame) == "b" {
			return errEnough
		}
		return nil
	})
	if want := []string{"open", "a", "b"}; !slices.Equal(told, want) {
		t.Errorf("got %q, want %q", told, want)
	}

	refused := httptest.NewServer(http.NotFoundHandler())
	defer refused.Close()
	_ = newClient(t, refused.URL).Stream(t.Context(), 0, func() { t.Error("open, although refused") }, func([]byte) error { return nil })
}

func TestStream_TrustsTheGivenCertificates(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		send(r.Context(), conn, "end")
		<-conn.CloseRead(r.Context()).Done()
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of the stranger
	server.StartTLS()
	defer server.Close()

	c, err := firehose.NewClient(server.URL, server.Client().Transport.(*http.Transport).TLSClientConfig, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := collect(t.Context(), c, 0); !errors.Is(err, errEnough) {
		t.Errorf("got %v", err)
	}
	if _, err := collect(t.Context(), newClient(t, server.URL), 0); errors.Is(err, errEnough) {
		t.Error("a stranger's certificate was trusted")
	}
}

// acceptWith is an upstream that accepts every subscription with some headers
// more, and then writes to the bare connection.
func acceptWith(t testing.TB, headers, then func(w io.Writer)) *firehose.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		fmt.Fprintf(buf, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n", base64.StdEncoding.EncodeToString(sum[:]))
		headers(buf)
		fmt.Fprint(buf, "\r\n")
		then(buf)
		_ = buf.Flush()
		_, _ = io.Copy(io.Discard, conn) // until the client leaves
	}))
	t.Cleanup(server.Close)
	return newClient(t, server.URL)
}

const endFrame = "\x82\x03end"

// nothing and writes are what acceptWith can be given.
func nothing(io.Writer) {}

func writes(s string) func(io.Writer) {
	return func(w io.Writer) { _, _ = io.WriteString(w, s) }
}

func TestStream_RefusesCompressionThatItDidNotOffer(t *testing.T) {
	t.Parallel()
	offer := "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
	c := acceptWith(t, writes(offer), writes(endFrame))
	if _, err := collect(t.Context(), c, 0); !errors.Is(err, firehose.ErrExtension) {
		t.Errorf("got %v", err)
	}
}

func TestStream_BoundsTheGreeting(t *testing.T) {
	t.Parallel()
	line := "X: " + strings.Repeat("x", 1020) + "\r\n"
	few := acceptWith(t, writes(strings.Repeat(line, 100)), writes(endFrame))
	if _, err := collect(t.Context(), few, 0); !errors.Is(err, errEnough) {
		t.Errorf("100 kB of headers: %v", err)
	}
	endless := acceptWith(t, func(w io.Writer) {
		for {
			if _, err := fmt.Fprint(w, line); err != nil {
				return
			}
		}
	}, nothing)
	if _, err := collect(t.Context(), endless, 0); !errors.Is(err, firehose.ErrGreeting) {
		t.Errorf("endless headers: %v", err)
	}
}

// What came in with the answer counts against the greeting's limit, what comes
// after it does not.
func TestStream_DoesNotBoundWhatFollowsTheGreeting(t *testing.T) {
	t.Parallel()
	frame := strings.Repeat("x", 60_000)
	many := strings.Repeat("\x82\x7e\xea\x60"+frame, 100)
	got, err := collect(t.Context(), acceptWith(t, nothing, writes(many+endFrame)), 0)
	if len(got) != 100 || !errors.Is(err, errEnough) {
		t.Fatalf("got %d frames, %v", len(got), err)
	}
	for _, f := range got {
		if f != frame {
			t.Fatal("not the frame that was sent")
		}
	}
}

func TestStream_PutsFragmentsTogether(t *testing.T) {
	t.Parallel()
	// One frame in three pieces, with a ping and an empty piece in between.
	pieces := "\x02\x01a\x89\x00\x00\x01b\x00\x00\x80\x01c"
	got, err := collect(t.Context(), acceptWith(t, nothing, writes(pieces+endFrame)), 0)
	if !slices.Equal(got, []string{"abc"}) || !errors.Is(err, errEnough) {
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
		{"https://user:secret@relay.example", ""},
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
