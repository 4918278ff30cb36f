package store

import (
	"context"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func (tx *tx) putProject(ctx context.Context, row typedRow, rec *stratos.ProjectProfile) error {
	err := tx.exec(ctx, `
		INSERT INTO project (record_id, uri, owner, name, created_at) VALUES ($1, $2, $3, $4, $5)`,
		row.id, row.uri, row.author, rec.Name, row.createdAt)
	if err != nil {
		return err
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
	return nil
}
