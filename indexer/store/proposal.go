package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/weburi"
)

// putProposal stores nothing for a subject of a kind that we do not know: such
// a proposal is kept and not shown.
func (tx *tx) putProposal(ctx context.Context, row typedRow, rec *stratos.FeatureProposal, found ownWords) error {
	var project, account, uri, form sql.NullString
	switch s := rec.Subject; {
	case s.FeatureProposal_ProjectSubject != nil:
		project = sql.NullString{String: s.FeatureProposal_ProjectSubject.Project, Valid: true}
	case s.FeatureProposal_AccountSubject != nil:
		account = sql.NullString{String: s.FeatureProposal_AccountSubject.Did, Valid: true}
	case s.FeatureProposal_UriSubject != nil:
		uri = sql.NullString{String: s.FeatureProposal_UriSubject.Uri, Valid: true}
		normal, err := weburi.Normalize(uri.String)
		if err != nil {
			return fmt.Errorf("the subject of a valid record: %w", err)
		}
		form = sql.NullString{String: normal.String(), Valid: true}
	default:
		return nil
	}
	err := tx.exec(ctx, `
		INSERT INTO proposal (record_id, uri, author, title, subject_project, subject_account, subject_uri, subject_uri_normalized, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		row.id, row.uri, row.author, rec.Title, project, account, uri, form, row.createdAt)
	if err != nil {
		return err
	}
	if err := tx.indexWords(ctx, row.id, row.uri, rec, found); err != nil {
		return err
	}
	if account.Valid {
		if err := tx.mention(ctx, account.String); err != nil {
			return err
		}
	}
	for _, tag := range rec.Tags {
		err := tx.exec(ctx, `
			INSERT INTO proposal_tag (tag, record_id) VALUES ($1, $2)
			ON CONFLICT DO NOTHING`, foldTag(tag), row.id)
		if err != nil {
			return err
		}
	}
	return nil
}

// foldTag is the form in which tags are compared.
func foldTag(tag string) string { return strings.ToLower(strings.TrimSpace(tag)) }
