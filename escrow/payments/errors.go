package payments

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// What became of a call. Each error of a [Processor] wraps a [Failure], which wraps
// exactly one of these.
var (
	// ErrUncertain says that it may have happened: the answer was lost, late, an
	// internal error, or not the processor's. Ask what was done before sending again.
	ErrUncertain = errors.New("it may have happened")
	// ErrDeclined says that the bank of a card refused: final for this card.
	ErrDeclined = errors.New("the card was declined")
	// ErrRefused says that the processor will not do this, as Code says.
	ErrRefused = errors.New("the processor refused")
	// ErrNotFound says that an object of this id does not exist there.
	ErrNotFound = errors.New("the processor does not know it")
	// ErrLimited says that there were too many requests. The same call with the same
	// key may be sent again, after RetryAfter if that is known.
	ErrLimited = errors.New("too many requests")
	// ErrMisconfigured says that the key is wrong or may not do this. Only an operator
	// can help.
	ErrMisconfigured = errors.New("the processor does not accept the key for this")
	// ErrMismatch says that the idempotency key was used before, for something else. It
	// is a fault of ours: stop, and look at what the key's first call did.
	ErrMismatch = errors.New("the idempotency key belongs to another call")
	// ErrUnreachable says that no connection came about: nothing was sent.
	ErrUnreachable = errors.New("the processor cannot be reached")
	// ErrInvalid says that an order cannot be sent as it is, and was not: a fault of the
	// caller. Where an order checks itself it comes without a Failure.
	ErrInvalid = errors.New("invalid order")
)

var (
	// ErrDoubled says that one intent was carried out twice. Money may have moved twice:
	// stop and let a person look.
	ErrDoubled = errors.New("payments: one intent has two objects")
	// ErrPlace says that the end of a list was reached without meeting the object that it
	// was to be read back to. The place is lost: read from a time instead.
	ErrPlace = errors.New("payments: the list does not hold the object it was to be read back to")
)

// Failure is why a call did not bring an answer. It quotes nothing that the processor
// said in words.
type Failure struct {
	// Kind is one of the errors above, from ErrUncertain to ErrInvalid.
	Kind error
	// Status is that of the HTTP answer, 0 without one.
	Status int
	// Code is the processor's word for what is wrong, DeclineCode the bank's, Param the
	// parameter that it is about. Each may be empty.
	Code, DeclineCode, Param string
	// Request is the processor's id of the request, by which its support and its logs
	// know it.
	Request string
	// RetryAfter is how long to wait at least before sending again, 0 if not said.
	RetryAfter time.Duration
	// Cause is what broke, if it was the connection or the answer.
	Cause error
}

func (f *Failure) Error() string {
	var b strings.Builder
	b.WriteString(f.Kind.Error())
	for _, fact := range []struct{ name, value string }{
		{"code", f.Code}, {"decline code", f.DeclineCode}, {"parameter", f.Param}, {"request", f.Request},
	} {
		if fact.value != "" {
			b.WriteString(", " + fact.name + " " + fact.value)
		}
	}
	if f.Status != 0 {
		b.WriteString(", status " + strconv.Itoa(f.Status))
	}
	if f.Cause != nil {
		b.WriteString(": " + f.Cause.Error())
	}
	return b.String()
}

// Unwrap gives the kind and the cause, so that a caller can also ask for
// context.Canceled.
func (f *Failure) Unwrap() []error {
	if f.Cause == nil {
		return []error{f.Kind}
	}
	return []error{f.Kind, f.Cause}
}
