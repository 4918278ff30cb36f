package xrpc

import (
	"context"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

type (
	requestIDKey struct{}
	viewerKey    struct{}
)

func withRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the id under which the current request is logged and which its
// client sees in X-Request-Id; empty outside of a request.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

func withViewer(ctx context.Context, did syntax.DID) context.Context {
	return context.WithValue(ctx, viewerKey{}, did)
}

// Viewer returns the account that makes the current request, as its signature
// proved. ok is false when it is made by nobody in particular.
func Viewer(ctx context.Context) (did syntax.DID, ok bool) {
	did, ok = ctx.Value(viewerKey{}).(syntax.DID)
	return did, ok
}
