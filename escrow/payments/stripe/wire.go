package stripe

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	sdk "github.com/stripe/stripe-go/v76"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

// Bounds of an answer. A page of a hundred of Stripe's largest objects stays far below.
const (
	maxBody   = 16 << 20
	maxHeader = 64 << 10
)

// maxRetryAfter is the longest wait that is believed.
const maxRetryAfter = time.Hour

var (
	errUnreadable = errors.New("the answer cannot be read")
	errTooLarge   = errors.New("the answer is too large")
	errNotTheirs  = errors.New("the answer is not the processor's")
	errRedirect   = errors.New("the answer leads elsewhere")
	errBroken     = errors.New("the connection broke")
	errElsewhere  = errors.New("the request is for somebody else")
	errNoID       = errors.New("the id is empty")
)

// wire sends each request once and turns whatever comes back into an answer in full or
// a *payments.Failure. It alone knows the key.
type wire struct {
	key     payments.Secret
	home    *url.URL
	timeout time.Duration
	next    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	switch path := req.URL.Path; {
	case req.URL.Scheme != w.home.Scheme || req.URL.Host != w.home.Host:
		return nil, &payments.Failure{Kind: payments.ErrInvalid, Cause: errElsewhere}
	case strings.HasSuffix(path, "/") || strings.Contains(path, "//"):
		// Without the id it would ask for all objects of a kind.
		return nil, &payments.Failure{Kind: payments.ErrInvalid, Cause: errNoID}
	case req.Context().Err() != nil:
		return nil, &payments.Failure{Kind: payments.ErrUnreachable, Cause: req.Context().Err()}
	}
	ctx, cancel := context.WithTimeout(req.Context(), w.timeout)
	defer cancel()

	// Once there is a connection, every error may have come after the request arrived.
	var sought, connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { sought.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	res, err := w.next.RoundTrip(w.prepare(req.Clone(ctx)))
	if err != nil {
		kind := payments.ErrUncertain
		if sought.Load() && !connected.Load() {
			kind = payments.ErrUnreachable
		}
		return nil, &payments.Failure{Kind: kind, Cause: cause(err)}
	}
	defer func() { _ = res.Body.Close() }()

	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if failure := judge(res, body, err); failure != nil {
		return nil, failure
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// prepare adds the key, and takes away what the library says of this machine. Without
// GetBody net/http cannot send an order again by itself, which it does for those with
// an idempotency key when a connection breaks.
func (w *wire) prepare(req *http.Request) *http.Request {
	req.Header.Set("Authorization", "Bearer "+w.key.Reveal())
	req.Header.Del("X-Stripe-Client-User-Agent")
	req.GetBody = nil
	return req
}

// judge returns why this is no answer, or nil.
func judge(res *http.Response, body []byte, err error) *payments.Failure {
	f := &payments.Failure{
		Kind:    payments.ErrUncertain,
		Status:  res.StatusCode,
		Request: word(res.Header.Get("Request-Id")),
	}
	said := sdk.Error{}
	if err == nil && res.StatusCode >= http.StatusBadRequest {
		said = errorIn(body)
		f.Code, f.DeclineCode, f.Param = word(string(said.Code)), word(string(said.DeclineCode)), word(said.Param)
	}
	switch status := res.StatusCode; {
	case status == http.StatusTooManyRequests:
		// Turned away at the door, whoever keeps it.
		f.Kind = payments.ErrLimited
		f.RetryAfter = retryAfter(res.Header)
	case err != nil:
		f.Cause = cause(err)
	case len(body) > maxBody:
		f.Cause = errTooLarge
	case status >= 200 && status < 300:
		return nil
	case status < http.StatusBadRequest:
		f.Cause = errRedirect
	case status >= http.StatusInternalServerError:
		// It may have happened, whatever the body says.
	case said.Type == "":
		f.Cause = errNotTheirs
	default:
		f.Kind = refusal(status, said)
	}
	return f
}

// errorIn reads an error in Stripe's form; its Type is empty if it has another form.
func errorIn(body []byte) sdk.Error {
	var answer struct {
		Error struct {
			Type        sdk.ErrorType   `json:"type"`
			Code        sdk.ErrorCode   `json:"code"`
			DeclineCode sdk.DeclineCode `json:"decline_code"`
			Param       string          `json:"param"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return sdk.Error{}
	}
	e := answer.Error
	return sdk.Error{Type: e.Type, Code: e.Code, DeclineCode: e.DeclineCode, Param: e.Param}
}

// refusal is what a 4xx in Stripe's own form means.
func refusal(status int, said sdk.Error) error {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return payments.ErrMisconfigured
	case said.Type == sdk.ErrorTypeIdempotency && status == http.StatusBadRequest:
		return payments.ErrMismatch
	case status == http.StatusConflict, status == http.StatusRequestTimeout, status == http.StatusFailedDependency:
		// Another call with this key, or a system behind Stripe, is still at it.
		return payments.ErrUncertain
	case said.Type == sdk.ErrorTypeCard:
		return payments.ErrDeclined
	case status == http.StatusNotFound || said.Code == sdk.ErrorCodeResourceMissing:
		return payments.ErrNotFound
	case said.Type == sdk.ErrorTypeInvalidRequest:
		return payments.ErrRefused
	}
	// An internal error of theirs under another number, or a type that is not known yet.
	return payments.ErrUncertain
}

// words are codes, ids, and the names of parameters. Anything else might be a quote.
var words = regexp.MustCompile(`^[0-9A-Za-z_.\[\]-]{1,128}$`)

func word(s string) string {
	if !words.MatchString(s) {
		return ""
	}
	return s
}

func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, int(maxRetryAfter/time.Second)))*time.Second, maxRetryAfter)
}

// cause keeps of an error what can be known to quote nothing: net/http's own would
// repeat a malformed answer.
func cause(err error) error {
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, known) {
			return known
		}
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("its certificate is not valid: %w", e.Err)
	}
	return errBroken
}
