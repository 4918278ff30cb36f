// Package bench measures the AppView as its clients see it, on an index as large
// as a busy year would leave it. It is a report to read and not a test: it fails
// only when an answer is wrong or does not come.
//
// A [Size] and a seed make the data, through the store's own writing methods, into
// a file that is kept and used again while seed, size and schema stay the same. A
// few proposals are popular and have thousands of estimates; most have a handful.
// Nothing is signed: what proves records is measured by indexer/bench.
//
// The service is the whole AppView in a process of its own, on a copy of the
// file. It lives at the moment at which the data ends, so that attempts that are
// under way there are under way. Beside it stand two yardsticks, each a process
// as well: an echo handler that has every answer in memory, and the service's
// methods called without HTTP. What a client costs is in the figures of the
// service and of echo alike, since they share the processors with it.
//
// Each method is asked in three ways. Warm, the same questions come again, as first
// pages do, and each was asked before. Again, no question comes twice, but those before
// were about the same: it is what a first page costs after anything was written. Cold,
// no question comes twice and lists go on from page to page, so that nothing but the
// queries can answer it; so do the methods without HTTP. Pages are made one after the other
// without HTTP, anew, as they are after each write, and from what the process keeps of them.
// At last requests come at a
// fixed rate, whether the one before was answered or not, while an upstream of
// indexer/bench sends signed records about the popular proposals; a request's time
// counts from when it was meant to be sent, so that a stall costs all who would have
// come. There are no searches among these requests, which have their target at a number
// of connections: so many of the hardest would need both processors for themselves.
package bench
