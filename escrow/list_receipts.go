package escrow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	index "github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

type listReceiptsParams struct {
	Development syntax.ATURI        `param:"development"`
	Payer       syntax.AtIdentifier `param:"payer"`
	Status      string              `param:"status"`
	Limit       int64               `param:"limit"`
	Cursor      string              `param:"cursor"`
}

// listReceipts answers fund.stratos.escrow.listReceipts, from the database: it may be ahead
// of the repository for a moment.
func (s *Service) listReceipts(ctx context.Context, p listReceiptsParams) (*stratos.EscrowListReceipts_Output, error) {
	query, before, err := p.place()
	if err != nil {
		return nil, err
	}
	filter := repo.ReceiptFilter{Development: p.Development, Status: lifecycle.ReceiptStatus(p.Status)}
	if p.Payer != "" {
		if filter.Payer, err = s.actor(ctx, p.Payer); err != nil {
			return nil, err
		}
	}
	out := &stratos.EscrowListReceipts_Output{Receipts: []stratos.EscrowDefs_ReceiptView{}}
	err = s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		list, next, err := s.repo.ListReceipts(ctx, q, filter, before, int(p.Limit))
		if err != nil {
			return err
		}
		for _, view := range list {
			out.Receipts = append(out.Receipts, stratos.EscrowDefs_ReceiptView{Uri: view.URI.String(), Cid: view.CID.String(), Record: view.JSON})
		}
		if next != 0 {
			cursor := query + "." + strconv.FormatInt(next, 36)
			out.Cursor = &cursor
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// place reads the cursor: a fingerprint of the query, so that another list's is refused,
// and the receipt before which the list goes on.
func (p listReceiptsParams) place() (query string, before int64, err error) {
	b, err := json.Marshal([]string{p.Development.String(), p.Payer.String(), p.Status})
	if err != nil {
		return "", 0, fmt.Errorf("escrow: fingerprint a query: %w", err)
	}
	sum := sha256.Sum256(b)
	query = hex.EncodeToString(sum[:8])
	if p.Cursor == "" {
		return query, 0, nil
	}
	of, place, _ := strings.Cut(p.Cursor, ".")
	before, err = strconv.ParseInt(place, 36, 64)
	if err != nil || of != query || before <= 0 {
		return "", 0, xrpc.Named("InvalidCursor", "cursor: not one that this query gave out; leave it out to start again")
	}
	return query, before, nil
}

// actor resolves an at-identifier. Handles are those that the index proved.
func (s *Service) actor(ctx context.Context, id syntax.AtIdentifier) (did syntax.DID, err error) {
	if did, err := id.AsDID(); err == nil {
		return did, nil
	}
	handle, err := id.AsHandle()
	if err != nil {
		return "", fmt.Errorf("escrow: %s is neither a DID nor a handle: %w", id, err)
	}
	err = s.index.Read(ctx, func(r *index.Reader) error {
		did, err = r.DIDOf(ctx, handle.Normalize())
		return err
	})
	if errors.Is(err, index.ErrNotFound) {
		return "", xrpc.Named("ActorNotFound", "payer: no account with this handle is indexed; a DID always works")
	}
	return did, err
}
