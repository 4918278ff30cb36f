// Package oracle lets a simulated society happen to a real escrow, and says whether its
// money and its records are right. A seed decides everything that happens.
//
// # What happens
//
// People pledge, edit, take back, pay, are declined, abandon, pay late. Developers become
// payable, open campaigns, and cancel them, or release while people still pledge, in time,
// or when it is too late: with the tree that they had committed to or another, with a
// licence or without, a commit that is there, hidden or invented. They correct what failed,
// take it back, push something else, hide the repository, edit and delete what was frozen,
// or vanish. People dispute releases, also those who have not paid, and think better of it;
// the operator rules, or has no time. Payees cannot be paid for weeks. The forge is a real
// git server that is overloaded or breaks off; previews do not answer. Banks charge back in part and
// in whole, inquire, win, lose, send refunds back weeks later, warn of fraud. The operator
// puts money in, backs up, restores an older backup. The escrow is the whole service in a
// process of its own (the program that lives through worlds starts itself again,
// [Serve]); it is killed at random moments and at each of its crash points. The
// processor is escrow/simulator with its faults on; webhooks are lost, repeated, late and
// out of order. The atmosphere is simulated as well, with commits that are really signed;
// its PDS fails, forgets sessions, loses answers and shows the past, and somebody writes
// over receipts. [Faults] lists what goes wrong. A fault counts when it happened, and the
// test wants all of them once enough seeds were run.
//
// Time is real, and leaps ([Clock]), for everybody at once.
//
// # What is promised
//
// Meanwhile: no answer of the escrow is one that nobody should see, and no process of it
// ends by itself. When all faults have ended and the last day has passed on which a bank
// may ask for money back, nothing is left to do, and then
//
//   - each pledge that was paid is in exactly one end, and for a reason, that a model
//     also holds possible which knows what people did and what the processor says, and
//     nothing that the escrow says (model.go); what nobody paid has no receipt;
//   - nothing was charged, refunded or transferred twice, as the processor's own tables
//     say; no payee has two accounts there;
//   - the ledger verifies; added up from the postings alone, it has at the processor what
//     the processor says that its movements add up to; each movement is there, and no
//     other; nothing is owed to anybody any more;
//   - everything that was ever published of a campaign is right by the rules, what people
//     did and the clock (story.go): what was frozen stands, phases follow one another,
//     deadlines only move later, and by as much as somebody who had paid disputed; nothing
//     with a flaw is accepted, what is accepted can be cloned; nothing is settled before
//     verification is over and everybody who disputes was answered; money goes back only
//     for a reason that is there;
//   - each attempt is settled one way. Of a released charge the payees have everything but
//     the fee, by their shares to a cent, and the operator the fee (payout.go); of any
//     other they have nothing;
//   - an index that starts only then, from the firehose and backfill alone, shows each
//     attempt in its stage, and its money (newcomer.go);
//   - each receipt is valid, and says what follows from the database by the table in
//     docs/escrow.md, derived a second time (receipt.go); campaigns have ended.
//
// On the way somebody looks now and then, while the network is well, that nothing is
// overdue by the campaigns' own dates ([World.survey]): so nothing that came too late can
// be excused by an escrow that had no time to look.
//
// A backup is not restored any more once a release is checked: what a database forgets of
// a release, no record brings back, and a person has to look.
//
// # To reproduce
//
//	make oracle-escrow SEED=24           # one seed
//	make oracle-escrow SEEDS=100         # many
//	ESCROW_ORACLE_KEEP=FOLDER make ...   # keep databases and logs
//
// A seed takes the same decisions as long as the escrow answers in the same way. How its
// parts are interleaved with them is up to the machine, so a rare failure may need some
// runs.
//
// # To extend
//
// Somebody who does something new is a line in act, and what may follow from it a line in
// model.go. Nothing here asserts with a testing.T: [Run] returns an error that wraps
// [ErrWrong] and carries what happened, so that mutants can use it too.
package oracle
