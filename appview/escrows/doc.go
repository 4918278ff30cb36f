// Package escrows asks escrows for what none of their records says: how reachable a preview
// was, and what stands against one that should be open. It is for pages, which cannot wait
// for a host that is slow or gone, and of which many people want the same one.
//
// What an escrow answered is kept for some minutes, within a number of bytes, and so is that
// it did not answer. Whoever asks waits a moment at most; the question goes on without them,
// and the next one finds its answer. What was known a while ago is told at once, while it is
// asked for anew. However many want the same, it is asked once at a time, and only so many
// questions are under way.
//
// Answers are the escrow's word, and prove nothing. Nobody should be asked whom the operator
// does not trust: that is for the caller to see to. Connections are made by the asker, which
// refuses private addresses.
//
// A [Client] may be shared between goroutines. It owns those of the questions under way, and
// Close ends them.
package escrows
