package outgoing

import "errors"

var (
	// ErrStranger is returned by the Observe functions for an object that is about no
	// money of this escrow's.
	ErrStranger = errors.New("outgoing: not an object of this escrow's")
	// errNotDue keeps an order from being sent that was due when it was noted.
	errNotDue = errors.New("outgoing: not due any more")
)
