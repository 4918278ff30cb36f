// Package restored keeps a database that was restored from a backup from doing harm. It
// compares the receipts, campaigns and statements that the escrow has published with the
// database, before anything goes out and anything is published. A record that tells more
// than the database knows means that this is older than its own word, if it was restored:
// its file says so, or a person ([store.RestoredAt]). One that was not restored knew all
// that it published, so the record is somebody else's, who has the app password or the PDS.
//
// Until that is compared nothing is published, no money goes out and none is taken in (a
// halt of the reason behind stands from the moment the process starts).
//
// Of a database that was restored, statements that were lost come back first, so that the
// next one follows them. Then everything stands still until the ledger has caught up. Terms
// and campaigns that were lost come back from their records, as they opened. The
// processor's objects are adopted by their marks, sessions and charges first; then what the
// receipts say was decided to go back is decided again, for the same reason; then all else;
// then what the processor had refused to send back, which it does not remember.
// News of money that was put off is waited for: what the ledger does not know that it sent,
// it would send again.
// In the end the offers of campaigns that were closed end, and campaigns stand where they
// were published. Records that are still ahead after that are for a person.
//
// Of any other database nothing that a record says is taken over: money that is held would
// go where a record says. It stands still until the records are deleted, or until its
// operator says that the file was put back by other means than a backup of ours.
//
// The account at the processor is looked at as well, before anybody can pay: a process that
// has just started does not know whether it still holds money.
//
// A database that is not behind publishes at once, also while the processor is away; money
// waits until the ledger knows what the processor did.
//
// What it cannot bring back is a settlement that was decided after the backup.
package restored
