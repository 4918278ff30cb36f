package session

import (
	"context"
	"errors"
	"net/http"
)

// signOut ends the session here whatever the PDS says, and there if it answers.
func (s *Sessions) signOut(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if id, ok := s.cookies.get(r, sessionName); ok {
		s.end(r.Context(), id)
	}
	s.cookies.clear(w, sessionName)
	http.Redirect(w, r, LocalPath(r.PostFormValue(fieldReturn)), http.StatusSeeOther)
}

// end forgets a session, and has its PDS revoke it. What fails there ends with the tokens.
func (s *Sessions) end(ctx context.Context, id hash) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askWithin)
	defer cancel()
	if done, err := s.turns.wait(ctx, id); err == nil { // a call under way may be renewing the tokens
		defer done()
	}
	found, err := s.store.get(ctx, id)
	if errors.Is(err, errUnknown) {
		return
	}
	if err == nil {
		err = s.store.end(ctx, id)
	}
	if err != nil {
		s.log.ErrorContext(ctx, "session not ended", "err", err)
		return
	}
	resumed, err := s.resume(found)
	if err == nil {
		err = resumed.RevokeSession(ctx)
	}
	if err != nil {
		s.log.InfoContext(ctx, "session not revoked", "did", found.DID, "err", err)
	}
}
