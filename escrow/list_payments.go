package escrow

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

type listPaymentsParams struct {
	Limit  int64  `param:"limit"`
	Cursor string `param:"cursor"`
}

// listPayments answers fund.stratos.escrow.listPayments.
func (s *Service) listPayments(ctx context.Context, p listPaymentsParams) (*stratos.EscrowListPayments_Output, error) {
	after, err := parsePlace(p.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := s.taking.desk.List(ctx, caller(ctx), after, int(p.Limit)+1) // one more tells whether there is more
	if err != nil {
		return nil, err
	}
	out := &stratos.EscrowListPayments_Output{Payments: []stratos.EscrowDefs_PaymentView{}}
	if int64(len(list)) > p.Limit {
		list = list[:p.Limit]
		last := list[len(list)-1]
		cursor := placeText(checkout.Place{CreatedAt: last.CreatedAt, ID: last.ID})
		out.Cursor = &cursor
	}
	for _, v := range list {
		out.Payments = append(out.Payments, s.paymentView(v))
	}
	return out, nil
}

// placeText is a cursor. It holds nothing that the list does not show.
func placeText(p checkout.Place) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(p.CreatedAt.UnixMilli(), 10) + " " + string(p.ID)))
}

// parsePlace reads a cursor; empty begins.
func parsePlace(text string) (*checkout.Place, error) {
	if text == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errInvalidCursor, err)
	}
	at, id, _ := strings.Cut(string(raw), " ")
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" {
		return nil, errInvalidCursor
	}
	return &checkout.Place{CreatedAt: time.UnixMilli(ms).UTC(), ID: ledger.HoldID(id)}, nil
}

// caller is who calls a method that insists on knowing.
func caller(ctx context.Context) syntax.DID {
	did, _ := xrpc.Viewer(ctx)
	return did
}
