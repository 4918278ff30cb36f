// Package store is the index: every statement of SQL about records, the rows
// derived from them, and the cursors of the upstreams stands here.
//
// It owns one SQLite database. There is one writing connection and a pool of
// reading ones. A write is one transaction with one now: the raw records, their
// typed rows, the rows derived by lifecycle and the cursor commit together or not
// at all, so a process that dies loses nothing and doubles nothing.
//
// Raw records are kept as they were signed. Everything else follows from them,
// from the accounts' statuses and from what was observed of claims; typed rows
// exist for valid records only, and derived rows only for what is visible. What one
// change makes stale is queued in the tables dirty_standing, dirty_estimate and
// dirty_proposal inside the same transaction, and worked off there or, for a wide
// fan-out, in the transactions that follow.
//
// A popular proposal has very many estimates, so what they count for is kept as
// sums (estimated), with the one estimate of each account that is in them
// (counted): one estimate more changes them by what it counts for, and nothing
// looks at all of them but a list of them, and a change of the moment until which
// they count. Where nothing else has changed, funding follows from them alone.
//
// A [Reader] answers from one snapshot, for one moment, under the policy of the
// store. Lists are skeletons: keys in their order, with what lifecycle or an
// escrow says of each; the records themselves are read by [Reader.Records]. The
// words of proposals are indexed in the transaction of their record, those of the
// title also by themselves, those of a project's name by the queue dirty_words. A
// proposal about a URL is a project's for the times in the table claimed; it is
// found by other words in each of them.
//
// Whoever keeps what they read asks for the [Era] in which it holds. It ends with
// the next write, or at the next of the moments that the table moment lists, at
// which the clock alone changes what the index says. A [State] tells which snapshot was
// read, and [Store.Untouched] whether two of them say the same of some things: triggers
// note what a transaction changes of what basic views show. What searches found out about
// words that thousands hold is kept from one state to the next; searches are asked in turn
// ([Store.Search]).
//
// It verifies no signature and fetches nothing: what it is given has been proven
// by reposync and validated by lexicons. A failed write is never swallowed; the
// caller stops the process. A Store may be shared between goroutines, a Reader
// or a transaction may not.
package store
