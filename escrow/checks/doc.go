// Package checks finds out whether a release is what rule 12 wants before any money
// moves: code that everybody can clone, under an open licence, and, where the preview
// committed to a tree, exactly that code.
//
// # What is checked
//
//   - repository-public: a git repository answers at the address over https to somebody
//     without a password.
//   - commit-present: a branch or a tag of it holds the commit: the one that the release
//     names, if it names one. Objects that the server has and no branch or tag leads to do
//     not count, nor do other references: everybody can have the forges make a
//     refs/pull/1/head in the repository of somebody else. That the commit is an ancestor
//     is proven by the hashes on the way from the branch to it.
//   - repository-cloneable: the commit came with its whole history and all its files, within
//     bounds, and git would check it out.
//   - license-open: the files LICENSE, COPYING and the like of the commit (in the folder
//     that the release names, or the nearest around it that has some) hold texts of
//     licences that the Open Source Initiative has approved, and nothing besides. Where the
//     preview committed to a tree, the same is true of the folder that was committed to: no
//     folder with a licence of its own stands for all that the preview ran. Where it
//     committed to nothing, which folder holds the feature is the developer's word, and the
//     evidence says where the texts are.
//   - license-matches: those of the release's folder are those that the release names, as
//     an SPDX expression, and the expression lets everybody choose open ones. Licences of
//     somebody's own (LicenseRef) never count as open.
//   - tree-matches: the commit, or the ancestor that the release names as the preview's,
//     has the tree that was committed to, at the path that was committed to. Only where
//     there is a commitment.
//
// They are made in this order, and none after one that the next cannot do without.
//
// # Verdicts and troubles
//
// A check that failed is the developer's to repair, and fails again until another release
// record is written. Whatever may be the network's, the server's or our own is an
// *[UndecidedError]: ask again later. So is a panic over what a stranger wrote, which is
// logged as an error and ends no more than the check. Between two questions a server can
// change its mind, by a force-push for instance; then what it no longer gives is trouble
// first, and the next time, asked anew, a verdict.
//
// # What the texts of licences prove
//
// That the words are those of the licence: words outside of it may only say which licence
// it is, and whose the code is. A copyright line is passed over if it holds names, years and
// addresses; a sentence behind the name counts as what it is, as far as small letters and
// the words by which something is forbidden tell it from a name. In other languages that is
// less. So a clause that was added makes a check fail, and so do licences with an exception
// in the same file, whose words we do not know. That -only or -or-later is meant, says the
// record alone: the text is the same. Nobody reads the heads of the source files, nor the
// folder LICENSES but for texts that the release names.
//
// # Trees and hashes
//
// Repositories of the SHA-256 object format cannot be read, and are refused as such. A
// commitment to a SHA-256 tree is held against the name that the tree has in a repository
// of that format with the same files: blobs and trees named anew, as git does it when it
// converts one. Only a tree with submodules has no such name, since they are commits of
// other repositories; it is refused.
//
// # What is not code of the repository
//
// Symbolic links are never followed; one in the place of a licence is none. Submodules are
// links to other repositories, and files in Git LFS are links to another store: neither is
// fetched nor kept for the mirror, and the evidence says so. Who committed to a tree has
// committed to these links as well.
//
// # Bounds
//
// Everything outside is hostile; see indexer/gitfetch. Limited are the time of all checks,
// the pack, its objects, and what they unpack to; how deep folders lie in one another,
// what the folders on the way to a file have together, and how long names are, in the
// history as well. A repository that is larger is refused, and the evidence says by what:
// it can be released with a shorter history. A [Checker] has a folder for what it fetches,
// knows no database, may be shared between goroutines, and does not limit how many ask at
// the same time.
package checks
