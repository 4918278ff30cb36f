package indexer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"golang.org/x/sync/errgroup"
)

const (
	handlesAtOnce = 8
	handleTimeout = 10 * time.Second
	// How long a finding about a handle holds. Changes are announced by
	// identity events; these bound what happens without one.
	handleHolds       = 24 * time.Hour
	handleInvalidFor  = time.Hour
	handleUnavailable = 5 * time.Minute
)

// handles keeps the handles of all known accounts looked up. Nothing waits for
// it: until a handle is proven, an account is shown with none.
func (ix *Indexer) handles(ctx context.Context) error {
	for {
		due, next, err := ix.store.DueHandles(ctx, 256)
		if err != nil {
			return err
		}
		var g errgroup.Group
		g.SetLimit(handlesAtOnce)
		for _, did := range due {
			g.Go(func() error { return ix.refreshHandle(ctx, did) })
		}
		if err := g.Wait(); err != nil {
			return err
		}
		if len(due) > 0 && ctx.Err() == nil {
			continue
		}
		if err := ix.await(ctx, ix.wakeHandles, next); err != nil {
			return err
		}
	}
}

func (ix *Indexer) refreshHandle(ctx context.Context, did syntax.DID) error {
	lookup, cancel := context.WithTimeout(ctx, handleTimeout)
	handle, err := ix.lookupHandle(lookup, did)
	cancel()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		ix.warn("could not look up a handle", "did", did, "err", brief(err))
		return ix.store.HandleUnavailable(ctx, did, ix.now().Add(handleUnavailable))
	}
	holds := handleHolds
	if handle == syntax.HandleInvalid {
		holds = handleInvalidFor
	}
	return ix.store.SetHandle(ctx, did, handle, ix.now().Add(holds))
}

// lookupHandle returns the handle that the DID document declares and that points
// back to the DID; [syntax.HandleInvalid] when there is none. An error means that
// somebody could not be asked.
func (ix *Indexer) lookupHandle(ctx context.Context, did syntax.DID) (syntax.Handle, error) {
	doc, err := ix.dir.ResolveDID(ctx, did)
	if errors.Is(err, identity.ErrDIDNotFound) {
		return syntax.HandleInvalid, nil
	}
	if err != nil {
		return "", fmt.Errorf("look up the DID document: %w", err)
	}
	ident := identity.ParseIdentity(doc)
	handle, err := ident.DeclaredHandle()
	if err != nil {
		return syntax.HandleInvalid, nil
	}
	found, err := ix.dir.ResolveHandle(ctx, handle)
	switch {
	case errors.Is(err, identity.ErrHandleNotFound), errors.Is(err, identity.ErrHandleReservedTLD), errors.Is(err, identity.ErrInvalidHandle):
		return syntax.HandleInvalid, nil
	case err != nil:
		return "", fmt.Errorf("look up the handle %s: %w", handle, err)
	case found != did:
		return syntax.HandleInvalid, nil
	}
	return handle.Normalize(), nil
}
