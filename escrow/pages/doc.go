// Package pages is what payers see of the escrow: what they are about to pay for, the
// terms that they agree to, and where their payment stands. It also receives payees who
// come back from the processor's questions.
//
// Pages are plain HTML for a phone, without a script, in light and dark. Nothing on them
// is kept by anybody on the way, nothing can frame them, a form can only be sent from
// them, and nobody is sent to a client's address without a click on its host. In test and
// simulator mode each page says so first.
//
// Whoever has a payment's id may see it and pay: the id cannot be guessed, and is all
// that the client hands to the payer's browser. But however often somebody loads pages, and
// however slow the processor is, only so many of them wait for it: a page that may not shows
// what is known. The package decides nothing; escrow/checkout
// does.
package pages
