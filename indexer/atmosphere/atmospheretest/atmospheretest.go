// Package atmospheretest gives the tests of a package one local atmosphere.
//
// A test binary shares one network, because accounts are cheap and servers are
// not: a test makes accounts with handles of its own (NewAccount) and looks only
// at what they wrote. The network starts with the first test that asks, on free
// ports, in a temporary directory. It needs no TestMain: the servers end, and
// remove the directory, when the test binary ends in whatever way.
package atmospheretest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
)

// startWithin leaves room for the first installation on a slow machine.
const startWithin = 8 * time.Minute

var shared = sync.OnceValues(func() (*atmosphere.Network, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	return atmosphere.Start(ctx, atmosphere.Config{Log: os.Stderr})
})

// Shared returns the network of this test binary. A test that stops servers or
// counts everything in them starts its own with Start.
func Shared(t testing.TB) *atmosphere.Network {
	t.Helper()
	n, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

// Start starts a network for one test and closes it at the end of the test.
func Start(t testing.TB, cfg atmosphere.Config) *atmosphere.Network {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startWithin)
	defer cancel()
	n, err := atmosphere.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

var accounts atomic.Int64

// NewAccount makes an account that no other test has. The name, of at most a
// dozen characters, starts its handle, for whoever reads a failure.
func NewAccount(t testing.TB, n *atmosphere.Network, name string, opts ...atmosphere.AccountOption) *atmosphere.Account {
	t.Helper()
	handle := syntax.Handle(fmt.Sprintf("%s-%d.test", name, accounts.Add(1)))
	a, err := n.CreateAccount(t.Context(), handle, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
