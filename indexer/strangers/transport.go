package strangers

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// Transport is an http.RoundTripper for strangers.
type Transport struct {
	// Next makes the connections, and refuses those to private addresses.
	Next http.RoundTripper
	// Acquire waits for a host's turn; release is called once its answer is closed.
	// Nil means that no host has to wait.
	Acquire func(ctx context.Context, host string) (release func(), err error)
	// Most is how many bytes of an answer are read.
	Most int64
}

var _ http.RoundTripper = (*Transport)(nil)

// RoundTrip implements http.RoundTripper. Reading more of the answer than is allowed
// fails with a *TooLargeError.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" {
		return nil, fmt.Errorf("strangers: %s is not asked without TLS", req.URL.Host)
	}
	release := func() {}
	if t.Acquire != nil {
		var err error
		if release, err = t.Acquire(req.Context(), req.URL.Host); err != nil {
			return nil, err
		}
	}
	resp, err := t.Next.RoundTrip(req)
	if err != nil {
		release()
		return nil, err
	}
	resp.Body = &body{ReadCloser: resp.Body, left: t.Most, most: t.Most, release: sync.OnceFunc(release)}
	return resp, nil
}

// Follow bounds redirects, for http.Client.CheckRedirect: so many in a row, over https
// and without credentials. One that is not followed is the answer.
func Follow(hops int) func(req *http.Request, via []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		if len(via) > hops || req.URL.Scheme != "https" || req.URL.User != nil {
			return http.ErrUseLastResponse
		}
		return nil
	}
}

// TooLargeError says that an answer was longer than we read.
type TooLargeError struct{ Most int64 }

func (e *TooLargeError) Error() string { return fmt.Sprintf("the answer is over %d bytes", e.Most) }

type body struct {
	io.ReadCloser
	left, most int64
	release    func()
}

func (b *body) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, &TooLargeError{b.most}
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, &TooLargeError{b.most}
	}
	return n, err
}

func (b *body) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}
