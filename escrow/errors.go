package escrow

import (
	"context"
	"errors"

	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/xrpc"
)

// errInvalidCursor is returned for a cursor that a list did not give out.
var errInvalidCursor = errors.New("escrow: not a cursor of this list")

// wireError turns a domain error into the lexicon's; nil for one that it does not know.
func wireError(err error) *xrpc.Error {
	if refusal, ok := errors.AsType[*checkout.Refusal](err); ok {
		return xrpc.Named(string(refusal.Name), "%s", refusal.Message)
	}
	switch {
	case errors.Is(err, checkout.ErrNotFound):
		return xrpc.Named("PaymentNotFound", "payment: the calling account has no such payment")
	case errors.Is(err, errInvalidCursor):
		return xrpc.Named("InvalidCursor", "cursor: not one that this list gave out; leave it out to start again")
	case errors.Is(err, context.DeadlineExceeded):
		return xrpc.NotEnoughResources("the request took too long, try again later")
	}
	return nil
}
