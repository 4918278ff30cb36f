package oracle

import (
	"context"
	"fmt"
	"time"

	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
)

// Heal ends all faults. When everything is to be told, each account of which
// the stream may not have told all commits once more and says how it is; what a
// foreign account's commit adds is that the relay's head is a frame that the
// index must pass.
func (w *World) Heal(told bool) {
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	w.note("all is well")
	w.calm = true
	w.net.plc.armed = nil
	for _, h := range w.net.hosts {
		h.armed = nil
	}
	for _, a := range w.net.accounts {
		w.release(a)
		if !told || !w.lost[a.did] {
			continue
		}
		w.tellAccount(a)
		if a.status == store.AccountActive && a.ours {
			w.writer.now = w.net.clock.Now()
			w.commit(a, edit{w.writer.asPerson(a.did)})
		}
	}
	last := w.net.accounts[len(w.net.accounts)-1]
	w.tellIdentity(last)
}

// beat lets the relay speak when nothing else does: a consumer without a cursor
// knows where it is only after a frame.
func (r *run) beat() {
	r.net.mu.Lock()
	defer r.net.mu.Unlock()
	if now := time.Now(); now.Sub(r.beaten) > 50*time.Millisecond {
		r.beaten = now
		if !r.hasCursor {
			r.tellIdentity(r.net.accounts[len(r.net.accounts)-1])
		}
	}
}

// caughtUp says how far the index is behind the relay.
func (r *run) caughtUp(ctx context.Context) ([]string, error) {
	var cursor int64
	err := r.db.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM cursor`).Scan(&cursor)
	if err != nil {
		return nil, fmt.Errorf("oracle: read the cursor: %w", err)
	}
	r.hasCursor = cursor > 0
	r.net.mu.Lock()
	defer r.net.mu.Unlock()
	if cursor != r.relay.head {
		return []string{fmt.Sprintf("cursor: %d, the relay's head is %d", cursor, r.relay.head)}, nil
	}
	return nil, nil
}

// busy lists what the index still has to do, of what it must have done since
// all is well: each repository that was known then was looked for at its PDS,
// and each collection at the directory.
func (r *run) busy(ctx context.Context, known [][]string, since time.Time) ([]string, error) {
	left, err := r.caughtUp(ctx)
	if err != nil {
		return nil, err
	}
	now := r.net.clock.Now().UnixMilli()
	for _, q := range []struct {
		text string
		args []any
	}{
		{`SELECT 'repo: ' || did || ' is desynchronized: ' || coalesce(error, '') FROM repo WHERE state = 'desynchronized' AND status = 'active'`, nil},
		{`SELECT 'dirty_standing: ' || did FROM dirty_standing`, nil},
		{`SELECT 'dirty_proposal: ' || uri FROM dirty_proposal`, nil},
		{`SELECT 'actor: ' || did || ' is due' FROM actor WHERE due_at <= $1`, []any{now}},
	} {
		rows, err := query(ctx, r.db, q.text, q.args...)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			left = append(left, row[0])
		}
	}
	swept, err := query(ctx, r.db, `SELECT did, swept_at >= $1 FROM repo`, since.UnixMilli())
	if err != nil {
		return nil, err
	}
	done := map[string]bool{}
	for _, row := range swept {
		done[row[0]] = row[1] == "1"
	}
	for _, row := range known {
		if !done[row[0]] {
			left = append(left, "repo: "+row[0]+" was not swept")
		}
	}
	var asked int
	err = r.db.QueryRowContext(ctx, `SELECT count(*) FROM discovery WHERE done_at >= $1`, since.UnixMilli()).Scan(&asked)
	if err != nil {
		return nil, fmt.Errorf("oracle: read discovery: %w", err)
	}
	if all := len(lexicons.Collections()); asked < all {
		left = append(left, fmt.Sprintf("discovery: %d of %d collections were asked for", asked, all))
	}
	return left, nil
}
