// Package store is the escrow's database: one SQLite file, written by one process,
// where a commit that was reported survives a loss of power.
//
// It owns the file, its migrations, the order of its writers, and the row that says
// whose it is. The tables of money belong to escrow/ledger, and others to whoever
// keeps them; all are written through [Store.Update].
//
// Writers commit in groups. Whoever comes first runs, in one transaction, the
// functions of all who wait, one after another and each in a savepoint of its own,
// and syncs once for all. A function that fails takes back what it did and nothing
// else. Each caller is told only after the commit, and if the commit fails all are
// told so; then nobody knows what the disk holds, and the store writes no more
// until it is opened anew.
//
// One process at a time: a lock beside the file, and an epoch inside it that each
// opening raises and each transaction compares, for the case that the lock was
// circumvented. The one that was overtaken gets [ErrSuperseded] and must stop.
//
// The mode (live, test or simulator) is written when the file is made and never
// again, so that test money and real money are never in one ledger.
//
// A file that is a backup is noted as one when it is opened ([RestoredAt]), until whoever
// lets it catch up says that it has ([ForgetRestored]). Only the file itself can tell, and
// only before it is written to: afterwards nothing in it says that it is older than it was.
//
// A Store may be shared between goroutines. A [Tx] may not leave the function that
// got it.
package store
