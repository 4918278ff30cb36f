// Package bench measures how many entries a second the ledger makes durable, beside
// bare SQLite inserts of the same rows, and how long a verification takes. It is a
// report to read and not a test: it fails only when a result is not right.
//
// An entry is that of a charge: two lines (gross into held, the fee out of the
// balance) over three accounts, one of which, the hold's, is new each time. So four
// rows are inserted for it: an account, two postings, an entry.
//
// The ledger does what it does for the escrow: looks the reference up, finds the
// accounts, hashes the entry onto the chain, and lets the database's triggers,
// checks and foreign keys move and bound the balances. The bare contender has the
// same rows in the same columns with the same unique keys, in a file opened with the
// same pragmas, and nothing else: no trigger, no check, no foreign key, no
// savepoint, no look-up, no hash, and no balances, which the ledger moves in the
// same transaction. Its statements are kept prepared, as the ledger's are.
//
// Both group commits by the same rule: whoever finds no transaction running runs
// one for everybody who waits, and all return after its commit, which is synced
// (synchronous=FULL). The two take turns in short rounds in the same process, on
// the same disk, since a machine that is shared is faster in one minute than in the
// next; what is compared is the sum over all rounds. The bar is 60 % of the bare
// rate.
package bench
