// Package attest makes the escrow's statements: once a day, and whenever an operator asks.
// docs/escrow.md says what stands in one, and how it relates to receipts that are still to
// be published; package statement says what it proves.
//
// A statement is made of one snapshot of the database, for a moment that is not before
// anything in it and not after anything that is missing from it. It is kept whole, in one
// transaction, before anybody sees it, and the publisher (escrow/repo) writes what was
// kept, after every receipt that it counts. So a process that dies leaves either a
// statement or none, and what is written again is the same.
//
// What is owed is added up twice: out of the receipts, and out of the ledger's accounts.
// What the accounts have more is stated as owed without a receipt; that the receipts have
// more is damage of ours, and no statement is made of it.
//
// The package knows neither the processor nor the PDS. A Maker may be shared; it makes one
// statement at a time.
package attest
