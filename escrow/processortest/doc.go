// Package processortest is for the tests of what speaks to the payment processor: an
// escrow's store and ledger beside a running simulator, on clocks that move together, and
// a desk that opens checkouts and sees to what became of them.
package processortest
