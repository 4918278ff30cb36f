package appview

import (
	"context"
	"errors"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/store"
)

// did resolves an at-identifier. Handles are those that the index proved; an
// empty identifier stays empty.
func did(ctx context.Context, r *store.Reader, id syntax.AtIdentifier) (syntax.DID, error) {
	if id == "" {
		return "", nil
	}
	if did, err := id.AsDID(); err == nil {
		return did, nil
	}
	handle, err := id.AsHandle()
	if err != nil {
		return "", errActorNotFound
	}
	did, err := r.DIDOf(ctx, handle)
	if errors.Is(err, store.ErrNotFound) {
		return "", fmt.Errorf("%w: %s", errActorNotFound, handle)
	}
	return did, err
}

// recordURI replaces a handle in the authority of an at-uri by its DID, which
// is how records are indexed. What cannot be resolved is not found.
func recordURI(ctx context.Context, r *store.Reader, uri syntax.ATURI) (syntax.ATURI, error) {
	authority, err := did(ctx, r, uri.Authority())
	if err != nil {
		return "", err
	}
	return at(authority, uri), nil
}

// recordURIs is recordURI for many in one statement. What cannot be resolved is
// left out.
func recordURIs(ctx context.Context, r *store.Reader, uris []syntax.ATURI) ([]syntax.ATURI, error) {
	var handles []syntax.Handle
	for _, uri := range uris {
		if handle, err := uri.Authority().AsHandle(); err == nil {
			handles = append(handles, handle)
		}
	}
	dids, err := r.DIDsOf(ctx, handles)
	if err != nil {
		return nil, err
	}
	out := make([]syntax.ATURI, 0, len(uris))
	for _, uri := range uris {
		did, err := uri.Authority().AsDID()
		if handle, isHandle := uri.Authority().AsHandle(); isHandle == nil {
			did, err = dids[handle], nil
		}
		if err == nil && did != "" {
			out = append(out, at(did, uri))
		}
	}
	return out, nil
}

// at is the uri under a DID.
func at(did syntax.DID, uri syntax.ATURI) syntax.ATURI {
	return syntax.ATURI("at://" + did.String() + "/" + uri.Collection().String() + "/" + uri.RecordKey().String())
}
