package reposync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/hashicorp/golang-lru/v2/expirable"
)

// refreshEvery bounds how often a bad signature makes us ask for an account's
// DID document again, so that forged frames cannot be turned into a flood of
// requests to the directory.
const refreshEvery = time.Minute

// Keys finds the signing keys of accounts in a caching directory.
type Keys struct {
	dir       identity.Directory
	timeout   time.Duration
	refreshed *expirable.LRU[syntax.DID, struct{}]
}

// NewKeys looks keys up in dir, which should cache and must not resolve
// handles; each look-up takes at most timeout.
func NewKeys(dir identity.Directory, timeout time.Duration) *Keys {
	return &Keys{dir: dir, timeout: timeout, refreshed: expirable.NewLRU[syntax.DID, struct{}](100_000, nil, refreshEvery)}
}

// Identity returns what the account's DID document says. It wraps
// [ErrUnverified] when the document cannot be had.
func (k *Keys) Identity(ctx context.Context, did syntax.DID) (*identity.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	ident, err := k.dir.LookupDID(ctx, did)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrUnverified, did, err)
	}
	return ident, nil
}

// Forget drops what is cached of the account, as an identity event asks for.
func (k *Keys) Forget(ctx context.Context, did syntax.DID) error {
	if err := k.dir.Purge(ctx, did.AtIdentifier()); err != nil {
		return fmt.Errorf("reposync: forget %s: %w", did, err)
	}
	return nil
}

// verify calls check with the account's key. When the check fails the key may
// have been rotated, so the document is fetched once more before deciding.
func (k *Keys) verify(ctx context.Context, did syntax.DID, check func(atcrypto.PublicKey) error) error {
	first := k.check(ctx, did, check)
	if first == nil || errors.Is(first, ErrUnverified) {
		return first
	}
	if _, recent := k.refreshed.Get(did); recent {
		return first
	}
	k.refreshed.Add(did, struct{}{})
	if err := k.Forget(ctx, did); err != nil {
		return err
	}
	return k.check(ctx, did, check)
}

func (k *Keys) check(ctx context.Context, did syntax.DID, check func(atcrypto.PublicKey) error) error {
	ident, err := k.Identity(ctx, did)
	if err != nil {
		return err
	}
	key, err := ident.PublicKey()
	if err != nil {
		return drop(DropSignature, "the DID document of %s holds no usable key: %w", did, err)
	}
	if err := check(key); err != nil {
		return drop(DropSignature, "%w", err)
	}
	return nil
}
