// Package mirror keeps the commits that were accepted, each with its history as a bare git
// repository in a folder, and serves them to everybody, so that what was paid for can be
// cloned whatever happens to the original (rule 12).
//
// A repository is there whole or not at all: it is written aside, synced, and renamed. It
// never changes afterwards. What a disk lost all the same [Mirror.Whole] tells, so that it
// can be fetched again. Its branch "release" is the commit, and "preview" the ancestor
// with the tree that was committed to, where the release named one; no other name leads
// anywhere.
//
// [Mirror.Handler] serves plain files, as git calls "dumb HTTP": the reference list, the
// index and the pack. `git clone` of any version fetches them, and no program of ours reads
// what it asks. Nothing else in the folder is served, nothing outside of it can be, and the
// number of answers at the same time is bounded, also of each client's, as is the time in
// which a client must take the next part of one. The price is that a clone is always whole: it cannot be shallow.
//
// What is kept came from strangers and is nobody's but the developer's: it is served as
// bytes that no browser shows.
//
// The package knows no campaign and decides nothing about how long a repository is kept. A
// Mirror may be shared between goroutines, but a key not be kept and removed at once.
package mirror
