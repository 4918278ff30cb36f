// Package ledger keeps the escrow's money in double entry. It owns the tables
// account, entry and posting, those of holds and of everything that follows from
// them, and nothing else writes them. docs/escrow.md says what each event posts and
// what each state tells the payer; read it first.
//
// An entry is lines of debit, credit and amount, so it balances by its shape. It
// never changes after its commit, which the database refuses by itself; a correction
// is another entry. Entries are chained by their hashes, and [Ledger.Verify]
// recomputes everything. Accounts that must not be overdrawn are not.
//
// Debits less credits is what an account holds in the database. On its normal side,
// which is how a [Hold] shows it, assets (the processor's balance, what is in
// transit, what a bank took) and costs are debits; what is owed, the float and the
// income are credits.
//
// The functions are named after what happened, and take facts: ids and amounts, as
// the processor or an admin told them. The processor's objects (refunds, transfers,
// disputes) are told whole, whenever they were fetched; the ledger posts what it
// does not know yet, in the right order, and takes what is older for nothing. So they
// may be told in any order, as often as one likes. A fact that contradicts what is
// posted is a [ConflictError], money that no rule places is [ErrUnknown]: whoever
// sees one stops outgoing money until a person has looked. Only an admin's retry of a refund
// is a new decision each time, for as long as something waits for one.
//
// What goes out of a hold, it does by one way ([Outcome]), which refunds and payouts
// refer to. What may be sent is what the ledger says is due: [Hold.Balances] for a
// refund, [Ledger.RequestTransfer] for a transfer; the caller keeps its intent in the
// same transaction, and sends after the commit.
//
// The package does not know the processor, records or HTTP, starts no goroutine and
// reads no clock: the moment of an entry is its transaction's, and never before that
// of the entry before. A [Ledger] may be shared; what it is given of a transaction
// belongs to that transaction.
package ledger
