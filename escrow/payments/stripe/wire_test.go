package stripe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

const goodRefund = `{"object":"refund","id":"re_1","amount":2500,"currency":"usd","charge":"ch_1","status":"pending","created":1777636800}`

func said(kind, code string) string {
	return fmt.Sprintf(`{"error":{"type":%q,"code":%q,"param":"charge","message":"quoted words","decline_code":"lost_card"}}`, kind, code)
}

// Each answer, and whether it can have happened.
func TestAnswersSayWhetherItCanHaveHappened(t *testing.T) {
	t.Parallel()
	html := "<html><body>502 Bad Gateway</body></html>"
	for _, c := range []struct {
		name   string
		status int
		body   string
		kind   error
		code   string
	}{
		{"declined", 402, said("card_error", "card_declined"), payments.ErrDeclined, "card_declined"},
		{"refused", 400, said("invalid_request_error", "charge_already_refunded"), payments.ErrRefused, "charge_already_refunded"},
		{"a balance too low", 400, said("invalid_request_error", "balance_insufficient"), payments.ErrRefused, "balance_insufficient"},
		{"not there", 404, said("invalid_request_error", "resource_missing"), payments.ErrNotFound, "resource_missing"},
		{"what it refers to is not there", 400, said("invalid_request_error", "resource_missing"), payments.ErrNotFound, "resource_missing"},
		{"no key", 401, said("invalid_request_error", "api_key_expired"), payments.ErrMisconfigured, "api_key_expired"},
		{"a key that may not", 403, said("invalid_request_error", "platform_account_required"), payments.ErrMisconfigured, "platform_account_required"},
		{"limited", 429, said("invalid_request_error", "rate_limit"), payments.ErrLimited, "rate_limit"},
		{"limited at the door", 429, html, payments.ErrLimited, ""},
		{"the key of another call", 400, said("idempotency_error", ""), payments.ErrMismatch, ""},

		{"still under way", 409, said("idempotency_error", "idempotency_key_in_use"), payments.ErrUncertain, "idempotency_key_in_use"},
		{"a conflict", 409, said("invalid_request_error", "lock_timeout"), payments.ErrUncertain, "lock_timeout"},
		{"a system behind it", 424, said("api_error", ""), payments.ErrUncertain, ""},
		{"an internal error", 500, said("api_error", ""), payments.ErrUncertain, ""},
		{"an internal error that looks like a no", 500, said("invalid_request_error", "charge_already_refunded"), payments.ErrUncertain, "charge_already_refunded"},
		{"an internal error under another number", 400, said("api_error", ""), payments.ErrUncertain, ""},
		{"a kind of error that is not known yet", 400, said("new_error", ""), payments.ErrUncertain, ""},
		{"a gateway", 502, html, payments.ErrUncertain, ""},

		// Somebody between us and the processor.
		{"another's 400", 400, html, payments.ErrUncertain, ""},
		{"another's 401", 401, html, payments.ErrUncertain, ""},
		{"another's 403", 403, `{"message":"forbidden"}`, payments.ErrUncertain, ""},
		{"another's 404", 404, html, payments.ErrUncertain, ""},
		{"another's 404 in JSON", 404, `{"error":"not found"}`, payments.ErrUncertain, ""},
		{"an empty 404", 404, "", payments.ErrUncertain, ""},

		// Something that is not what was asked for.
		{"nothing", 200, "", payments.ErrUncertain, ""},
		{"no JSON", 200, html, payments.ErrUncertain, ""},
		{"half of it", 200, goodRefund[:40], payments.ErrUncertain, ""},
		{"null", 200, "null", payments.ErrUncertain, ""},
		{"a list", 200, "[]", payments.ErrUncertain, ""},
		{"an empty object", 200, "{}", payments.ErrUncertain, ""},
		{"another object", 200, `{"object":"charge","id":"ch_1","amount":1,"currency":"usd"}`, payments.ErrUncertain, ""},
		{"no id", 200, `{"object":"refund","amount":1,"currency":"usd"}`, payments.ErrUncertain, ""},
		{"no currency", 200, `{"object":"refund","id":"re_1","amount":1}`, payments.ErrUncertain, ""},
		{"another type of amount", 200, `{"object":"refund","id":"re_1","amount":"all","currency":"usd"}`, payments.ErrUncertain, ""},
		{"nothing at all", 204, "", payments.ErrUncertain, ""},
		{"not changed", 304, "", payments.ErrUncertain, ""},
		{"a redirect without address", 302, goodRefund, payments.ErrUncertain, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := serve(t, answers(c.status, c.body)).SendRefund(t.Context(), testRefund)
			f, ok := errors.AsType[*payments.Failure](err)
			if !ok {
				t.Fatalf("%v is no failure", err)
			}
			if !errors.Is(err, c.kind) || f.Code != c.code {
				t.Errorf("%v, code %q, instead of %v, %q", err, f.Code, c.kind, c.code)
			}
			if c.status >= 300 && (f.Status != c.status || f.Request != "req_1") {
				t.Errorf("status %d, request %q", f.Status, f.Request)
			}
			if strings.Contains(err.Error(), "quoted") || strings.Contains(err.Error(), "html") {
				t.Errorf("%q quotes the answer", err)
			}
		})
	}
}

func TestLimitSaysHowLongToWait(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, "1e3": 0, "99999999999999999999": 0, "864000": time.Hour,
	} {
		client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		_, err := client.Balance(t.Context())
		if f, ok := errors.AsType[*payments.Failure](err); !ok || f.RetryAfter != want {
			t.Errorf("%q: %v", header, err)
		}
	}
}

func TestRedirectIsNotFollowedAndGetsNoKey(t *testing.T) {
	t.Parallel()
	var visits atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		visits.Add(1)
		_, _ = io.WriteString(w, goodRefund)
	}))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		client := serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, status)
		})
		if _, err := client.SendRefund(t.Context(), testRefund); !errors.Is(err, payments.ErrUncertain) {
			t.Errorf("%d: %v", status, err)
		}
		if _, err := client.Refund(t.Context(), "re_1"); !errors.Is(err, payments.ErrUncertain) {
			t.Errorf("%d: %v", status, err)
		}
	}
	if visits.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestHugeAnswerIsCutOffAndUncertain(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"object":"refund","description":"`)
		chunk := bytes.Repeat([]byte("a"), 1<<20)
		for range 256 {
			n, err := w.Write(chunk)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	_, err := client.SendRefund(t.Context(), testRefund)
	if f, ok := errors.AsType[*payments.Failure](err); !ok || !errors.Is(f, payments.ErrUncertain) || !errors.Is(f, errTooLarge) {
		t.Error(err)
	}
	// What lies in buffers of the network comes on top.
	if read := sent.Load(); read > 4*maxBody {
		t.Errorf("%d bytes were read", read)
	}
}

func TestHugeHeaderIsUncertain(t *testing.T) {
	t.Parallel()
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := range 2 * maxHeader / 1024 {
			w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("a", 1024))
		}
		_, _ = io.WriteString(w, goodRefund)
	})
	if _, err := client.SendRefund(t.Context(), testRefund); !errors.Is(err, payments.ErrUncertain) {
		t.Error(err)
	}
}

func TestAnswerCutOffAfterSuccessIsUncertain(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]string{
		"before the answer": "",
		"in the header":     "HTTP/1.1 200 OK\r\nContent-Le",
		"in the body":       fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(goodRefund), goodRefund[:20]),
		"no HTTP":           "HTTP/1.1 4242424242424242 OK\r\n\r\n",
	} {
		var requests atomic.Int32
		client := serve(t, func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			_, _ = io.Copy(io.Discard, r.Body)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, write)
			_ = conn.Close()
		})
		_, err := client.SendRefund(t.Context(), testRefund)
		if !errors.Is(err, payments.ErrUncertain) || requests.Load() != 1 {
			t.Errorf("%s: %v after %d requests", name, err, requests.Load())
		}
		if strings.Contains(fmt.Sprintf("%v %#v", err, err), "4242") {
			t.Errorf("%s: %v quotes the answer", name, err)
		}
	}
}

// net/http sends a request with an idempotency key again by itself when a connection
// that was used before breaks.
func TestNothingIsSentAgainOnAReusedConnection(t *testing.T) {
	t.Parallel()
	var orders, conns atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, goodRefund)
			return
		}
		orders.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	client := clientOf(t, server.URL, Options{})
	if _, err := client.Refund(t.Context(), "re_1"); err != nil {
		t.Fatal(err)
	}
	if _, err := client.SendRefund(t.Context(), testRefund); !errors.Is(err, payments.ErrUncertain) {
		t.Error(err)
	}
	if orders.Load() != 1 || conns.Load() != 1 {
		t.Errorf("%d orders on %d connections", orders.Load(), conns.Load())
	}
	// Nor does the library, after errors that it thinks can be repeated.
	for _, status := range []int{409, 429, 500, 503} {
		var requests atomic.Int32
		again := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			w.Header().Set("Stripe-Should-Retry", "true")
			w.WriteHeader(status)
		})
		if _, err := again.SendRefund(t.Context(), testRefund); err == nil || requests.Load() != 1 {
			t.Errorf("%d: %v after %d requests", status, err, requests.Load())
		}
	}
}

func TestSlowAnswerIsUncertainWhenTimeIsUp(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{"nothing": "", "half a body": goodRefund[:20]} {
		release := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if begin != "" {
				_, _ = io.WriteString(w, begin)
				_ = http.NewResponseController(w).Flush()
			}
			<-release
		}))
		client, err := New(Config{
			Mode: payments.Simulator, Key: payments.NewSecret(testKey), URL: server.URL, Timeout: 100 * time.Millisecond,
		}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.SendRefund(t.Context(), testRefund)
		close(release)
		server.Close()
		// On a busy machine the time may be up before there is a connection.
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, payments.ErrUncertain) && !errors.Is(err, payments.ErrUnreachable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCallerThatGoesAwayAfterSendingIsUncertain(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	client := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	_, err := client.SendRefund(ctx, testRefund)
	if !errors.Is(err, payments.ErrUncertain) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := client.SendRefund(ctx, testRefund); !errors.Is(err, payments.ErrUnreachable) || !errors.Is(err, context.Canceled) {
		t.Errorf("sent by somebody who had gone: %v", err)
	}
}

func TestNoConnectionIsCertain(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	if _, err := clientOf(t, gone.URL, Options{}).SendRefund(t.Context(), testRefund); !errors.Is(err, payments.ErrUnreachable) {
		t.Error(err)
	}
	stranger := httptest.NewUnstartedServer(http.NotFoundHandler())
	stranger.Config.ErrorLog = log.New(io.Discard, "", 0)
	stranger.StartTLS()
	t.Cleanup(stranger.Close)
	if _, err := clientOf(t, stranger.URL, Options{}).SendRefund(t.Context(), testRefund); !errors.Is(err, payments.ErrUnreachable) {
		t.Error(err)
	}
}

// A transport that tells nothing of its connections is not believed to have had none.
func TestTransportThatTellsNothingIsUncertain(t *testing.T) {
	t.Parallel()
	client := clientOf(t, "http://127.0.0.1:1", Options{Transport: transport(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("somewhere")
	})})
	if _, err := client.SendRefund(t.Context(), testRefund); !errors.Is(err, payments.ErrUncertain) {
		t.Error(err)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) { return t(req) }

func TestEmptyIDAsksForNothing(t *testing.T) {
	t.Parallel()
	client := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.URL) })
	ctx := t.Context()
	for name, ask := range map[string]func() error{
		"session":  func() error { _, err := client.Session(ctx, payments.Platform, ""); return err },
		"expire":   func() error { _, err := client.ExpireSession(ctx, payments.Platform, ""); return err },
		"charge":   func() error { _, err := client.Charge(ctx, payments.Platform, ""); return err },
		"refund":   func() error { _, err := client.Refund(ctx, ""); return err },
		"transfer": func() error { _, err := client.Transfer(ctx, ""); return err },
		"reversals": func() error {
			for _, err := range client.Reversals(ctx, "") {
				return err
			}
			return nil
		},
		"account":  func() error { _, err := client.Account(ctx, payments.Platform); return err },
		"movement": func() error { _, err := client.Movement(ctx, ""); return err },
		"dispute":  func() error { _, err := client.Dispute(ctx, payments.Platform, ""); return err },
		"warning":  func() error { _, err := client.Warning(ctx, ""); return err },
	} {
		if err := ask(); !errors.Is(err, payments.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRequestsSayWhoAsksAndNoMore(t *testing.T) {
	t.Parallel()
	heads := make(chan http.Header, 1)
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		heads <- r.Header
		_, _ = io.WriteString(w, goodRefund)
	})
	if _, err := client.SendRefund(t.Context(), testRefund); err != nil {
		t.Fatal(err)
	}
	want := http.Header{
		"Authorization":   {"Bearer " + testKey},
		"Content-Type":    {"application/x-www-form-urlencoded"},
		"Idempotency-Key": {"refund:41"},
		"Stripe-Version":  {"2023-10-16"},
	}
	got := <-heads
	ignored := cmpopts.IgnoreMapEntries(func(name string, _ []string) bool {
		return name == "User-Agent" || name == "Accept-Encoding" || name == "Content-Length"
	})
	if diff := cmp.Diff(want, got, ignored); diff != "" {
		t.Error(diff)
	}
}

// The library logs answers, and errors with the payer's name in them, to the standard
// streams.
func TestNothingPersonalIsLoggedOrInAnError(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = write, write
	restore := func() { os.Stdout, os.Stderr = stdout, stderr }
	t.Cleanup(restore)

	const personal = "jenny.rosen@example.com 4242424242424242"
	var errs []error
	for _, c := range []struct {
		status int
		body   string
	}{
		{402, `{"error":{"type":"card_error","code":"` + personal + `","decline_code":"` + personal + `","message":"` + personal + `","payment_intent":{"id":"pi_1","client_secret":"` + personal + `"}}}`},
		{400, `{"error":{"type":"invalid_request_error","param":"` + personal + `","message":"` + personal + `"}}`},
		{500, personal},
		{401, personal},
		{200, personal},
		{200, `{"object":"refund","id":"re_1","amount":"` + personal + `"}`},
	} {
		client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Request-Id", personal)
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		_, err := client.SendRefund(t.Context(), testRefund)
		errs = append(errs, err)
		for _, err := range client.Refunds(t.Context(), payments.RefundQuery{}) {
			errs = append(errs, err)
		}
	}
	restore()
	_ = write.Close()
	printed, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range errs {
		if err == nil {
			t.Fatal("an answer like this was taken")
		}
		f, _ := errors.AsType[*payments.Failure](err)
		printed = fmt.Appendf(printed, "%v %+v %#v", err, err, f)
	}
	for _, word := range []string{"jenny", "4242", testKey} {
		if strings.Contains(string(printed), word) {
			t.Errorf("%s is in %s", word, printed)
		}
	}
}

func TestClientDoesNotPrintItsKey(t *testing.T) {
	t.Parallel()
	cfg := Config{Mode: payments.Simulator, Key: payments.NewSecret(testKey), URL: "http://127.0.0.1:1"}
	client, err := New(cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	out := &wire{key: cfg.Key}
	if printed := fmt.Sprintf("%+v %#v %+v %#v %+v %#v", client, client, cfg, cfg, out, out); strings.Contains(printed, testKey) {
		t.Error(printed)
	}
	if !errors.Is(failed(errors.New("words"), "act"), payments.ErrUncertain) {
		t.Error("an error of the library's own counts as a no")
	}
}
