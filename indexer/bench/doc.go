// Package bench measures the indexer against tap, indigo's own, and against a
// reader that discards: the same frames, from the same upstream, on the same
// machine, one after the other. It is a report to read and not a test: it fails
// only when a result is not complete.
//
// A [Feed] is a simulated network's stream, made from a seed: real accounts with
// real trees and signed commits, the same each time but for the signatures of
// P-256 keys, which contain randomness. An [Upstream] serves it on loopback as
// relay, PDS and PLC directory in one; it belongs to the measuring process, and
// each [Contender] is a process of its own, so that the price of serving is in
// no figure. A contender first fetches the repositories that are ours; then the
// gate opens, and what counts is the time and the CPU until it has applied the
// last frame. Afterwards its database is compared with what the feed should
// leave, record by record, read by SQL and not by the code that is measured.
//
// A [Soak] is the other question: whether the indexer's memory stays flat when
// events come for half an hour as fast as it reads, and whether nothing is lost
// over what a long time brings. No feed is that long, so the accounts of ours
// live while the stream is sent, and what the index must hold in the end is what
// they then have. Its verdict can fail.
//
// Foreign frames are signed and real as well, but there is only a pool of them
// that comes round again with new sequence numbers: nobody who ignores them
// looks further than their account and paths.
package bench
