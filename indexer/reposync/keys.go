package reposync

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/repo"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// refreshEvery bounds how often a bad signature makes us ask for an account's
// DID document again, so that forged frames cannot be turned into a flood of
// requests to the directory.
const refreshEvery = time.Minute

// Keys finds the signing keys of accounts in a caching directory.
type Keys struct {
	dir     identity.Directory
	timeout time.Duration

	mu        sync.Mutex
	refreshed *simplelru.LRU[syntax.DID, time.Time] // guarded by mu
	parsed    *simplelru.LRU[syntax.DID, parsedKey] // guarded by mu
}

// parsedKey is a key beside what it was parsed from. The directory says which
// key is an account's; this only saves the arithmetic of reading it again.
type parsedKey struct {
	from identity.VerificationMethod
	key  atcrypto.PublicKey
}

// refreshedKept is how many accounts are remembered as fetched again. Beyond it
// the least recent is forgotten, and may be asked for sooner.
const refreshedKept = 100_000

// parsedKept is how many accounts' keys are kept parsed, at some five hundred
// bytes each. Beyond it the least recent is parsed again.
const parsedKept = 20_000

// NewKeys looks keys up in dir, which should cache and must not resolve
// handles; each look-up takes at most timeout.
func NewKeys(dir identity.Directory, timeout time.Duration) *Keys {
	return &Keys{
		dir: dir, timeout: timeout,
		refreshed: newLRU[time.Time](refreshedKept), parsed: newLRU[parsedKey](parsedKept),
	}
}

func newLRU[V any](size int) *simplelru.LRU[syntax.DID, V] {
	lru, err := simplelru.NewLRU[syntax.DID, V](size, nil)
	if err != nil {
		panic(err) // only a size below one is an error
	}
	return lru
}

// Identity returns what the account's DID document says. It wraps
// [ErrUnverified] when the document cannot be had.
func (k *Keys) Identity(ctx context.Context, did syntax.DID) (ident *identity.Identity, err error) {
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	waiting(ctx, func() { ident, err = k.lookUp(ctx, did) })
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrUnverified, did, err)
	}
	return ident, nil
}

func (k *Keys) lookUp(ctx context.Context, did syntax.DID) (*identity.Identity, error) {
	ident, err := k.dir.LookupDID(ctx, did)
	if err != nil && ctx.Err() == nil && !errors.Is(err, identity.ErrDIDNotFound) && !errors.Is(err, identity.ErrDIDResolutionFailed) {
		// indigo's cache fails a look-up that waited for another one when the
		// account was forgotten in between.
		ident, err = k.dir.LookupDID(ctx, did)
	}
	return ident, err
}

// Forget drops what is cached of the account, as an identity event asks for.
func (k *Keys) Forget(ctx context.Context, did syntax.DID) error {
	if err := k.dir.Purge(ctx, did.AtIdentifier()); err != nil {
		return fmt.Errorf("reposync: forget %s: %w", did, err)
	}
	return nil
}

// verify checks the commit's signature with the account's key. When it fails
// the key may have been rotated, so the document is fetched once more before
// deciding.
func (k *Keys) verify(ctx context.Context, did syntax.DID, signed *repo.Commit, now time.Time) error {
	first := k.check(ctx, did, signed)
	if first == nil || errors.Is(first, ErrUnverified) || !k.mayRefresh(did, now) {
		return first
	}
	if err := k.Forget(ctx, did); err != nil {
		return fmt.Errorf("%w: %w", ErrUnverified, err)
	}
	return k.check(ctx, did, signed)
}

// mayRefresh reports whether the account's document may be fetched again, and
// notes that it is.
func (k *Keys) mayRefresh(did syntax.DID, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if last, ok := k.refreshed.Get(did); ok && now.Sub(last) < refreshEvery {
		return false
	}
	k.refreshed.Add(did, now)
	return true
}

func (k *Keys) check(ctx context.Context, did syntax.DID, signed *repo.Commit) error {
	ident, err := k.Identity(ctx, did)
	if err != nil {
		return err
	}
	key, err := k.publicKey(ident)
	if err != nil {
		return drop(DropSignature, "the DID document of %s holds no usable key: %w", did, err)
	}
	if err := signed.VerifySignature(key); err != nil {
		return drop(DropSignature, "%w", err)
	}
	return nil
}

// publicKey returns the account's signing key, parsed at most once for as long
// as its document does not change it.
func (k *Keys) publicKey(ident *identity.Identity) (atcrypto.PublicKey, error) {
	from := ident.Keys["atproto"]
	k.mu.Lock()
	known, ok := k.parsed.Get(ident.DID)
	k.mu.Unlock()
	if ok && known.from == from {
		return known.key, nil
	}
	key, err := ident.PublicKey()
	if err != nil {
		return nil, err
	}
	key = fastKey(key)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.parsed.Add(ident.DID, parsedKey{from, key})
	return key, nil
}
