// Package claims finds out whether an address on the web is a project's own
// (rule 4): it asks whoever answers there, and gives a [Finding].
//
// # Two proofs
//
// Repository proof: the git repository at the address holds, on its default
// branch, a file .well-known/atproto-did with the DID of the project's owner.
// Host proof: the host is an atproto handle of that DID, by DNS or by its
// well-known file; it covers the host's pages, and no git repositories.
//
// What an address is decides which proof it needs, and the project's word for it
// does not: if it did, whoever runs a forge, or gets hold of one file there, could
// list another's repository as a website and prove it by the host. So the address
// itself is asked first, as git asks (smart and dumb protocol, with and without
// ".git"). If a repository answers, or somebody who wants a password first as the
// forges do for what is not public, repository proof alone decides. The host's
// proof counts only where no repository is at the address, nor at any address
// above it: the issues of a repository are its owner's as well. It never counts
// for the well-known forges, whose answers we cannot vouch for; for another port,
// where another service may run; nor for an address too deep to ask at all levels.
// A project that calls an address a repository is never proven by its host.
//
// The proof is taken from the address in the form of comparison, over https, and
// never from the spelling that the project lists: a proof on www.example.org
// would otherwise claim example.org, which somebody else may run. A redirect of
// the repository's own host is followed, as git does for one that moved.
//
// # Bounds
//
// Everything outside is hostile. Each request goes through the transport that the
// caller guards against private addresses where the connection is made, so that
// neither a redirect nor a name that resolves otherwise the second time gets
// around it. DNS goes to the resolver of this machine only; the name servers that
// a stranger's domain names are never asked directly. Bounded are the time of a
// check, the bytes of each answer, the hops of redirects, and of a pack its
// bytes, its objects and what they unpack to, as indexer/gitfetch does.
//
// A [Checker] keeps nothing between checks, knows no database, reads no clock and
// may be shared between goroutines.
package claims
