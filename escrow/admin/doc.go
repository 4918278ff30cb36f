// Package admin is what an operator does to a running escrow: each action is a POST under
// /admin/ with the password, and answers with a sentence. What changes something has a
// reason, and leaves a line in the journal in the same transaction. No action moves money
// by itself: it tells the ledger, which then says what is due.
//
// Without a password admin is off. Requests are few, and the password is compared in
// constant time. A body has to be JSON, which no form of a web page can send.
package admin
