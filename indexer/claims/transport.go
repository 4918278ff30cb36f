package claims

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// bounded is a transport for strangers: https only, each host in its turn, and
// no more than so many bytes of an answer.
type bounded struct {
	next    http.RoundTripper
	acquire func(ctx context.Context, host string) (release func(), err error)
	most    int64
}

// RoundTrip implements http.RoundTripper.
func (b *bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" {
		return nil, fmt.Errorf("claims: %s is not asked without TLS", req.URL.Host)
	}
	release, err := b.acquire(req.Context(), req.URL.Host)
	if err != nil {
		return nil, err
	}
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		release()
		return nil, err
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: b.most, most: b.most, release: sync.OnceFunc(release)}
	return resp, nil
}

// tooLargeError says that an answer was longer than we read.
type tooLargeError struct{ most int64 }

func (e *tooLargeError) Error() string { return fmt.Sprintf("the answer is over %d bytes", e.most) }

type boundedBody struct {
	io.ReadCloser
	left, most int64
	release    func()
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, &tooLargeError{b.most}
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, &tooLargeError{b.most}
	}
	return n, err
}

func (b *boundedBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}
