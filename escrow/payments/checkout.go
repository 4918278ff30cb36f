package payments

import (
	"fmt"
	"net/url"
	"time"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Checkout is the intent to let somebody pay once, by card, on the processor's page:
// a pledge on the platform's account, or a donation on the developer's own.
type Checkout struct {
	Key  Key
	Mark Mark
	// Account receives the money: Platform holds a pledge, any other account is
	// donated to and the platform never has the money.
	Account AccountID
	Amount  money.Money
	// Title is what the page says is paid for, Note the line below it; Note may be empty.
	Title, Note string
	// SuccessURL and CancelURL are pages of the escrow to come back to.
	SuccessURL, CancelURL string
	// ExpiresAt is when the page ends by itself. The processor wants it 30 minutes to
	// 24 hours ahead, counted in seconds.
	ExpiresAt time.Time
}

// Group is that of the attempt for a pledge. A donation has none: nothing is ever
// transferred from it.
func (c Checkout) Group() Group {
	if c.Account != Platform {
		return ""
	}
	return GroupOf(c.Mark.Attempt)
}

// Bounds of the texts on the processor's page, far below its own, so that a page is
// never refused for them.
const (
	maxTitle = 250
	maxNote  = 500
)

// Check refuses what should not be sent, with ErrInvalid.
func (c Checkout) Check() error {
	if err := c.Key.Check(); err != nil {
		return err
	}
	if _, err := c.Mark.Metadata(); err != nil {
		return err
	}
	if err := positive(c.Amount); err != nil {
		return err
	}
	if c.Title == "" || len([]rune(c.Title)) > maxTitle || len([]rune(c.Note)) > maxNote {
		return fmt.Errorf("%w: a checkout has a title of at most %d characters and a note of at most %d", ErrInvalid, maxTitle, maxNote)
	}
	if c.ExpiresAt.IsZero() {
		return fmt.Errorf("%w: a checkout ends at some time", ErrInvalid)
	}
	for _, back := range []string{c.SuccessURL, c.CancelURL} {
		if err := webAddress(back); err != nil {
			return err
		}
	}
	return nil
}

func positive(m money.Money) error {
	if m.Amount <= 0 {
		return fmt.Errorf("%w: %s is not above zero", ErrInvalid, m)
	}
	if _, err := money.ParseCurrency(m.Currency.String()); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

func webAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return fmt.Errorf("%w: an address to come back to is an absolute web address", ErrInvalid)
	}
	return nil
}

// SessionStatus is where a checkout session stands.
type SessionStatus string

const (
	SessionOpen     SessionStatus = "open"
	SessionComplete SessionStatus = "complete"
	SessionExpired  SessionStatus = "expired"
)

// Session is a checkout session: a page on which somebody may pay once.
type Session struct {
	ID      SessionID
	Account AccountID
	Live    bool
	Mark    Mark
	Status  SessionStatus
	// Paid tells whether the processor counts it as paid.
	Paid bool
	// Amount is the total of the page.
	Amount money.Money
	// Converted says that the payer was offered another currency.
	Converted bool
	// URL is the page, empty once the session is over.
	URL                  string
	CreatedAt, ExpiresAt time.Time
	// PaymentID is empty until the payer tried to pay. Payment is its whole, nil in
	// lists.
	PaymentID PaymentID
	Payment   *Payment
}

// ForIntent implements Marked.
func (s Session) ForIntent() IntentID { return s.Mark.Intent }

// SessionQuery chooses sessions; the zero value all.
type SessionQuery struct {
	Payment PaymentID
	Since   time.Time
}

// PaymentStatus is where a payment stands. The processor has more statuses than the
// one that matters here.
type PaymentStatus string

// PaymentSucceeded is the only status in which money arrived.
const PaymentSucceeded PaymentStatus = "succeeded"

// Payment is one try after another to take the money of a session; at most one charge
// of it succeeds.
type Payment struct {
	ID     PaymentID
	Live   bool
	Mark   Mark
	Group  Group
	Status PaymentStatus
	// Amount is what was asked for, Received what came.
	Amount, Received money.Money
	CreatedAt        time.Time
	// Charge is the latest, nil if there was none.
	Charge *Charge
}
