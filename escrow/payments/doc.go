// Package payments is what the escrow knows of the payment processor: its nouns in
// the escrow's own words, and [Processor], the calls that it makes. Package stripe
// beneath it is the only code that speaks to the processor; nothing else imports it
// but cmd.
//
// # Asking twice
//
// A call that creates something may be answered, be turned away, or get lost on
// either way. So each takes an idempotency [Key] that the caller derived from the
// intent it stored before, and the [Mark] of that intent, which the processor keeps
// with the object. The processor forgets keys after a day. Whoever sends an intent
// again therefore asks first what was already done, with [Find] on the list of
// sessions, refunds, transfers, reversals or accounts, and sends only what is not
// there; it uses the same key again, since what is not there yet may still be under way:
// for the first day the key stands against doing it twice, and after that the list. The
// processor repeats the first answer to a key, be it an internal error: then only time
// helps.
//
// Nothing is retried here. Every error of a call wraps one of these, most of them in a
// [Failure] with the facts, and so says whether it can have happened:
//
//	ErrUncertain       it may have; ask
//	ErrDeclined        it has not: the card's bank said no
//	ErrRefused         it has not: the processor said no, with a code
//	ErrNotFound        it has not: what it refers to does not exist
//	ErrLimited         it has not: too many requests, again after RetryAfter
//	ErrMisconfigured   it has not: the key is wrong, or may not do this
//	ErrMismatch        another call used the key; what that one did stands
//	ErrUnreachable     it has not: no connection came about
//	ErrInvalid         it has not: the order was not fit to be sent
//
// "It" is this call. A refund that is refused as charge_already_refunded was perhaps
// done by an earlier one, which is what asking first is for.
//
// "It has not" is said only when the processor itself said so in its own form, or
// when no byte can have reached it. A page of a proxy, a redirect, an answer too
// large or cut off, an unreadable object: all of these are uncertain.
//
// # What counts as paid
//
// [Accept] decides whether the money of a checkout session is the money that was
// agreed. It is pure. Webhooks never decide: a [Hint] only says which object to fetch.
//
// # Money and time
//
// Amounts are [money.Money] in minor units of ISO 4217, whatever units the processor
// counts in; what cannot be said exactly in both is refused. Times are UTC, to the
// second, and of the processor's clock: whoever asks for what was made since an intent
// was stored takes something off that time. Nothing here reads a clock.
//
// # What is left out
//
// No type here holds a card number, a name, a mail address or a bank account, and no
// error or log quotes what the processor said in words, since it may quote the payer.
// Codes, ids and the id of the request are kept, by which an operator finds the rest.
package payments
