package escrow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/admin"
	"github.com/stratosfund/stratosfund/escrow/attest"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/statement"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

const (
	getStatement      syntax.NSID = "fund.stratos.escrow.getStatement"
	getInclusionProof syntax.NSID = "fund.stratos.escrow.getInclusionProof"
)

// wireStatements makes what states daily what is owed, and answers for it.
func (s *Service) wireStatements(opts Options) {
	made := attest.Options{Log: opts.Log, Clock: opts.Clock, Registry: s.registry}
	if p := s.processor; p.reconciler != nil {
		made.Compare = func(ctx context.Context) error {
			_, err := p.reconciler.Compare(ctx, true)
			return err
		}
	}
	s.statements.maker = attest.New(s.store, s.ledger, s.repo, made)
	xrpc.Query(s.server, getStatement, s.getStatement)
	xrpc.Query(s.server, getInclusionProof, s.getInclusionProof)
}

// state is what an admin asks for.
func (s *Service) state(ctx context.Context) (repo.View, error) {
	view, err := s.statements.maker.Make(ctx)
	if errors.Is(err, attest.ErrTooSoon) {
		return repo.View{}, &admin.Refusal{Status: http.StatusUnprocessableEntity, Sentence: "The last statement is of this moment, or the clock was set back since: ask again in a moment."}
	}
	return view, err
}

// statements are those that were made, of which the tree that was asked for last is kept.
type statements struct {
	maker *attest.Maker

	mu     sync.Mutex
	latest *proven // guarded by mu
}

// proven is a statement with the tree of its leaves.
type proven struct {
	repo.Stated
	root   string
	leaves []statement.Leaf
	tree   *statement.Tree
}

// prover returns the tree of a statement, of the newest one for an empty key.
func (s *Service) prover(ctx context.Context, rkey syntax.RecordKey) (*proven, error) {
	var p proven
	var kept *proven
	err := s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		if p.Stated, err = s.repo.Statement(ctx, q, rkey); err != nil {
			return err
		}
		if kept = s.statements.kept(p.URI); kept != nil {
			return nil
		}
		p.leaves, err = s.repo.Leaves(ctx, q, p.URI.RecordKey())
		return err
	})
	if err != nil || kept != nil {
		return kept, err
	}
	content, err := p.Content()
	if err != nil {
		return nil, err
	}
	p.root = content.Root
	if p.tree, err = statement.NewTree(p.leaves); err != nil {
		return nil, err
	}
	s.statements.keep(&p)
	return &p, nil
}

func (s *statements) kept(uri syntax.ATURI) *proven {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest == nil || s.latest.URI != uri {
		return nil
	}
	return s.latest
}

func (s *statements) keep(p *proven) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest = p
}

// statementKey is the key of a statement of this escrow; empty for the newest.
func (s *Service) statementKey(uri syntax.ATURI) (syntax.RecordKey, error) {
	if uri == "" {
		return "", nil
	}
	if uri.Authority().String() != s.cfg.DID.String() || uri.Collection() != lexicons.CollectionStatement || uri.RecordKey() == "" {
		return "", fmt.Errorf("%w: %s is no statement of %s", repo.ErrNoStatement, uri, s.cfg.DID)
	}
	return uri.RecordKey(), nil
}

// statementError says in the lexicon's words that there is no such statement.
func statementError(err error) error {
	switch {
	case errors.Is(err, repo.ErrLeavesForgotten):
		return xrpc.Named("StatementNotFound", "statement: it is so old that its leaves are only in the repository, as the blob that it names")
	case errors.Is(err, repo.ErrNoStatement):
		return xrpc.Named("StatementNotFound", "statement: this escrow has not published it, or none yet")
	}
	return err
}

// statementView shapes a statement.
func statementView(s repo.Stated) stratos.EscrowDefs_StatementView {
	return stratos.EscrowDefs_StatementView{Uri: s.URI.String(), Cid: s.CID.String(), Record: s.JSON}
}
