package escrow

import (
	"context"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

type getStatementParams struct {
	URI syntax.ATURI `param:"uri"`
}

// getStatement answers fund.stratos.escrow.getStatement, with what is published.
func (s *Service) getStatement(ctx context.Context, p getStatementParams) (*stratos.EscrowGetStatement_Output, error) {
	rkey, err := s.statementKey(p.URI)
	if err != nil {
		return nil, statementError(err)
	}
	var found repo.Stated
	err = s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		found, err = s.repo.Statement(ctx, q, rkey)
		return err
	})
	if err != nil {
		return nil, statementError(err)
	}
	return &stratos.EscrowGetStatement_Output{Statement: statementView(found)}, nil
}
