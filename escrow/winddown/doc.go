// Package winddown ends an escrow: nothing is taken in any more, and everything that is
// still held goes back. It owns the table wind_down.
//
// It works on the escrow's database, or on one that was restored from a backup, and on the
// processor's own lists, from which it first learns everything that the database does not
// know: what was paid, refunded, transferred or taken by banks since. A charge of ours that
// no hold is known for, because its campaign is lost, is adopted by its mark and goes back.
// Nothing is decided or sent beside news that was put off.
//
// Then each campaign whose money is not decided about goes back, in one decision of the
// ledger, after nobody can pay for it any more. Before that the processor is asked for the
// transfers of the attempt: one with a transfer that was not reversed was decided to be
// paid out, whatever this database knows, so nothing of it is refunded (rule 14), and it is
// left for a person. So are refunds that came back.
//
// Everything is noted before it is sent, by the packages that always send (outgoing), so a
// Winder may die at any moment and begin again, as often as it takes. What was begun once
// is for ever: [Begun] tells a service not to run any other way.
//
// A Winder belongs to one goroutine, and is alone on its database.
package winddown
