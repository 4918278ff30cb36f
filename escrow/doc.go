// Package escrow is the service that holds money: its ledger, an index of its own, the
// publisher of its records, and its API. It never asks an AppView what is so.
//
// [Build] opens both databases, which only one process can, refuses what does not fit
// together, and announces the service and its terms; [Service.Run] works until it is
// told to stop, and ends as a whole when any part dies. The index lies beside the
// ledger and can be thrown away; the ledger cannot.
//
// With a payment processor it also sends what the ledger says is due, hears what happens
// there, compares both, and lets an operator act (processor.go). None of that, and nothing
// of the publisher, begins before the ledger knows what the escrow has published.
//
// The package knows the payment processor by escrow/payments only.
package escrow
