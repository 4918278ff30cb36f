// Package simulated is an atmosphere in one process: accounts with repositories that are
// really signed, a PLC directory, a PDS and a relay that answer over HTTP on loopback.
// It costs milliseconds where the official servers cost seconds, so simulations that live
// through hundreds of worlds use it; what those servers really do is tested with them
// (package atmosphere).
//
// [Repository] stands by itself: a tree, its blocks, and the commits and proofs made of
// them. [Network] has the servers. The PDS has both sides. For readers it gives out
// repositories, proofs of single records, and lists; for the owner of an account with a
// password it has sessions, records with compare-and-set, and blobs. It behaves as the
// reference PDS was seen to: content is compared before a condition is looked at, what is
// there already makes no commit, a blob must be uploaded before a record refers to it,
// an access token that is too old is a 400 and a session that is forgotten a 401.
//
// A [Fault] is armed and happens to the next request that it fits, once; [Network.Fired]
// counts those that happened. The relay tells the truth, in order, sometimes late.
// Relays and hosts that lie are the business of indexer/oracle.
//
// Time is the caller's clock. A Network may be shared; its lock guards its accounts.
package simulated
