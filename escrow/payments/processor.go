package payments

import (
	"context"
	"iter"
	"time"
)

// Processor is everything that the escrow asks of the payment processor. Who needs less
// takes less: each part is an interface of its own.
//
// Each list is read page by page while the caller goes through it, the newest first. It
// ends with at most one error, and is whole only without one. It is bounded, so that a
// list that never ends is an error as well.
//
// All methods may be called from several goroutines.
type Processor interface {
	Checkouts
	Charges
	Refunds
	Transfers
	Accounts
	Balances
	Chargebacks
	Hints
}

// Checkouts are the pages on which people pay.
type Checkouts interface {
	OpenCheckout(context.Context, Checkout) (Session, error)
	// Session returns a session with its payment, charge and movement.
	Session(context.Context, AccountID, SessionID) (Session, error)
	// ExpireSession ends an open session, after which nobody can pay on it. A session that
	// is complete or expired already is ErrRefused: look at it.
	ExpireSession(context.Context, AccountID, SessionID) (Session, error)
	// Sessions lists sessions without their payments.
	Sessions(context.Context, AccountID, SessionQuery) iter.Seq2[Session, error]
}

// Charges is what was taken from cards.
type Charges interface {
	Charge(context.Context, AccountID, ChargeID) (Charge, error)
	Charges(context.Context, AccountID, ChargeQuery) iter.Seq2[Charge, error]
}

// Refunds is what goes back to cards.
type Refunds interface {
	SendRefund(context.Context, RefundOrder) (Refund, error)
	Refund(context.Context, RefundID) (Refund, error)
	Refunds(context.Context, RefundQuery) iter.Seq2[Refund, error]
}

// Transfers is what goes to payees, and comes back from them.
type Transfers interface {
	SendTransfer(context.Context, TransferOrder) (Transfer, error)
	Transfer(context.Context, TransferID) (Transfer, error)
	Transfers(context.Context, TransferQuery) iter.Seq2[Transfer, error]
	SendReversal(context.Context, ReversalOrder) (Reversal, error)
	Reversals(context.Context, TransferID) iter.Seq2[Reversal, error]
}

// Accounts are the payees' accounts and the platform's own.
type Accounts interface {
	OpenAccount(context.Context, AccountOrder) (Account, error)
	Account(context.Context, AccountID) (Account, error)
	// Accounts lists all accounts connected since a time, the zero time for all.
	Accounts(context.Context, time.Time) iter.Seq2[Account, error]
	Link(context.Context, LinkOrder) (Link, error)
	Platform(context.Context) (PlatformAccount, error)
}

// Balances is the money at the processor, and everything that changed it.
type Balances interface {
	Balance(context.Context) (Balance, error)
	Movement(context.Context, MovementID) (Movement, error)
	Movements(context.Context, MovementQuery) iter.Seq2[Movement, error]
	// Topups lists what was put into the float since a time, the zero time for all.
	Topups(context.Context, time.Time) iter.Seq2[Topup, error]
}

// Chargebacks are what banks take back, and their warnings.
type Chargebacks interface {
	Dispute(context.Context, AccountID, DisputeID) (Dispute, error)
	// Disputes lists those of the platform's charges, or those of a payee's own.
	Disputes(context.Context, AccountID, DisputeQuery) iter.Seq2[Dispute, error]
	Warning(context.Context, WarningID) (Warning, error)
	Warnings(context.Context, WarningQuery) iter.Seq2[Warning, error]
}

// Hints are the events that webhooks tell, for those that never arrived.
type Hints interface {
	Hints(context.Context, HintQuery) iter.Seq2[Hint, error]
}
