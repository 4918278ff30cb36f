package stripe

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	sdk "github.com/stripe/stripe-go/v76"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

const (
	// perPage is the most that Stripe gives at once.
	perPage = 100
	// maxPages bounds a list at a million objects: no escrow has as many, and a list that
	// leads in circles ends.
	maxPages = 10_000
)

var (
	errCircle  = errors.New("the list does not go on")
	errEndless = errors.New("the list does not end")
)

// page is one answer of a list. Its rows are nil if the answer was no list.
type page[R any] struct {
	rows []*R
	more bool
}

// after is where a page begins.
type after struct {
	ctx     context.Context
	account payments.AccountID
	last    string
}

// list returns the parameters of the page. The library's own way through a list is not
// used: it takes an empty page for the end although there is more.
func (a after) list() sdk.ListParams {
	p := sdk.ListParams{Context: a.ctx, Limit: sdk.Int64(perPage)}
	if a.account != payments.Platform {
		p.SetStripeAccount(string(a.account))
	}
	if a.last != "" {
		p.StartingAfter = sdk.String(a.last)
	}
	return p
}

// all reads a list page by page, as the caller goes on.
func all[R, T any](
	ctx context.Context, account payments.AccountID, what string,
	fetch func(after) (page[R], error), id func(*R) string, read func(*R) (T, error),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		at := after{ctx, account, ""}
		for range maxPages {
			got, err := fetch(at)
			if err != nil {
				yield(*new(T), failed(err, "list %s", what))
				return
			}
			if got.rows == nil || slices.Contains(got.rows, nil) {
				yield(*new(T), failed(uncertain(errUnreadable), "list %s", what))
				return
			}
			for _, row := range got.rows {
				object, err := read(row)
				if err != nil {
					yield(*new(T), failed(err, "list %s", what))
					return
				}
				if !yield(object, nil) {
					return
				}
			}
			if !got.more {
				return
			}
			if len(got.rows) == 0 || id(got.rows[len(got.rows)-1]) == at.last {
				yield(*new(T), failed(uncertain(errCircle), "list %s", what))
				return
			}
			at.last = id(got.rows[len(got.rows)-1])
		}
		yield(*new(T), failed(uncertain(errEndless), "list %s", what))
	}
}

func uncertain(cause error) error {
	return &payments.Failure{Kind: payments.ErrUncertain, Cause: cause}
}

// since is a filter, nil for all of time. It begins with the whole second of t.
func since(t time.Time) *sdk.RangeQueryParams {
	if t.IsZero() {
		return nil
	}
	return &sdk.RangeQueryParams{GreaterThanOrEqual: t.Unix()}
}

// given is a parameter that is left out when empty.
func given[S ~string](s S) *string {
	if s == "" {
		return nil
	}
	return sdk.String(string(s))
}

// at is a time of Stripe's, which has zero for none.
func at(unix int64) time.Time {
	if unix == 0 {
		return time.Time{}
	}
	return time.Unix(unix, 0).UTC()
}
