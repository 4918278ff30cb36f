// Package reposync proves what a repository says. It verifies the commits of a
// firehose and whole repositories fetched from a PDS: the signature against the
// account's key, every operation against the signed tree, and each record of
// ours against its CID.
//
// It decides nothing about state. Whether a verified commit follows the one
// before it is for the caller, who knows that one; [Commit] carries what the
// comparison needs. A commit that cannot be proven is dropped with a
// [*DropError] that names the reason; a key that cannot be had right now is
// [ErrUnverified], and the caller repairs the repository later from its PDS.
//
// Input is hostile: sizes, counts and times are bounded here or by the caller.
// No function keeps state but [Keys], which is safe to share.
package reposync
