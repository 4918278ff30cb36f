package stripe

import (
	"slices"

	sdk "github.com/stripe/stripe-go/v76"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// reading notes the first thing that is wrong with an object.
type reading struct {
	err error
}

// is checks that an object is of the kind that was asked for, and has an id.
func (in *reading) is(kind, object, id string) {
	if in.err == nil && (object != kind || id == "") {
		in.err = uncertain(errUnreadable)
	}
}

func (in *reading) money(amount int64, currency sdk.Currency) money.Money {
	m, err := fromStripe(amount, currency)
	if err != nil && in.err == nil {
		in.err = uncertain(err)
	}
	return m
}

// present returns a list that an object holds, which has no gaps.
func present[T any](in *reading, list []*T) []*T {
	if slices.Contains(list, nil) {
		if in.err == nil {
			in.err = uncertain(errUnreadable)
		}
		return nil
	}
	return list
}
