// Package checkout takes money in: who may pay for what, on which page of the processor,
// and what the money of a session becomes. It owns the table payment.
//
// # One payment
//
// [Desk.Begin] decides about a pledge or donation that its author wants to pay for, by the
// record as the author signed it (escrow/proof), the campaign as it was frozen, and the
// terms. Each reason against it is a [Refusal]. In one transaction it opens the hold,
// pins the receipt, and keeps the payment, whose id nobody can guess: whoever has it may
// pay. The payer first sees a page of the escrow; [Desk.Confirm] is their agreement, and
// only then the processor's session is ordered, as an intent.
//
// A record has one offer at a time and one payment for ever. Asking again gives the same
// offer while it stands.
//
// # The end of an offer
//
// An offer ends when its time is over, its record was edited or deleted, its campaign
// takes no more, or the processor refuses it. It is noted first that it ends, so that
// nobody confirms it any more; then its session is ended at the processor; only when
// nobody can pay any more the hold is voided. Whoever paid first has paid: what a session
// became, the processor says, and [Desk.Observe] believes nobody else. An edited pledge
// that was paid is held as the version that was paid for; a deleted one goes back.
//
// # Recovery
//
// Everything may be called again, in any order, by anybody, and each step looks at what is
// there. [Desk.Pass] heals what was lost: webhooks, answers, processes.
//
// A Desk may be shared. It locks a payment while it speaks to the processor about it, and
// starts no goroutine but in Run and Finish. Whoever waits for a lock waits no longer than
// their context; of strangers few may wait, and pages that only look ([Desk.Glance]) never
// do.
package checkout
