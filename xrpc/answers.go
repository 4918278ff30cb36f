package xrpc

import (
	"context"
	"net/http"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Answers keeps encoded answers of queries, for a service that knows how long they
// hold. It may be called by many goroutines.
type Answers interface {
	// Answer returns what ask would return now for the method and the query string,
	// by asking or from memory. The bytes are not changed by anybody. The context
	// that it gives to ask may outlive the request, when others wait for the same
	// answer.
	Answer(ctx context.Context, method syntax.NSID, query string, ask func(context.Context) ([]byte, error)) ([]byte, error)
}

// kept bounds how long ask may take, and spares asking where an answer is kept.
// What is kept is for everybody, so requests that show a credential of whatever
// kind neither get it nor add to it, and procedures are always called.
func (s *Server) kept(m *method, r *http.Request, ask func(context.Context) ([]byte, error)) ([]byte, error) {
	bounded := func(ctx context.Context) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
		defer cancel()
		body, err := ask(ctx)
		if err != nil {
			return nil, endedBy(ctx, err)
		}
		return body, nil
	}
	if s.opts.Answers == nil || m.verb != http.MethodGet || r.Method != http.MethodGet || r.ContentLength != 0 || !anonymous(r) {
		return bounded(r.Context())
	}
	return s.opts.Answers.Answer(r.Context(), m.nsid, r.URL.RawQuery, bounded)
}

// anonymous reports whether nothing in a request says who makes it.
func anonymous(r *http.Request) bool {
	for _, name := range []string{"Authorization", "Dpop", "Cookie"} {
		if _, there := r.Header[name]; there {
			return false
		}
	}
	return true
}
