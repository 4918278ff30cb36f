package payments

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// AccountOrder is the intent to open an account for a payee. Everything about the
// person goes from them to the processor, on its own pages.
type AccountOrder struct {
	Key  Key
	Mark PayeeMark
	// Country is where the payee lives or is established, two upper-case letters. It
	// cannot be changed later.
	Country string
	// Donations asks for an account that can also be charged directly.
	Donations bool
}

// Check refuses what should not be sent, with ErrInvalid.
func (o AccountOrder) Check() error {
	if err := o.Key.Check(); err != nil {
		return err
	}
	if _, err := o.Mark.Metadata(); err != nil {
		return err
	}
	if len(o.Country) != 2 || strings.Trim(o.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return fmt.Errorf("%w: a country has two upper-case letters", ErrInvalid)
	}
	return nil
}

// LinkOrder is the wish to send a payee to the processor's pages, to say who they are.
type LinkOrder struct {
	Account AccountID
	// ReturnURL is where they come back to, RefreshURL where a link that has ended leads:
	// both pages of the escrow.
	ReturnURL, RefreshURL string
}

// Check refuses what should not be sent, with ErrInvalid.
func (o LinkOrder) Check() error {
	if o.Account == Platform {
		return fmt.Errorf("%w: a link is for a payee's account", ErrInvalid)
	}
	for _, address := range []string{o.ReturnURL, o.RefreshURL} {
		if err := webAddress(address); err != nil {
			return err
		}
	}
	return nil
}

// Link is good for one visit, and only for the payee: it is shown to nobody else.
type Link struct {
	URL       string
	ExpiresAt time.Time
}

// Capability is whether an account may do something.
type Capability string

const (
	CapabilityActive   Capability = "active"
	CapabilityPending  Capability = "pending"
	CapabilityInactive Capability = "inactive"
	// CapabilityNone is one that nobody asked for.
	CapabilityNone Capability = ""
)

// Account is a payee's account.
type Account struct {
	ID       AccountID
	Mark     PayeeMark
	Country  string
	Currency money.Currency
	// Submitted tells whether the payee finished the processor's questions.
	Submitted      bool
	PayoutsEnabled bool
	ChargesEnabled bool
	// Transfers is whether it may receive our transfers, Cards whether it may be charged
	// directly.
	Transfers, Cards Capability
	Requirements     Requirements
	CreatedAt        time.Time
}

// ForIntent implements Marked.
func (a Account) ForIntent() IntentID { return a.Mark.Intent }

// Requirements is what the processor still wants to know. The names are those of its
// fields, never what was answered.
type Requirements struct {
	Due, PastDue, InReview []string
	// Deadline is when Due becomes PastDue, zero if there is none.
	Deadline time.Time
	// Disabled is the processor's word for why the account is stopped.
	Disabled string
	// Errors are the codes of what was wrong with the answers.
	Errors []string
}

// Obstacle is why an account cannot be paid, in words that a page can explain.
type Obstacle string

const (
	// ObstacleOnboarding: the payee has not finished the processor's questions.
	ObstacleOnboarding Obstacle = "onboarding"
	// ObstacleInformation: the processor waits for answers or documents of the payee.
	ObstacleInformation Obstacle = "information"
	// ObstacleReview: the processor is looking at the answers.
	ObstacleReview Obstacle = "review"
	// ObstacleRejected: the processor does not want this payee. Nobody can change it here.
	ObstacleRejected Obstacle = "rejected"
	// ObstacleTransfers, ObstaclePayouts, ObstacleCharges: switched off, as above or for a
	// reason that the processor does not say.
	ObstacleTransfers Obstacle = "transfers"
	ObstaclePayouts   Obstacle = "payouts"
	ObstacleCharges   Obstacle = "charges"
	// ObstacleStopped: the processor stopped the account, for a reason that is none of
	// these.
	ObstacleStopped Obstacle = "stopped"
)

// Payable tells whether a transfer to the account would reach the payee's bank today,
// or everything that stands against it.
func (a Account) Payable() (bool, []Obstacle) {
	var against []Obstacle
	if a.Transfers != CapabilityActive {
		against = append(against, ObstacleTransfers)
	}
	if !a.PayoutsEnabled {
		against = append(against, ObstaclePayouts)
	}
	return a.verdict(against)
}

// Chargeable tells whether the account can take donations today, or everything that
// stands against it.
func (a Account) Chargeable() (bool, []Obstacle) {
	var against []Obstacle
	if !a.ChargesEnabled || a.Cards != CapabilityActive {
		against = append(against, ObstacleCharges)
	}
	return a.verdict(against)
}

// verdict adds why, since a payee can do something about that. What is merely due later
// stands against nothing.
func (a Account) verdict(against []Obstacle) (bool, []Obstacle) {
	stopped := len(against) > 0 || a.Requirements.Disabled != ""
	if !stopped {
		return true, nil
	}
	r := a.Requirements
	var why []Obstacle
	if !a.Submitted {
		why = append(why, ObstacleOnboarding)
	}
	if strings.HasPrefix(r.Disabled, "rejected.") {
		why = append(why, ObstacleRejected)
	}
	if len(r.PastDue) > 0 || len(r.Due) > 0 && a.Submitted {
		why = append(why, ObstacleInformation)
	}
	if len(r.InReview) > 0 || slices.Contains(inReview, r.Disabled) {
		why = append(why, ObstacleReview)
	}
	if len(why)+len(against) == 0 {
		against = append(against, ObstacleStopped)
	}
	return false, append(why, against...)
}

// inReview are the processor's words for looking into something.
var inReview = []string{"under_review", "listed", "requirements.pending_verification"}

// PlatformAccount is the operator's own account, on which pledges are held.
type PlatformAccount struct {
	ID       AccountID
	Country  string
	Currency money.Currency
	// Payouts is the schedule on which the processor empties the balance: anything but
	// manual would carry away money that is held.
	Payouts        string
	ChargesEnabled bool
	PayoutsEnabled bool
	Requirements   Requirements
}

// payoutsManual is the schedule without one.
const payoutsManual = "manual"

// HoldsMoney tells whether the balance stays where it is until the escrow moves it.
func (p PlatformAccount) HoldsMoney() bool { return p.Payouts == payoutsManual }
