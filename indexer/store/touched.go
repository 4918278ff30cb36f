package store

import (
	"context"
	"database/sql"
	"fmt"
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// State numbers what a commit made of the index: of two states the later one has
// the greater number.
type State uint64

// Thing is something that an answer shows: a proposal or a project, by its at-uri,
// or an account, by its DID. Two of them may be the same Thing by chance; then the
// one is taken to have changed with the other.
type Thing uint32

// thingBits say how many things are told apart. While an answer is kept, some
// thousands change.
const thingBits = 18

// thingSeed differs in each process: nobody can choose a name that is the same Thing
// as another.
var thingSeed = maphash.MakeSeed()

// ThingOf is the thing with the at-uri or the DID.
func ThingOf[T ~string](name T) Thing {
	return Thing(maphash.String(thingSeed, string(name)) >> (64 - thingBits))
}

// touches say of each thing which state changed it last. They are noted before the
// commit that does, so that nobody can read such a state without them.
type touches struct{ last []atomic.Uint64 }

func newTouches() touches { return touches{make([]atomic.Uint64, 1<<thingBits)} }

// State returns the one that the reader reads.
func (r *Reader) State(ctx context.Context) (State, error) {
	if r.state.known {
		return r.state.State, nil
	}
	err := r.tx.QueryRowContext(ctx, `SELECT coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = $1), 0)`, metaState).Scan(&r.state.State)
	if err != nil {
		return 0, fmt.Errorf("store: read which state this is: %w", err)
	}
	r.state.known = true
	return r.state.State, nil
}

// stateRead is the state of a snapshot, once somebody asked for it.
type stateRead struct {
	State
	known bool
}

// Untouched reports whether the rows that basic views show of the things are the same
// in both states. What it does not know it denies. As with an [Era], only what this
// process writes is known.
func (s *Store) Untouched(a, b State, things []Thing) bool {
	earlier := uint64(min(a, b))
	for _, t := range things {
		if s.touches.last[t].Load() > earlier {
			return false
		}
	}
	return true
}

// watchTouches lets the database itself write down what a transaction changes of the
// things that basic views of proposals show: whatever path leads there, none is
// missed. The triggers are the writer's own and no part of the schema.
//
// A repository's row is there before its records and goes after them, and an account's row
// says nothing before it has a handle. An edited record gets another row, and one that is
// not valid has none.
func (s *Store) watchTouches(ctx context.Context) error {
	const into = ` BEGIN INSERT INTO touched (thing) VALUES `
	const or = ` ON CONFLICT DO NOTHING; END`
	statements := []string{
		`CREATE TEMP TABLE touched (thing TEXT PRIMARY KEY) STRICT, WITHOUT ROWID`,
		`CREATE TEMP TRIGGER touched_status AFTER UPDATE OF status ON main.repo
		 WHEN old.status <> new.status` + into + `(new.did)` + or,
		`CREATE TEMP TRIGGER touched_handle AFTER UPDATE OF handle ON main.actor
		 WHEN old.handle IS NOT new.handle` + into + `(new.did)` + or,
	}
	for table, key := range map[string]string{
		"proposal": "uri", "project": "uri", "stage_interval": "proposal_uri", "funding": "proposal_uri", "claimed": "proposal_uri",
	} {
		for event, row := range map[string]string{"INSERT": "new", "UPDATE": "new", "DELETE": "old"} {
			statements = append(statements, fmt.Sprintf(`CREATE TEMP TRIGGER touched_%[1]s_%[2]s AFTER %[2]s ON main.%[1]s`, table, event)+
				into+`(`+row+`.`+key+`)`+or)
		}
	}
	for _, statement := range statements {
		if _, err := s.writer.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("store: watch what changes: %w", err)
		}
	}
	return nil
}

// noteTouched gives the state that is about to be committed its number, and notes what
// it changes.
func (s *Store) noteTouched(ctx context.Context, tx *tx) error {
	things, err := collect(ctx, tx, `SELECT thing FROM touched`, scanString)
	if err != nil {
		return fmt.Errorf("read what changed: %w", err)
	}
	if len(things) > 0 {
		if err := tx.exec(ctx, `DELETE FROM touched`); err != nil {
			return fmt.Errorf("forget what changed: %w", err)
		}
	}
	// Counted in the database: another process may have written meanwhile.
	var state uint64
	err = tx.QueryRowContext(ctx, `
		INSERT INTO meta (key, value) VALUES ($1, '1')
		ON CONFLICT (key) DO UPDATE SET value = value + 1
		RETURNING CAST(value AS INTEGER)`, metaState).Scan(&state)
	if err != nil {
		return fmt.Errorf("number the state: %w", err)
	}
	for _, name := range things {
		s.touches.last[ThingOf(name)].Store(state)
	}
	return nil
}

// Span is a stretch of time, until its end.
type Span struct{ From, Until time.Time }

// Has reports whether a moment lies in the span.
func (s Span) Has(t time.Time) bool { return !t.Before(s.From) && t.Before(s.Until) }

// SpansOf returns for each of the proposals the time around the moment in which the
// clock changes nothing that [Reader.ProposalStates] and [Reader.ProjectsOf] say of
// it. Proposals of which nothing is derived are left out.
func (r *Reader) SpansOf(ctx context.Context, uris []syntax.ATURI) (map[syntax.ATURI]Span, error) {
	type spanOf struct {
		uri syntax.ATURI
		Span
	}
	found, err := collect(ctx, r.tx, `
		SELECT uri, max(at) FILTER (WHERE at <= $1), min(at) FILTER (WHERE at > $1)
		FROM (
			SELECT proposal_uri AS uri, from_at AS at FROM stage_interval WHERE proposal_uri IN (SELECT value FROM json_each($2))
			UNION ALL
			SELECT proposal_uri, to_at FROM stage_interval WHERE proposal_uri IN (SELECT value FROM json_each($2))
			UNION ALL
			SELECT proposal_uri, from_at FROM funding WHERE proposal_uri IN (SELECT value FROM json_each($2))
			UNION ALL
			SELECT proposal_uri, to_at FROM funding WHERE proposal_uri IN (SELECT value FROM json_each($2))
			UNION ALL
			SELECT proposal_uri, from_at FROM claimed WHERE proposal_uri IN (SELECT value FROM json_each($2))
			UNION ALL
			SELECT proposal_uri, to_at FROM claimed WHERE proposal_uri IN (SELECT value FROM json_each($2))
		)
		GROUP BY uri`,
		func(rows *sql.Rows) (s spanOf, err error) {
			var from, until sql.NullInt64
			err = rows.Scan(&s.uri, &from, &until)
			if from.Valid && until.Valid {
				s.From, s.Until = fromMillis(from.Int64), fromMillis(until.Int64)
			}
			return s, err
		}, millis(r.now), jsonList(uris))
	if err != nil {
		return nil, fmt.Errorf("store: read until when states hold: %w", err)
	}
	out := make(map[syntax.ATURI]Span, len(found))
	for _, s := range found {
		out[s.uri] = s.Span
	}
	return out, nil
}
