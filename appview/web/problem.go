package web

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/stratosfund/stratosfund/xrpc"
)

// problem is a page that says what is wrong, what is safe, and what to do.
type problem struct {
	status       int
	Head, Advice string
}

func (p *problem) Error() string { return p.Head }

// errNothing is for addresses that nothing was ever at.
var errNothing = &problem{http.StatusNotFound, "There is nothing here",
	"The address is wrong, or what was here is gone: its author may have deleted it, or their account is hidden."}

func (s *Site) nothing(http.ResponseWriter, *http.Request) error { return errNothing }

// Failed answers an error, of [Queries] for one, as a page. Only what is ours goes to the log.
func (s *Site) Failed(w http.ResponseWriter, r *http.Request, err error) {
	p := s.problemOf(r.Context(), err)
	if p.status == http.StatusInternalServerError {
		s.log.ErrorContext(r.Context(), "page failed", "path", r.Pattern, "request", xrpc.RequestID(r.Context()), "err", err)
	}
	if err := s.render(w, r, p.status, "problem", head{Hidden: true}, p); err != nil {
		s.log.ErrorContext(r.Context(), "page not made", "err", err)
		http.Error(w, p.Head, p.status)
	}
}

func (s *Site) problemOf(ctx context.Context, err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if wire, ok := errors.AsType[*xrpc.Error](err); ok {
		switch {
		case strings.HasSuffix(wire.Name, "NotFound"):
			return errNothing
		case wire.Name == "InvalidCursor":
			return &problem{http.StatusBadRequest, "This page of the list is gone", "Lists are kept for a day. Go back to their beginning."}
		case wire.Status == http.StatusBadRequest:
			return &problem{http.StatusBadRequest, "This address does not make sense", "It says: " + wire.Message + "."}
		case wire.Status == http.StatusServiceUnavailable:
			return &problem{http.StatusServiceUnavailable, "Too much at once", "The service is busy. Nothing is lost; try again in a minute."}
		}
	}
	if ctx.Err() != nil {
		return &problem{http.StatusServiceUnavailable, "That took too long", "The service is busy. Nothing is lost; try again in a minute."}
	}
	advice := "It is our fault, and it is written down. Nothing of yours was changed. Try again in a minute."
	if id := xrpc.RequestID(ctx); id != "" {
		advice += " Whoever runs this service finds it as " + id + "."
	}
	return &problem{http.StatusInternalServerError, "Something is broken here", advice}
}
