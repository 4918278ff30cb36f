package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"

	"github.com/stratosfund/stratosfund/indexer/reposync"
	"github.com/stratosfund/stratosfund/lexicons"
)

// Record is a record on its way into the index: proven, and parsed as far as it
// can be.
type Record struct {
	DID        syntax.DID
	Collection syntax.NSID
	RKey       syntax.RecordKey
	CID        string
	Value      []byte
	// Parsed is what the lexicon makes of it; nil when Invalid is set.
	Parsed  lexicons.Record
	Invalid *lexicons.InvalidError
	// words are a proposal's: whoever parses has time for them, the writer has not.
	words ownWords
}

// ParseRecord validates a proven record. An invalid one is a Record as well: it
// is kept, and kept out of every view.
func ParseRecord(did syntax.DID, r reposync.Record) (Record, error) {
	out := Record{DID: did, Collection: r.Collection, RKey: r.RKey, CID: r.CID.String(), Value: r.Value}
	parsed, err := lexicons.ParseRecord(did, r.Collection, r.RKey, r.Value)
	if invalid, ok := errors.AsType[*lexicons.InvalidError](err); ok {
		out.Invalid = invalid
		return out, nil
	}
	if err != nil {
		return Record{}, fmt.Errorf("store: parse %s: %w", out.URI(), err)
	}
	out.Parsed = parsed
	if proposal, ok := parsed.(*stratos.FeatureProposal); ok {
		out.words = wordsOf(proposal)
	}
	return out, nil
}

// URI is the record's at-uri.
func (r Record) URI() syntax.ATURI { return recordURI(r.DID, r.Collection, r.RKey) }

func recordURI(did syntax.DID, collection syntax.NSID, rkey syntax.RecordKey) syntax.ATURI {
	return syntax.ATURI("at://" + did.String() + "/" + collection.String() + "/" + rkey.String())
}

// put stores the record, its typed row, and what both make stale. The same
// content again changes nothing. indexedAt stays where the CID did not change.
func (tx *tx) put(ctx context.Context, r Record) error {
	uri := r.URI()
	id, isNew, err := tx.insertRecord(ctx, uri, r)
	if err != nil {
		return err
	}
	if !isNew {
		var oldCID string
		err := tx.QueryRowContext(ctx, `SELECT id, cid FROM record WHERE uri = $1`, uri).Scan(&id, &oldCID)
		if err != nil {
			return fmt.Errorf("look up %s: %w", uri, err)
		}
		if oldCID == r.CID {
			return nil
		}
		if err := tx.remove(ctx, id, uri, r.Collection); err != nil {
			return err
		}
		if id, _, err = tx.insertRecord(ctx, uri, r); err != nil {
			return err
		}
	}
	if r.Invalid == nil {
		if err := tx.putTyped(ctx, id, uri, r); err != nil {
			return fmt.Errorf("store the row of %s: %w", uri, err)
		}
	}
	return tx.touchNew(ctx, id, uri, r)
}

// insertRecord stores the raw record unless there is one under its uri.
func (tx *tx) insertRecord(ctx context.Context, uri syntax.ATURI, r Record) (id int64, isNew bool, err error) {
	var invalid sql.NullString
	if r.Invalid != nil {
		invalid = sql.NullString{String: string(r.Invalid.Reason), Valid: true}
	}
	// Without RETURNING, since a statement without rows costs less, and this is the
	// most frequent one.
	done, err := tx.ExecContext(ctx, `
		INSERT INTO record (uri, did, collection, rkey, cid, value, invalid, indexed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (uri) DO NOTHING`,
		uri, r.DID, r.Collection, r.RKey, r.CID, r.Value, invalid, millis(tx.now))
	if err != nil {
		return 0, false, fmt.Errorf("store %s: %w", uri, err)
	}
	inserted, err1 := done.RowsAffected()
	id, err2 := done.LastInsertId()
	if err := errors.Join(err1, err2); err != nil || inserted == 0 {
		return 0, false, err
	}
	return id, true, nil
}

// remove deletes a record; its typed rows go with it.
func (tx *tx) remove(ctx context.Context, id int64, uri syntax.ATURI, collection syntax.NSID) error {
	if collection == lexicons.CollectionEstimate {
		if err := tx.removeEstimate(ctx, id); err != nil {
			return fmt.Errorf("delete %s: %w", uri, err)
		}
		return nil
	}
	if err := tx.touch(ctx, id, uri, collection); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM record WHERE id = $1`, id); err != nil {
		return fmt.Errorf("delete %s: %w", uri, err)
	}
	return nil
}

// removeURI deletes a record if it is there.
func (tx *tx) removeURI(ctx context.Context, uri syntax.ATURI, collection syntax.NSID) error {
	var id int64
	err := tx.QueryRowContext(ctx, `SELECT id FROM record WHERE uri = $1`, uri).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up %s: %w", uri, err)
	}
	return tx.remove(ctx, id, uri, collection)
}

// putTyped stores the typed row of a valid record. Kinds that no rule or list
// reads have none.
func (tx *tx) putTyped(ctx context.Context, id int64, uri syntax.ATURI, r Record) error {
	created, err := lexicons.CreatedAt(r.Parsed)
	if err != nil {
		return err
	}
	if err := tx.noteExistence(ctx, created); err != nil {
		return err
	}
	row := typedRow{id: id, uri: uri, author: r.DID, createdAt: millis(created)}
	switch rec := r.Parsed.(type) {
	case *stratos.ProjectProfile:
		return tx.putProject(ctx, row, rec)
	case *stratos.FeatureProposal:
		return tx.putProposal(ctx, row, rec, r.words)
	case *stratos.FeatureEstimate:
		return tx.putEstimate(ctx, row, rec)
	case *stratos.FeaturePledge:
		return tx.putPledge(ctx, row, rec)
	case *stratos.FeatureDonation:
		return tx.putDonation(ctx, row, rec)
	case *stratos.FeatureDispute:
		return tx.putDispute(ctx, row, rec)
	case *stratos.FeatureVerification:
		return tx.putVerification(ctx, row, rec)
	case *stratos.WorkResponse:
		return tx.putResponse(ctx, row, rec)
	case *stratos.WorkDevelopment:
		return tx.putDevelopment(ctx, row, rec)
	case *stratos.WorkPreview:
		return tx.putPreview(ctx, row, rec)
	case *stratos.WorkRelease:
		return tx.putAttemptPart(ctx, row, rec.Development, partRelease)
	case *stratos.WorkCancellation:
		return tx.putAttemptPart(ctx, row, rec.Development, partCancellation)
	case *stratos.WorkConsent:
		return tx.putAttemptPart(ctx, row, rec.Development, partConsent)
	case *stratos.EscrowCampaign:
		return tx.putCampaign(ctx, row, rec)
	case *stratos.EscrowReceipt:
		return tx.putReceipt(ctx, row, rec)
	case *stratos.EscrowRuling:
		return tx.putRuling(ctx, row, rec)
	case *stratos.EscrowTerms:
		return tx.putTerms(ctx, row, rec)
	case *stratos.EscrowService:
		return tx.putService(ctx, row, rec)
	}
	return nil
}

// typedRow is what every typed row begins with.
type typedRow struct {
	id        int64
	uri       syntax.ATURI
	author    syntax.DID
	createdAt int64
}

// exec runs one statement of a typed row.
func (tx *tx) exec(ctx context.Context, query string, args ...any) error {
	_, err := tx.ExecContext(ctx, query, args...)
	return err
}
