package checkout

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound is returned for a payment that was never offered, or not to this payer.
	ErrNotFound = errors.New("checkout: no such payment")
	// ErrOver is returned by Confirm for a payment that cannot be paid any more.
	ErrOver = errors.New("checkout: the payment is over")
	// ErrTerms is returned by Confirm for an agreement to other terms than the payment's.
	ErrTerms = errors.New("checkout: not the terms of this payment")
	// ErrBusy is returned by Confirm while the processor cannot be asked, or nothing is
	// taken for now. The same call may be made again.
	ErrBusy = errors.New("checkout: nothing can be paid right now")
	// ErrForeign is returned by Observe for a session that no payment here belongs to: it
	// is another business's, or this database has lost it.
	ErrForeign = errors.New("checkout: the session belongs to no payment of this database")
	// ErrNoAccount is what Options.Donee returns for somebody who has no account at the
	// processor.
	ErrNoAccount = errors.New("checkout: has no account at the processor")
)

// RefusalName is a refusal in the words of fund.stratos.escrow.createCheckout.
type RefusalName string

// The refusals.
const (
	SubjectNotFound      RefusalName = "SubjectNotFound"
	SubjectChanged       RefusalName = "SubjectChanged"
	SubjectUnproven      RefusalName = "SubjectUnproven"
	InvalidSubject       RefusalName = "InvalidSubject"
	NotAuthor            RefusalName = "NotAuthor"
	WrongEscrow          RefusalName = "WrongEscrow"
	CampaignNotFound     RefusalName = "CampaignNotFound"
	CampaignNotOpen      RefusalName = "CampaignNotOpen"
	CampaignClosing      RefusalName = "CampaignClosing"
	DevelopmentNotFound  RefusalName = "DevelopmentNotFound"
	DonationsClosed      RefusalName = "DonationsClosed"
	NotEligible          RefusalName = "NotEligible"
	CurrencyMismatch     RefusalName = "CurrencyMismatch"
	AmountOutOfRange     RefusalName = "AmountOutOfRange"
	LimitReached         RefusalName = "LimitReached"
	AlreadyPaid          RefusalName = "AlreadyPaid"
	PayeeNotReady        RefusalName = "PayeeNotReady"
	FloatExhausted       RefusalName = "FloatExhausted"
	InvalidReturnURI     RefusalName = "InvalidReturnUri"
	ProcessorUnavailable RefusalName = "ProcessorUnavailable"
)

// RefusalNames lists all refusals.
func RefusalNames() []RefusalName {
	return []RefusalName{
		SubjectNotFound, SubjectChanged, SubjectUnproven, InvalidSubject, NotAuthor, WrongEscrow,
		CampaignNotFound, CampaignNotOpen, CampaignClosing, DevelopmentNotFound, DonationsClosed, NotEligible,
		CurrencyMismatch, AmountOutOfRange, LimitReached, AlreadyPaid, PayeeNotReady, FloatExhausted, InvalidReturnURI,
		ProcessorUnavailable,
	}
}

// Refusal is why a payment is not begun, with a sentence for the person who wants to pay.
type Refusal struct {
	Name    RefusalName
	Message string
	// Err is what is behind it, for the log; nil for a decision.
	Err error
}

func (r *Refusal) Error() string {
	if r.Err != nil {
		return fmt.Sprintf("checkout: %s: %v", r.Name, r.Err)
	}
	return fmt.Sprintf("checkout: %s: %s", r.Name, r.Message)
}

// Unwrap returns what is behind the refusal.
func (r *Refusal) Unwrap() error { return r.Err }

func refuse(name RefusalName, format string, args ...any) error {
	return &Refusal{Name: name, Message: fmt.Sprintf(format, args...)}
}

func refuseFor(err error, name RefusalName, format string, args ...any) error {
	return &Refusal{Name: name, Message: fmt.Sprintf(format, args...), Err: err}
}
