// Package gitfetch reads git repositories of strangers, over https and within bounds:
// it asks whether one is at an address, what it advertises, and for a pack.
//
// # What it refuses
//
// Everything that a server says is hostile. A pack is looked through before it is
// unpacked, in one pass that keeps nothing of it: what its objects unpack to one by
// one and together, and how much has to be held at once to apply a chain of deltas.
// Deltas of a base by name were not asked for and are refused, so nothing in a pack
// can refer to what is outside it. What is unpacked is named by its own hash, so a
// server that gives other objects than it was asked for gives objects that nobody
// looks for.
//
// A [RefusedError] is an answer, and no other one is to be expected: too large, no
// pack, an object format that is not read. Any other error is trouble on the way, after
// which asking again may help.
//
// # What it cannot read
//
// Repositories of the SHA-256 object format, and those that are served as plain files,
// which cannot be fetched within bounds. Both are refused as such. Packs are asked for
// by protocol version 0, which all servers speak.
//
// A [Client] keeps nothing between calls and may be shared between goroutines.
package gitfetch
