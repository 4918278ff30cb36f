// Package statement is the escrow's public account of what it owes: one leaf for each
// receipt, a Merkle tree over all leaves, and the sums that follow from them. It says how
// a statement is made from leaves, byte by byte, and checks one from public records alone.
//
// # What a statement proves
//
// That the escrow admits to these liabilities, that the sums are the sums of the leaves,
// that a receipt is counted (by its inclusion proof), and, read with the statement before
// it, that no receipt was left out since. A payer whose receipt is missing holds the
// acknowledgement that was signed at checkout. It does not prove that the money is at the
// bank: the processor's balance that stands beside it is the operator's word.
//
// # The bytes
//
// A leaf is the DAG-CBOR encoding of a map with exactly these fields, in the order that
// DAG-CBOR gives them (by length, then bytewise):
//
//	cid          link     the version of the receipt that says so
//	key          text     its record key
//	owed         integer  what is still owed out of it, in minor units
//	value        integer  what was paid
//	status       text     as the receipt says it
//	currency     text     ISO 4217
//	refunded     integer  what was returned to the payer, in minor units
//	released     integer  what was paid out to payees, in minor units
//	development  text     the uri of the development
//
// There is a leaf for every receipt, of donations too: they are in nobody's hands here, so
// nothing of them is owed, released or refunded. What the payer's bank has taken, and the
// operator's fee, are in none of the three amounts. A receipt whose last change was still
// to be published has the CID that says it; if it changed again before, no such version
// ever was in the repository, and its history tells that it was so.
//
// The blob of leaves is, for each leaf in ascending order of its key, the length of the
// leaf as an unsigned varint (LEB128, as in CAR files) and the leaf.
//
// The tree is that of RFC 6962, section 2.1, with SHA-256: the hash of a leaf is that of
// the byte 0 and the leaf, the hash of a node that of the byte 1 and both hashes below,
// the left subtree has the largest power of two of leaves that is less than all of them,
// and the root of no leaves is the hash of nothing.
//
// The package is pure: it knows no database, no network and no clock.
package statement
