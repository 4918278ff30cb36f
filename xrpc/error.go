package xrpc

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"
)

// Error is an answer that a client can act on. On the wire it is
// {"error": Name, "message": Message}; both are public.
type Error struct {
	// Name is InvalidRequest, another name of the protocol, or one that the
	// method's lexicon lists under errors.
	Name string
	// Status is the HTTP status, at least 400.
	Status int
	// Message is one sentence for the person who wrote the client.
	Message string
}

func (e *Error) Error() string { return e.Name + ": " + e.Message }

// The names that any method may answer with, whatever its lexicon lists.
const (
	nameInvalidRequest       = "InvalidRequest"
	namePayloadTooLarge      = "PayloadTooLarge"
	nameRateLimitExceeded    = "RateLimitExceeded"
	nameInternalServerError  = "InternalServerError"
	nameMethodNotImplemented = "MethodNotImplemented"
	nameNotEnoughResources   = "NotEnoughResources"
	nameClientGone           = "ClientClosedRequest"
)

// What is wrong with a request's authentication, by the names of the reference
// server.
const (
	nameAuthenticationRequired = "AuthenticationRequired"
	nameBadJwt                 = "BadJwt"
	nameBadJwtType             = "BadJwtType"
	nameJwtExpired             = "JwtExpired"
	nameBadJwtAudience         = "BadJwtAudience"
	nameBadJwtLexiconMethod    = "BadJwtLexiconMethod"
	nameBadJwtIss              = "BadJwtIss"
	nameBadJwtSignature        = "BadJwtSignature"
)

var protocolNames = map[string]bool{
	nameInvalidRequest: true, namePayloadTooLarge: true, nameRateLimitExceeded: true, nameInternalServerError: true,
	nameMethodNotImplemented: true, nameNotEnoughResources: true, nameClientGone: true,
	nameAuthenticationRequired: true, nameBadJwt: true, nameBadJwtType: true, nameJwtExpired: true, nameBadJwtAudience: true,
	nameBadJwtLexiconMethod: true, nameBadJwtIss: true, nameBadJwtSignature: true,
}

// statusClientGone is what proxies log for a client that did not wait. Nobody
// receives it.
const statusClientGone = 499

// InvalidRequest is the answer to a request that its sender has to change.
func InvalidRequest(format string, args ...any) *Error {
	return Named(nameInvalidRequest, format, args...)
}

// Named is an error that the method's lexicon lists, with status 400 as clients
// of atproto expect it, also for things that are not found.
func Named(name, format string, args ...any) *Error {
	return &Error{Name: name, Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

// NotEnoughResources asks the client to come back later.
func NotEnoughResources(format string, args ...any) *Error {
	return &Error{Name: nameNotEnoughResources, Status: http.StatusServiceUnavailable, Message: fmt.Sprintf(format, args...)}
}

// unauthorized refuses a token, or the lack of one. No part of a token belongs into
// the message.
func unauthorized(name, format string, args ...any) *Error {
	return &Error{Name: name, Status: http.StatusUnauthorized, Message: fmt.Sprintf(format, args...)}
}

func methodNotImplemented(format string, args ...any) *Error {
	return &Error{Name: nameMethodNotImplemented, Status: http.StatusNotImplemented, Message: fmt.Sprintf(format, args...)}
}

// endedBy says why a handler failed whose context had ended: whatever it returned
// then, a database's own word for being interrupted included, is a consequence. It
// is called before that context is released, which would look like a client gone.
func endedBy(ctx context.Context, err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	switch ctx.Err() {
	case context.Canceled:
		return fmt.Errorf("%w: %w", &Error{Name: nameClientGone, Status: statusClientGone, Message: "the client did not wait for the answer"}, err)
	case context.DeadlineExceeded:
		return fmt.Errorf("%w: %w", NotEnoughResources("the request took too long, try again later"), err)
	default:
		return err
	}
}

// wireError decides what a client learns about err.
func (s *Server) wireError(ctx context.Context, err error) *Error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = s.opts.MapError(err)
	}
	// An error without an error's status is a mistake of ours, and would make a
	// success of a failure.
	if e != nil && e.Status >= 400 && e.Status < 600 {
		return e
	}
	if he, ok := errors.AsType[*echo.HTTPError](err); ok && he.Code < http.StatusInternalServerError {
		return &Error{Name: nameInvalidRequest, Status: he.Code, Message: http.StatusText(he.Code)}
	}
	return &Error{
		Name: nameInternalServerError, Status: http.StatusInternalServerError,
		Message: "internal error, logged as request " + RequestID(ctx),
	}
}
