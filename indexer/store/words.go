package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/words"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// requireFTS5 says what a binary lacks that was built without the tag: SQLite
// itself would only miss a module.
func requireFTS5(ctx context.Context, db *sql.DB) error {
	var there bool
	if err := db.QueryRowContext(ctx, `SELECT sqlite_compileoption_used('ENABLE_FTS5')`).Scan(&there); err != nil {
		return fmt.Errorf("store: look for full-text search: %w", err)
	}
	if !there {
		return errors.New("store: this binary was built without full-text search; build it with -tags=sqlite_fts5, as make does")
	}
	return nil
}

// naming is a time in which the project of a proposal has a name; empty for none.
type naming struct {
	from, to int64
	name     string
}

// ownWords are the words of a proposal's own texts.
type ownWords struct{ title, description, tags string }

func wordsOf(rec *stratos.FeatureProposal) ownWords {
	return ownWords{words.Index(rec.Title), words.Index(rec.Description), words.Index(strings.Join(rec.Tags, " "))}
}

// indexWords makes a proposal findable by its words and, in the times in which it
// is for a project, by the name of that. Triggers take the words away again.
func (tx *tx) indexWords(ctx context.Context, id int64, uri syntax.ATURI, rec *stratos.FeatureProposal, own ownWords) error {
	namings, err := tx.namings(ctx, uri, rec)
	if err != nil {
		return err
	}
	for _, n := range namings {
		var wording int64
		err := tx.QueryRowContext(ctx, `
			INSERT INTO wording (record_id, from_at, to_at) VALUES ($1, $2, $3)
			RETURNING id`, id, n.from, n.to).Scan(&wording)
		if err != nil {
			return fmt.Errorf("store when words hold: %w", err)
		}
		err = tx.exec(ctx, `
			INSERT INTO proposal_fts (rowid, title, description, tags, project) VALUES ($1, $2, $3, $4, $5)`,
			wording, own.title, own.description, own.tags, words.Index(n.name))
		if err != nil {
			return err
		}
		if err := tx.exec(ctx, `INSERT INTO title_fts (rowid, title) VALUES ($1, $2)`, wording, own.title); err != nil {
			return err
		}
	}
	return nil
}

// indexProject makes a project findable by its words. A trigger takes them away
// again.
func (tx *tx) indexProject(ctx context.Context, id int64, rec *stratos.ProjectProfile) error {
	description := ""
	if rec.Description != nil {
		description = *rec.Description
	}
	return tx.exec(ctx, `
		INSERT INTO project_fts (rowid, name, description, tags) VALUES ($1, $2, $3, $4)`,
		id, words.Index(rec.Name), words.Index(description), words.Index(strings.Join(rec.Tags, " ")))
}

// namings cover all of time.
func (tx *tx) namings(ctx context.Context, uri syntax.ATURI, rec *stratos.FeatureProposal) ([]naming, error) {
	always := naming{from: millis(lifecycle.Beginning), to: millis(lifecycle.End)}
	if s := rec.Subject.FeatureProposal_ProjectSubject; s != nil {
		var err error
		always.name, err = tx.projectName(ctx, s.Project)
		return []naming{always}, err
	}
	if rec.Subject.FeatureProposal_UriSubject == nil {
		return []naming{always}, nil
	}
	claimed, err := collect(ctx, tx, `
		SELECT c.from_at, c.to_at, j.name FROM claimed c JOIN project j ON j.uri = c.project
		WHERE c.proposal_uri = $1 ORDER BY c.from_at`,
		func(rows *sql.Rows) (n naming, err error) {
			err = rows.Scan(&n.from, &n.to, &n.name)
			return n, err
		}, uri)
	if err != nil {
		return nil, fmt.Errorf("look up the projects that claim the address of %s: %w", uri, err)
	}
	var out []naming
	last := always.from
	for _, n := range claimed {
		if last < n.from {
			out = append(out, naming{from: last, to: n.from})
		}
		out = append(out, n)
		last = n.to
	}
	return append(out, naming{from: last, to: always.to}), nil
}

// projectName is empty for a project that is not indexed or hidden.
func (tx *tx) projectName(ctx context.Context, uri string) (name string, err error) {
	err = tx.QueryRowContext(ctx, `
		SELECT j.name FROM project j JOIN repo o ON o.did = j.owner
		WHERE j.uri = $1 AND o.status = 'active'`, uri).Scan(&name)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("look up the name of %s: %w", uri, err)
	}
	return name, nil
}

// reindexAtOnce is how many proposals one transaction indexes again.
const reindexAtOnce = 256

// reindexWords works off the queue dirty_words.
func (tx *tx) reindexWords(ctx context.Context) (more bool, err error) {
	type row struct {
		id     int64
		author syntax.DID
		rkey   syntax.RecordKey
		value  []byte
	}
	rows, err := collect(ctx, tx, `
		SELECT r.id, r.did, r.rkey, r.value
		FROM record r JOIN proposal p ON p.record_id = r.id
		WHERE r.id IN (SELECT record_id FROM dirty_words LIMIT 256)`,
		func(rows *sql.Rows) (r row, err error) {
			err = rows.Scan(&r.id, &r.author, &r.rkey, &r.value)
			return r, err
		})
	if err != nil {
		return false, fmt.Errorf("look into the queue of words: %w", err)
	}
	for _, r := range rows {
		uri := recordURI(r.author, lexicons.CollectionProposal, r.rkey)
		parsed, err := lexicons.ParseRecord(r.author, lexicons.CollectionProposal, r.rkey, r.value)
		if err != nil {
			return false, fmt.Errorf("read %s again: %w", uri, err)
		}
		rec, ok := parsed.(*stratos.FeatureProposal)
		if !ok {
			return false, fmt.Errorf("read %s again: it is a %T", uri, parsed)
		}
		if err := tx.exec(ctx, `DELETE FROM wording WHERE record_id = $1`, r.id); err != nil {
			return false, fmt.Errorf("forget the words of %s: %w", uri, err)
		}
		if err := tx.indexWords(ctx, r.id, uri, rec, wordsOf(rec)); err != nil {
			return false, fmt.Errorf("index the words of %s: %w", uri, err)
		}
		if err := tx.exec(ctx, `DELETE FROM dirty_words WHERE record_id = $1`, r.id); err != nil {
			return false, fmt.Errorf("take from the queue of words: %w", err)
		}
	}
	return len(rows) == reindexAtOnce, nil
}
