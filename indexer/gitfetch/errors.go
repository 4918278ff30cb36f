package gitfetch

import "fmt"

// RefusedError is an answer that cannot be used, and would be the same another time.
// Its reason is a sentence about the repository, for its owner.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

func refuse(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }

func unreadable(cause any) error { return refuse("the repository's pack cannot be read: %v", cause) }

// recovered turns a panic of a decoder into a refusal: strangers wrote every byte that it
// read, and that must not end us.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = unreadable(p)
	}
}
