// Package campaign is the life of an attempt whose money the escrow holds. It owns the
// tables campaign and campaign_payee, what was frozen when the preview opened (rule 8)
// and how far it got since; opening, what stands against openings; withdrawal, pledges
// that are paid and whose record is gone; release_version, what was seen of a release; and
// dispute, what stopped the clock, with the rulings. A campaign outlives whatever its
// developer edits or deletes.
//
// Campaigns say when something may happen; that money moves, says the ledger alone.
//
// What comes next is decided by pure functions: [Plan] whether an attempt opens, and
// with what; [Next] what a campaign does, by its row, what was [Seen], and the moment.
// [Driver] looks, asks them, and does one thing after another, each in a transaction
// that looks again. So it may be killed anywhere, and goes on where it was. [Examiner]
// has releases checked beside it, which takes its time, and keeps what passed in the
// mirror before it says so.
//
// # Time
//
// Deadlines are computed once, at the opening, and stored. What a deadline brings is
// done when the driver's clock is past it and, but for the final date, the index knows
// what happened until then: an index that is behind may not know of a release or of a
// withdrawal. It knows when it is connected and either the last event happened a moment
// ago by its own time, or nothing has come for a while and the clock can be believed. After
// an event of the past one of the present is not enough, since it may lie: several looks in
// a row have to find one. Where the index is out of step with the author, or the stream may
// have missed something of theirs, it does not know; where that is so of somebody who holds
// a pledge, a deadline waits for a day at most.
//
// The clock can be believed when an event of the present has confirmed it since it leapt
// last, or it has gone on evenly for an hour and no event denied it. So a clock that is
// set months ahead brings no deadline as long as events of another time come; on a
// network where nothing happens it is noticed for an hour. One that is set back delays,
// and takes nothing back; no release is accepted by a clock that is not believed. What an
// upstream tells of the time it has from the PDSs: where few accounts are, one of them can
// keep the clock from being believed for as long as it likes, and the metric says so. At the final date nothing that the index could bring matters
// any more: by a clock that can be believed, what is undecided goes back (rule 15).
//
// # Withdrawals
//
// A pledge is taken back by deleting its record while the campaign is open and no
// release was seen (rule 9). When one look shows a release and a deletion, the release
// came first. That the record is gone is proven by its account's PDS; one that does not
// answer for an hour leaves it at the signed commit that the index has seen, and pledging
// ends (rule 10) when each deletion that was seen in time is decided. An account that
// is gone for good takes its pledges along once its PDS said so twice, a day apart (F5);
// is the campaign closed by then, it is too late. A hidden account moves nothing.
//
// # Releases
//
// The newest version of a release that was seen in time is checked (rule 12). One that
// failed is no release: it locks no backer in, and may be corrected for as long as the rule
// says. What was seen is copied, so that nothing but a signed deletion takes it back, and
// from the moment at which it is accepted not even that.
//
// # Disputes
//
// A dispute stands from when it was first seen beside a held pledge of its author (rule
// 13), whatever becomes of the pledge. As long as one stands the clock is stopped. When
// verification ends is moved by that, and by what a rejection leaves, but never by more
// than the reserve altogether; and every dispute has to be ruled on before it is used up.
// What is not ruled on is decided by what the escrow saw itself: checks, and the watch.
//
// # Settlement
//
// When verification is over nobody can dispute any more. The processor is asked about every
// payee, and has to tell all that it knows of the money; then everything that is held
// becomes due to them in one decision (rule 14). What they cannot be paid until the final
// date goes back. After the decision the campaign
// only waits: that is for escrow/outgoing.
//
// # The end
//
// Money that a bank returned, or that cannot be sent back, is owed until it is claimed:
// as long as any of it is, the campaign stays refunding and is not refunded.
package campaign
