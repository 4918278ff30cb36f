package xrpc

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

// Anybody can write a token that names any issuer, and only the issuer's key tells
// that it is forged. So what strangers can make us ask is bounded: by DID, by client
// and in total.
const (
	// maxKeys is how many keys are kept, at some five hundred bytes each. Beyond
	// it the least recently used is asked for again.
	maxKeys = 20_000
	// keyLife is how long a key is believed. One that was rotated away works that
	// long after its last use, unless the account shows the new one before.
	keyLife = 10 * time.Minute
	// lackLife is how long a failed look-up is remembered.
	lackLife = 30 * time.Second
	// againEvery is how often bad signatures make us ask for one account's key.
	againEvery = time.Minute
	// lookupTimeout bounds one look-up.
	lookupTimeout = 5 * time.Second

	lookupsPerSecond       = 20
	lookupsBurst           = 200
	clientLookupsPerSecond = 5
	clientLookupsBurst     = 50
)

// keyring knows the keys of accounts, as their DID documents say.
type keyring struct {
	dir     identity.Directory
	now     func() time.Time
	known   *lru.Cache[syntax.DID, knownKey]
	flights singleflight.Group
	total   *rate.Limiter
	clients *clientLimit
	metrics *metrics
}

// knownKey is what a look-up found: a key, or why there is none.
type knownKey struct {
	key   atcrypto.PublicKey
	err   error
	until time.Time
	again time.Time // when a bad signature was the reason to ask
}

func newKeyring(dir identity.Directory, now func() time.Time, m *metrics) (*keyring, error) {
	known, err := lru.New[syntax.DID, knownKey](maxKeys)
	if err != nil {
		return nil, fmt.Errorf("xrpc: keep keys: %w", err)
	}
	clients, err := newClientLimit(clientLookupsPerSecond, clientLookupsBurst)
	if err != nil {
		return nil, err
	}
	k := &keyring{
		dir: dir, now: now, known: known, clients: clients, metrics: m,
		total: rate.NewLimiter(lookupsPerSecond, lookupsBurst),
	}
	return k, m.countKeys(known.Len)
}

// find returns the key of an account.
func (k *keyring) find(ctx context.Context, did syntax.DID, from netip.Prefix) (atcrypto.PublicKey, error) {
	if have, ok := k.known.Get(did); ok && k.now().Before(have.until) {
		return have.key, have.err
	}
	return k.ask(ctx, did, from, time.Time{})
}

// again returns the key of an account after a signature did not fit the one that is
// known. It asks only now and then.
func (k *keyring) again(ctx context.Context, did syntax.DID, from netip.Prefix) (atcrypto.PublicKey, error) {
	now := k.now()
	if have, ok := k.known.Get(did); ok && now.Sub(have.again) < againEvery {
		return have.key, have.err
	}
	return k.ask(ctx, did, from, now)
}

// ask looks a key up and keeps what it finds. Requests for the same account at the
// same time share one look-up.
func (k *keyring) ask(ctx context.Context, did syntax.DID, from netip.Prefix, again time.Time) (atcrypto.PublicKey, error) {
	// The client's share comes first, so that a greedy one does not use up the total.
	if ok, _, _, _ := k.clients.take(from, k.now()); !ok || !k.total.AllowN(k.now(), 1) {
		k.metrics.lookedUp("limited")
		return nil, NotEnoughResources("too many accounts to look up, try again later")
	}
	found, _, _ := k.flights.Do(did.String(), func() (any, error) {
		have, decided := k.lookUp(ctx, did)
		have.again = again
		kept := have
		// A forged token while the directory is away must not cost the account the
		// key that is good.
		if old, ok := k.known.Get(did); ok && !decided && k.now().Before(old.until) {
			kept = old
			kept.again = again
		}
		k.known.Add(did, kept)
		return have, nil
	})
	have := found.(knownKey)
	return have.key, have.err
}

// lookUp asks the directory. decided is false when it could not say.
func (k *keyring) lookUp(ctx context.Context, did syntax.DID) (have knownKey, decided bool) {
	// A client that goes away must not leave a failure for those who wait or come
	// after it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
	defer cancel()
	ident, err := k.dir.LookupDID(ctx, did)
	if errors.Is(err, identity.ErrDIDResolutionFailed) || ctx.Err() != nil {
		k.metrics.lookedUp("failed")
		return k.lack(NotEnoughResources("iss: its DID document cannot be had now, try again later")), false
	}
	if err != nil {
		k.metrics.lookedUp("not-found")
		return k.lack(unauthorized(nameBadJwtIss, "iss: no such account is known")), true
	}
	key, err := ident.PublicKey()
	if err != nil {
		k.metrics.lookedUp("no-key")
		return k.lack(unauthorized(nameBadJwtIss, "iss: the account has no key to sign with")), true
	}
	k.metrics.lookedUp("ok")
	return knownKey{key: key, until: k.now().Add(keyLife)}, true
}

func (k *keyring) lack(err error) knownKey {
	return knownKey{err: err, until: k.now().Add(lackLife)}
}
