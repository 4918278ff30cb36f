// Package indexer follows an atproto upstream and keeps the index of our
// records: frames become proven commits, proven commits become rows. Both
// services embed it, each with a database of its own, so that neither has to
// believe the other.
//
// One [Indexer] runs these workers until its context ends: the stream (read,
// verify in parallel, apply in the order of the stream together with the
// cursor), the resyncer (fetches whole repositories that are new or went out of
// step), discovery (asks who else has records of ours), the sweep (asks each
// PDS where its repositories are, since frames that an upstream withholds cannot
// be seen), the handle worker, the claim worker (asks whether an address is the
// project's that lists it), and the deriver (what a wide fan-out left stale).
// They meet in the store, where each of their steps is one transaction, and may
// be killed at any point.
//
// Input from outside is never fatal: what is malformed, forged or invalid is
// dropped, counted and logged at a bounded rate. A failed write to the store
// always is: Run returns it, and the process ends.
package indexer
