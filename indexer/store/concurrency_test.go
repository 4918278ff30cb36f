package store

import (
	"fmt"
	"sync"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// A commit brings a proposal together with its estimate, and moves the cursor:
// no reader may ever see one without the others.
func TestRead_SeesSnapshotsWhileAWriterWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	p := w.join(alice)
	const commits, readersAtOnce = 40, 4
	var batches [][]Record
	for n := range commits {
		uri := proposalURI(alice, n)
		batches = append(batches, []Record{proposal(t, alice, n, onAccount(bob), nil), estimate(t, alice, n, uri, 500, "USD", nil)})
	}
	ctx := t.Context()
	done := make(chan struct{})
	errs := make(chan error, readersAtOnce)
	var wg sync.WaitGroup
	for range readersAtOnce {
		wg.Go(func() {
			for seen := 0; ; {
				var n int
				err := w.s.Read(ctx, func(r *Reader) (err error) {
					n, err = checkSnapshot(t, r)
					return err
				})
				if err == nil && n < seen {
					err = fmt.Errorf("%d proposals after %d", n, seen)
				}
				if err != nil {
					errs <- err
					return
				}
				seen = n
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for _, b := range batches {
		w.want(OutcomeApplied, p.commit(b))
	}
	close(done)
	wg.Wait()
	select {
	case err := <-errs:
		t.Fatal(err)
	default:
	}
	if n := len(w.list(ProposalFilter{Sort: SortNew})); n != commits {
		t.Errorf("%d proposals in the end", n)
	}
}

func checkSnapshot(t *testing.T, r *Reader) (int, error) {
	keys, err := r.ListProposals(t.Context(), ProposalFilter{Sort: SortNew}, nil, 1000)
	if err != nil {
		return 0, err
	}
	uris := make([]syntax.ATURI, len(keys))
	for i, k := range keys {
		uris[i] = k.URI
	}
	states, err := r.ProposalStates(t.Context(), uris)
	if err != nil {
		return 0, err
	}
	records, err := r.Records(t.Context(), uris)
	if err != nil {
		return 0, err
	}
	if len(records) != len(keys) || len(states) != len(keys) {
		return 0, fmt.Errorf("%d keys, %d records, %d states", len(keys), len(records), len(states))
	}
	for uri, state := range states {
		if len(state.Funding) != 1 || state.Funding[0].Estimated != 500 {
			return 0, fmt.Errorf("%s has funding %+v", uri, state.Funding)
		}
	}
	var rows int
	if err := r.tx.QueryRowContext(t.Context(), `SELECT count(*) FROM estimate`).Scan(&rows); err != nil {
		return 0, err
	}
	if rows != len(keys) {
		return 0, fmt.Errorf("%d keys, %d estimates", len(keys), rows)
	}
	return len(keys), nil
}
