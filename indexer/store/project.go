package store

import (
	"context"
	"fmt"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"

	"github.com/stratosfund/stratosfund/lexicons/weburi"
)

// kindRepository is what a project calls an address that is a git repository.
const kindRepository = "repository"

func (tx *tx) putProject(ctx context.Context, row typedRow, rec *stratos.ProjectProfile) error {
	err := tx.exec(ctx, `
		INSERT INTO project (record_id, uri, owner, name, created_at) VALUES ($1, $2, $3, $4, $5)`,
		row.id, row.uri, row.author, rec.Name, row.createdAt)
	if err != nil {
		return err
	}
	if err := tx.indexProject(ctx, row.id, rec); err != nil {
		return fmt.Errorf("index the words of %s: %w", row.uri, err)
	}
	for _, m := range rec.Maintainers {
		err := tx.exec(ctx, `
			INSERT INTO project_maintainer (record_id, did) VALUES ($1, $2)
			ON CONFLICT DO NOTHING`, row.id, m.Did)
		if err != nil {
			return err
		}
		if err := tx.mention(ctx, m.Did); err != nil {
			return err
		}
	}
	for _, u := range rec.Uris {
		form, err := weburi.Normalize(u.Uri)
		if err != nil {
			return fmt.Errorf("an address of a valid record: %w", err)
		}
		// An address that is listed twice is a repository if it is once said to be.
		err = tx.exec(ctx, `
			INSERT INTO project_uri (record_id, uri, repository) VALUES ($1, $2, $3)
			ON CONFLICT (record_id, uri) DO UPDATE SET repository = max(repository, excluded.repository)`,
			row.id, form, u.Kind == kindRepository)
		if err != nil {
			return err
		}
	}
	return nil
}
