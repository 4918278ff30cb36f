package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

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

// indexWords makes a proposal findable by its words and by the name of the
// project that it is for. Row ids are those of the proposal; its trigger takes
// the words away again.
func (tx *tx) indexWords(ctx context.Context, id int64, rec *stratos.FeatureProposal, project sql.NullString) error {
	var name string
	if project.Valid {
		var err error
		if name, err = tx.projectName(ctx, project.String); err != nil {
			return err
		}
	}
	return tx.exec(ctx, `
		INSERT INTO proposal_fts (rowid, title, description, tags, project) VALUES ($1, $2, $3, $4, $5)`,
		id, rec.Title, rec.Description, strings.Join(rec.Tags, " "), name)
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
		id      int64
		author  syntax.DID
		rkey    syntax.RecordKey
		value   []byte
		project sql.NullString
	}
	rows, err := collect(ctx, tx, `
		SELECT r.id, r.did, r.rkey, r.value, p.subject_project
		FROM record r JOIN proposal p ON p.record_id = r.id
		WHERE r.id IN (SELECT record_id FROM dirty_words LIMIT 256)`,
		func(rows *sql.Rows) (r row, err error) {
			err = rows.Scan(&r.id, &r.author, &r.rkey, &r.value, &r.project)
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
		if err := tx.exec(ctx, `DELETE FROM proposal_fts WHERE rowid = $1`, r.id); err != nil {
			return false, fmt.Errorf("forget the words of %s: %w", uri, err)
		}
		if err := tx.indexWords(ctx, r.id, rec, r.project); err != nil {
			return false, fmt.Errorf("index the words of %s: %w", uri, err)
		}
		if err := tx.exec(ctx, `DELETE FROM dirty_words WHERE record_id = $1`, r.id); err != nil {
			return false, fmt.Errorf("take from the queue of words: %w", err)
		}
	}
	return len(rows) == reindexAtOnce, nil
}
