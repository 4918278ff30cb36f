package oracle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
)

// Index is the indexer under test: a database in a folder, and the life of a
// process that may end and begin again.
type Index struct {
	net    *Network
	folder string
	policy lifecycle.Policy
	log    *slog.Logger

	doom  doom
	crash crashpoint.Hook // nil for an index that never dies
	store *store.Store
	ended chan error
	stop  context.CancelFunc
}

func newIndex(n *Network, folder string, trusted []syntax.DID, log *slog.Logger) *Index {
	x := &Index{net: n, folder: folder, policy: lifecycle.Policy{TrustedEscrows: trusted}, log: log}
	x.crash = x.doom.pass
	return x
}

func (x *Index) path() string { return filepath.Join(x.folder, "index.db") }

// Start begins a life of the process.
func (x *Index) Start() error {
	ctx, stop := context.WithCancel(context.Background())
	x.doom.revive()
	st, err := x.open(ctx)
	if err != nil {
		stop()
		return err
	}
	ix, err := indexer.New(indexer.Config{
		RelayURLs: x.net.relayURLs(), DirectoryURL: x.net.DirectoryURL(), PLCURL: x.net.PLCURL(), UserAgent: "oracle",
	}, st, indexer.Options{Log: x.log, Clock: x.net.clock.Now, Transport: x.net.Transport(), DialDNS: noNames, Crash: x.crash})
	if err != nil {
		stop()
		return errors.Join(fmt.Errorf("oracle: make the indexer: %w", err), st.Close())
	}
	x.store, x.stop, x.ended = st, stop, make(chan error, 1)
	go func() { x.ended <- ix.Run(ctx) }()
	return nil
}

func (x *Index) open(ctx context.Context) (*store.Store, error) {
	st, err := store.Open(ctx, store.Config{Path: x.path(), Policy: x.policy},
		store.Options{Log: x.log, Clock: x.net.clock.Now, Crash: x.crash})
	if err != nil {
		return nil, fmt.Errorf("oracle: open the index: %w", err)
	}
	return st, nil
}

// Stop ends the life of the process; one that has none is stopped already. What
// it returns is damage.
func (x *Index) Stop() error {
	if x.ended == nil {
		return nil
	}
	x.stop()
	err := errors.Join(<-x.ended, x.store.Close())
	x.ended = nil
	if errors.Is(err, errDied) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("oracle: the index ended with damage: %w", err)
	}
	return nil
}

// Ended reports whether the process ended by itself. An error is damage.
func (x *Index) Ended() (bool, error) {
	select {
	case err := <-x.ended:
		x.ended <- err
		if errors.Is(err, errDied) {
			return true, nil
		}
		return true, fmt.Errorf("oracle: the index ended by itself: %w", err)
	default:
		return false, nil
	}
}
