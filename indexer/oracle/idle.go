package oracle

import (
	"context"
	"fmt"
	"time"

	"github.com/stratosfund/stratosfund/lexicons"
)

// Heal ends all faults.
func (w *World) Heal() {
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	w.note("all is well")
	w.calm = true
	w.net.plc.armed = nil
	for _, h := range w.net.hosts {
		h.armed = nil
	}
	w.agree()
	for _, v := range w.voices {
		v.relay.refuses = 0
		for _, a := range w.net.accounts {
			v.release(a)
		}
	}
	w.cough() // the head is a frame that the index must pass
}

// beat lets the relays speak when nothing else does: a consumer without a cursor
// knows where it is only after a frame.
func (r *run) beat() {
	r.net.mu.Lock()
	defer r.net.mu.Unlock()
	if now := time.Now(); now.Sub(r.beaten) > 50*time.Millisecond {
		r.beaten = now
		if !r.hasCursor {
			r.cough()
		}
	}
}

// caughtUp says how far the index is behind the relay that it follows.
func (r *run) caughtUp(ctx context.Context) ([]string, error) {
	rows, err := query(ctx, r.db, `SELECT upstream, seq FROM cursor`)
	if err != nil {
		return nil, err
	}
	cursors := map[string]string{}
	for _, row := range rows {
		cursors[row[0]] = row[1]
	}
	r.net.mu.Lock()
	defer r.net.mu.Unlock()
	for _, v := range r.voices {
		if v.relay.conns == 0 {
			continue
		}
		at, known := cursors[v.relay.URL()]
		r.hasCursor = known
		if head := fmt.Sprint(v.relay.head); at != head {
			return []string{fmt.Sprintf("cursor: %q, the relay's head is %s", at, head)}, nil
		}
		return nil, nil
	}
	return []string{"cursor: no relay is followed"}, nil
}

// unasked says that an account will come back as soon as the index has asked for
// its status.
func (r *run) unasked(context.Context) ([]string, error) {
	r.net.mu.Lock()
	defer r.net.mu.Unlock()
	if a := r.flickers; a != nil && a.late > 0 {
		return []string{"status: of " + a.DID.String()}, nil
	}
	return nil, nil
}

// waiting lists what the index has to do now, however it learned of that.
func (r *run) waiting(ctx context.Context) ([]string, error) {
	left, err := r.caughtUp(ctx)
	if err != nil {
		return nil, err
	}
	now := r.net.clock.Now()
	soon := now.Add(500 * time.Millisecond).UnixMilli()
	more, err := r.listed(ctx, []question{
		{`SELECT 'repo: ' || did || ' is to be fetched' FROM repo WHERE state = 'desynchronized' AND status = 'active' AND retry_at <= $1`, []any{soon}},
		{`SELECT 'repo: ' || did || ' is to be swept' FROM repo WHERE swept_at <= $1`, []any{now.Add(-24 * time.Hour).UnixMilli()}},
		{`SELECT 'dirty_standing: ' || did FROM dirty_standing`, nil},
		{`SELECT 'dirty_estimate: ' || author || ' ' || proposal_uri FROM dirty_estimate`, nil},
		{`SELECT 'dirty_proposal: ' || uri FROM dirty_proposal`, nil},
	})
	return append(left, more...), err
}

// unsettled lists what the index has to do now, and what it failed to fetch and
// will try again.
func (r *run) unsettled(ctx context.Context) ([]string, error) {
	left, err := r.waiting(ctx)
	if err != nil {
		return nil, err
	}
	more, err := r.fetching(ctx)
	return append(left, more...), err
}

// fetching lists what the index has to read of its relay, and to fetch.
func (r *run) fetching(ctx context.Context) ([]string, error) {
	left, err := r.caughtUp(ctx)
	if err != nil {
		return nil, err
	}
	more, err := r.listed(ctx, []question{{
		`SELECT 'repo: ' || did || ' is desynchronized: ' || coalesce(error, '') FROM repo WHERE state = 'desynchronized' AND status = 'active'`, nil,
	}})
	return append(left, more...), err
}

// question is one of SQL.
type question struct {
	text string
	args []any
}

func (r *run) listed(ctx context.Context, questions []question) ([]string, error) {
	var out []string
	for _, q := range questions {
		rows, err := query(ctx, r.db, q.text, q.args...)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			out = append(out, row[0])
		}
	}
	return out, nil
}

// busy lists what the index still has to do, of what it must have done since
// all is well: each repository that was known then was looked for at its PDS,
// each collection at the directory, and each address where it is.
func (r *run) busy(ctx context.Context, known [][]string, since time.Time) ([]string, error) {
	left, err := r.caughtUp(ctx)
	if err != nil {
		return nil, err
	}
	now := r.net.clock.Now().UnixMilli()
	more, err := r.listed(ctx, []question{
		{`SELECT 'repo: ' || did || ' is desynchronized: ' || coalesce(error, '') FROM repo WHERE state = 'desynchronized' AND status = 'active'`, nil},
		{`SELECT 'dirty_standing: ' || did FROM dirty_standing`, nil},
		{`SELECT 'dirty_estimate: ' || author || ' ' || proposal_uri FROM dirty_estimate`, nil},
		{`SELECT 'dirty_proposal: ' || uri FROM dirty_proposal`, nil},
		{`SELECT 'actor: ' || did || ' is due' FROM actor WHERE due_at <= $1`, []any{now}},
	})
	if err != nil {
		return nil, err
	}
	left = append(left, more...)
	if !r.dark {
		unanswered, err := r.listed(ctx, []question{{`
			SELECT 'claim: ' || c.project || ' on ' || c.uri || ' was not checked'
			FROM claim c JOIN project j ON j.uri = c.project JOIN repo a ON a.did = j.owner
			WHERE a.status = 'active' AND coalesce(c.checked_at, 0) < $1`, []any{since.UnixMilli()}}})
		if err != nil {
			return nil, err
		}
		left = append(left, unanswered...)
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
