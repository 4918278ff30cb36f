// Package reconcile compares the payment processor's own list of what moved its balance
// with the ledger, both ways: each movement is in the ledger with the same net, fee and
// currency, and each that the ledger has is the processor's. And the balance that the
// processor shows, with what it has reserved of it, is the ledger's, plus what is on its way
// into it. Moves between the balance and its reserve are in no ledger. It owns the table
// reconciliation.
//
// A movement that the ledger does not have is looked at once more, upon which the known
// costs of the operator post themselves. What is left is in flight, for two days; after
// that, and for any difference, money stops (package halt), until a comparison of everything
// finds nothing, or a person has looked. A balance that moves while it is compared says
// nothing: it is compared again, and only the same difference each time is one.
//
// It also watches the account itself: payouts on a schedule would carry away money that is
// held, and a stranger's charges mean that its balance says nothing. Either stops checkouts.
package reconcile
