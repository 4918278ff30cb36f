// Package intent sees to it that what the escrow means to do at the payment processor is
// done once. It owns the table intent, and the order in which things happen: an intent
// is noted with the decision that it carries out, in one transaction; that it is about
// to be sent is noted next; what came of it last. So whoever dies anywhere in between
// finds the intent again, and one that may have been sent before is looked for at the
// processor before it is sent once more.
//
// The idempotency key of an intent is made of its id and kept for ever; the processor
// forgets it after a day, and the question covers the time after that. What the
// processor refuses for good stays refused: another try is another intent.
//
// The package knows neither money nor records, sends nothing by itself, and reads no
// clock but that of its transactions.
package intent
