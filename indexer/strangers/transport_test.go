package strangers_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stratosfund/stratosfund/indexer/strangers"
)

func newServer(t *testing.T, answer string) *httptest.Server {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if _, err := io.WriteString(rw, answer); err != nil {
			return // the client has gone
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestTransport_ReadsNoMoreThanIsAllowed(t *testing.T) {
	t.Parallel()
	for length, tooLarge := range map[int]bool{0: false, 9: false, 10: false, 11: true, 1 << 20: true} {
		server := newServer(t, strings.Repeat("x", length))
		client := &http.Client{Transport: &strangers.Transport{Next: server.Client().Transport, Most: 10}}
		resp, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		read, err := io.ReadAll(resp.Body)
		if _, ok := errors.AsType[*strangers.TooLargeError](err); ok != tooLarge || len(read) != min(length, 10) {
			t.Errorf("of %d bytes %d were read: %v", length, len(read), err)
		}
		if tooLarge {
			if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("%d more: %v", n, err)
			}
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTransport_GivesEachTurnBackOnce(t *testing.T) {
	t.Parallel()
	server := newServer(t, "Hello.")
	taken, refusal := 0, error(nil)
	next := server.Client().Transport
	transport := &strangers.Transport{
		Next: next, Most: 10,
		Acquire: func(context.Context, string) (func(), error) {
			if refusal != nil {
				return nil, refusal
			}
			taken++
			return func() { taken-- }, nil
		},
	}
	client := &http.Client{Transport: transport}
	resp, err := client.Get(server.URL)
	if err != nil || taken != 1 {
		t.Fatal(err, taken)
	}
	if err := errors.Join(resp.Body.Close(), resp.Body.Close()); err != nil || taken != 0 {
		t.Errorf("%v, %d turns are out", err, taken)
	}
	transport.Next = broken{}
	if _, err := client.Get(server.URL); !errors.Is(err, errBroken) || taken != 0 {
		t.Errorf("%v, %d turns are out", err, taken)
	}
	refusal = errors.New("not now")
	if _, err := client.Get(server.URL); !errors.Is(err, refusal) {
		t.Error(err)
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) RoundTrip(*http.Request) (*http.Response, error) { return nil, errBroken }

func TestFollow_StaysWithTLSAndWithinItsHops(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		to     string
		via    int
		follow bool
	}{
		{"https://a.example/", 1, true},
		{"https://a.example/", 2, true},
		{"https://a.example/", 3, false},
		{"http://a.example/", 1, false},
		{"https://user@a.example/", 1, false},
	} {
		err := strangers.Follow(2)(httptest.NewRequest(http.MethodGet, c.to, nil), make([]*http.Request, c.via))
		if followed := err == nil; followed != c.follow || !followed && !errors.Is(err, http.ErrUseLastResponse) {
			t.Errorf("%s after %d: %v", c.to, c.via, err)
		}
	}
	// Whoever asks without TLS hears of it.
	client := &http.Client{Transport: &strangers.Transport{Next: broken{}, Most: 10}}
	if _, err := client.Get("http://a.example/"); err == nil || errors.Is(err, errBroken) {
		t.Error(err)
	}
}
