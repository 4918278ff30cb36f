package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Presence says whether a record is there, and whether the index can know it.
type Presence struct {
	// Recorded: the record is there, valid or not.
	Recorded bool
	// Status is the account's; empty for one that the index does not follow. Records of
	// a deleted account are gone, those of a hidden one are not.
	Status AccountStatus
	// State says whether the index follows the repository: a desynchronized one may hold
	// what the index lacks, and the other way round.
	State RepoState
	// Doubtful: the stream may have missed something of it, and its PDS was not asked since.
	Doubtful bool
}

// Known tells whether the index follows the account and is in step with it.
func (p Presence) Known() bool {
	return p.Status == AccountActive && p.State == RepoSynchronized && !p.Doubtful
}

// Speaks tells whether an account that may have records is shown: what is hidden, or gone,
// says nothing. An account that the index has not heard of may have records.
func (p Presence) Speaks() bool { return p.Status == "" || p.Status == AccountActive }

// Presences looks for records, whatever they say.
func (r *Reader) Presences(ctx context.Context, uris []syntax.ATURI) (map[syntax.ATURI]Presence, error) {
	out := make(map[syntax.ATURI]Presence, len(uris))
	_, err := collect(ctx, r.tx, `
		SELECT j.value, a.status, a.state, a.swept_at = 0, EXISTS (SELECT 1 FROM record WHERE uri = j.value)
		FROM json_each($1) j
		JOIN repo a ON a.did = substr(j.value, 6, instr(substr(j.value, 6), '/') - 1)`,
		func(rows *sql.Rows) (struct{}, error) {
			var uri syntax.ATURI
			var p Presence
			if err := rows.Scan(&uri, &p.Status, &p.State, &p.Doubtful, &p.Recorded); err != nil {
				return struct{}{}, err
			}
			if !slices.Contains(AccountStatuses(), p.Status) || !slices.Contains(RepoStates(), p.State) {
				return struct{}{}, fmt.Errorf("the repository of %s is in an unknown state: %s, %s", uri, p.Status, p.State)
			}
			out[uri] = p
			return struct{}{}, nil
		}, jsonList(uris))
	if err != nil {
		return nil, fmt.Errorf("store: look for records: %w", err)
	}
	return out, nil
}
