package session

import (
	"context"
	"errors"
	"net/http"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Visitor is somebody who is signed in, for the time of a request.
type Visitor struct {
	DID    syntax.DID
	Handle syntax.Handle

	sessions *Sessions
	id       hash
	granted  granted
}

type visitorKey struct{}

// From returns who a request comes from, nil for the public.
func From(ctx context.Context) *Visitor {
	v, _ := ctx.Value(visitorKey{}).(*Visitor)
	return v
}

// Middleware lets next know the visitor. What they see is kept by nobody on the way.
func (s *Sessions) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := s.cookies.get(r, sessionName)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		found, err := s.store.get(r.Context(), id)
		switch {
		case errors.Is(err, errUnknown):
			s.cookies.clear(w, sessionName)
			next.ServeHTTP(w, r)
			return
		case err != nil:
			s.log.ErrorContext(r.Context(), "session not read", "err", err)
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Cache-Control", "private, no-store")
		v := &Visitor{DID: found.DID, Handle: found.Handle, sessions: s, id: id, granted: found.Tokens.Scopes}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitorKey{}, v)))
	})
}

// MayWrite tells whether the visitor has granted an action on records.
func (v *Visitor) MayWrite(collection syntax.NSID, action Action) bool {
	return v.granted.record(collection, action)
}

// MayCall tells whether the visitor has granted calls of a method.
func (v *Visitor) MayCall(method syntax.NSID) bool { return v.granted.method(method) }
