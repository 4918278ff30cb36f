package escrow

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/statement"
	index "github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

type getInclusionProofParams struct {
	Receipt   syntax.ATURI `param:"receipt"`
	Statement syntax.ATURI `param:"statement"`
}

// getInclusionProof answers fund.stratos.escrow.getInclusionProof.
func (s *Service) getInclusionProof(ctx context.Context, p getInclusionProofParams) (*stratos.EscrowGetInclusionProof_Output, error) {
	if p.Receipt.Authority().String() != s.cfg.DID.String() || p.Receipt.Collection() != lexicons.CollectionReceipt {
		return nil, xrpc.Named("ReceiptNotFound", "receipt: it is not one of this escrow")
	}
	rkey, err := s.statementKey(p.Statement)
	if err != nil {
		return nil, statementError(err)
	}
	from, err := s.prover(ctx, rkey)
	if err != nil {
		return nil, statementError(err)
	}
	place, found := slices.BinarySearchFunc(from.leaves, p.Receipt.RecordKey(), func(l statement.Leaf, key syntax.RecordKey) int {
		return cmp.Compare(l.Key, key)
	})
	if !found {
		return nil, s.notIncluded(ctx, p.Receipt)
	}
	proof, err := from.tree.Prove(int64(place))
	if err != nil {
		return nil, err
	}
	out := &stratos.EscrowGetInclusionProof_Output{
		Statement: repo.StatementRef(from.Stated), Root: from.root,
		Receipt: comatproto.RepoStrongRef{Uri: p.Receipt.String(), Cid: from.leaves[place].CID.String()},
		Index:   proof.Index, Leaves: proof.Leaves, Leaf: hex.EncodeToString(proof.Leaf[:]),
		Path: []stratos.EscrowDefs_ProofStep{},
	}
	for _, step := range proof.Path {
		side := "right"
		if step.Left {
			side = "left"
		}
		out.Path = append(out.Path, stratos.EscrowDefs_ProofStep{Side: side, Hash: hex.EncodeToString(step.Hash[:])})
	}
	return out, nil
}

// notIncluded says whether there is such a receipt, which came later, or none.
func (s *Service) notIncluded(ctx context.Context, receipt syntax.ATURI) error {
	there := false
	err := s.index.Read(ctx, func(r *index.Reader) error {
		rows, err := r.Records(ctx, []syntax.ATURI{receipt})
		_, there = rows[receipt]
		return err
	})
	switch {
	case err != nil:
		return err
	case there:
		return xrpc.Named("ReceiptNotIncluded", "receipt: it is newer than the statement; the next one counts it")
	}
	return xrpc.Named("ReceiptNotFound", "receipt: this escrow has none of this address")
}
