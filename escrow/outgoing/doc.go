// Package outgoing sends the money that the ledger says is to go out, and takes back what
// it says may be taken back: refunds, transfers, reversals. It follows them until the
// processor has settled them, and tells the ledger what became of them. It owns the table
// follow.
//
// What is due is noted as an intent in the transaction that finds it due (a refund as
// HOLD/TRY, a transfer as HOLD/PAYEE, a reversal as TRANSFER/DISPUTE, the last two with a
// number behind them from the second try on), and carried out by package intent, which
// asks before it sends again. Right before an order leaves, the ledger is read once more:
// what a bank has taken meanwhile is not sent. While a halt of money stands, nothing is.
//
// What the processor refuses: a refund is owed until somebody claims it; a transfer is
// tried again, since accounts are unblocked; a reversal too, but not for ever.
//
// The Observe functions take the id of an object at the processor, fetch it, and post what
// it tells. They may be called by anybody, in any order, as often as one likes. Each adopts
// the intent in the object's mark, so an object whose answer was lost, or that a restored
// database does not know, is not made again. An object is followed by looking at it again,
// less and less often, for as long as the ledger waits for news of it; all else is told by
// webhooks, or found in lists.
package outgoing
