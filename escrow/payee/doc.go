// Package payee knows whom the escrow can pay: for each account that wants to be paid,
// its account at the payment processor, and what the processor said of it. It owns the
// tables payee and payee_visit.
//
// A payee has one account here, for ever. It is opened by an intent, so that a process
// that dies opens no second one; where the processor has two all the same, the first
// stays and everything stops until a person has looked. Who the payee is, they tell the
// processor on its own pages, and nothing of it comes here: only whether they can be
// paid, what stands against it, and the names of what the processor still asks for.
//
// What is stored is what the processor said when it was last asked. [Payees.Ready] asks
// anew, and is for whoever is about to rely on it.
//
// The package moves no money, and reads no clock but the one that it is given. A
// [Payees] may be shared.
package payee
