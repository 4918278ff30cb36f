package appview

import (
	"context"
	"errors"

	"github.com/stratosfund/stratosfund/xrpc"
)

// The errors of this domain. Each crosses to the wire under the name that the
// lexicons give it.
var (
	errProposalNotFound    = errors.New("appview: no such proposal is indexed")
	errProjectNotFound     = errors.New("appview: no such project is indexed")
	errActorNotFound       = errors.New("appview: no account with this handle is indexed")
	errActorUnknown        = errors.New("appview: no such account is indexed")
	errRecordNotFound      = errors.New("appview: no such record is indexed")
	errStatementNotFound   = errors.New("appview: no statement of this escrow is indexed")
	errInvalidCursor       = errors.New("appview: the cursor is not one of this query")
	errUnsupportedCurrency = errors.New("appview: estimates in this currency do not count")
)

// WireError turns a domain error into the lexicon's; nil for one it does not
// know.
func WireError(err error) *xrpc.Error {
	switch {
	case errors.Is(err, errProposalNotFound):
		return xrpc.Named("ProposalNotFound", "uri: no such proposal is indexed, or it is hidden")
	case errors.Is(err, errProjectNotFound):
		return xrpc.Named("ProjectNotFound", "no such project is indexed, or it is hidden")
	case errors.Is(err, errActorNotFound):
		return xrpc.Named("ActorNotFound", "no account with this handle is indexed; a DID always works")
	case errors.Is(err, errActorUnknown):
		return xrpc.Named("ActorNotFound", "actor: no record of this account is indexed, or the account is hidden")
	case errors.Is(err, errRecordNotFound):
		return xrpc.Named("RecordNotFound", "no such record is indexed, or it is hidden")
	case errors.Is(err, errStatementNotFound):
		return xrpc.Named("StatementNotFound", "no statement of this escrow is indexed, or the escrow is hidden")
	case errors.Is(err, errInvalidCursor):
		return xrpc.Named("InvalidCursor", "cursor: not one that this query gave out, or too old; leave it out to start again")
	case errors.Is(err, errUnsupportedCurrency):
		return xrpc.Named("UnsupportedCurrency", "currency: estimates in it are listed and not counted, so there is no cap")
	case errors.Is(err, context.DeadlineExceeded):
		return xrpc.NotEnoughResources("the request took too long")
	}
	return nil
}
