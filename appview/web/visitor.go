package web

import (
	"context"
	"net/http"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/xrpc"
)

// Visitor is who is signed in.
type Visitor struct {
	DID    syntax.DID
	Handle syntax.Handle
}

// visitor is nil for the public.
func (s *Site) visitor(ctx context.Context) *Visitor {
	if s.opts.Visitor == nil {
		return nil
	}
	return s.opts.Visitor(ctx)
}

// asVisitor lets queries answer the visitor, and nobody keep the answer.
func (s *Site) asVisitor(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := s.visitor(r.Context())
		if v == nil {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Cache-Control", "private, no-store")
		next.ServeHTTP(w, r.WithContext(xrpc.WithViewer(r.Context(), v.DID)))
	})
}
