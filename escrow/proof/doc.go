// Package proof fetches one record from its author's PDS as a signed proof, so that what
// money depends on is asked of the author and of nobody else: not of a client, not of an
// index, and not on the PDS's word alone.
//
// A [Proof] says that the account signed a tree with the record, or without it. Signed
// once is signed for ever, so a PDS could show an old tree: a proof that is older than
// what our own index has seen of the repository is [ErrStale]. What is newer than the
// index, only the PDS can know; it may withhold it, which is why deletions are taken from
// whoever shows them first.
//
// The account's key and PDS come from its DID document, resolved anew each time. Time and
// bytes are bounded, and private addresses are not reached. An account that is
// deactivated, suspended or taken down proves nothing: it is [ErrUnavailable], and money
// does not move for it (F5).
//
// A Fetcher keeps nothing and may be shared.
package proof
