package payments

import "errors"

// Outside tells whether an error is the processor's, or of the way to it, and not of our
// own: it is for a later try, or for a person, and no reason to stop the process. ErrInvalid
// is for a person: the same question or order fails tomorrow as well.
func Outside(err error) bool {
	var failure *Failure
	return errors.As(err, &failure) || errors.Is(err, ErrInvalid) || errors.Is(err, ErrDoubled) || errors.Is(err, ErrPlace)
}
