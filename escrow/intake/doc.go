// Package intake hears what happens at the payment processor, and has it looked at. It
// owns the tables hint and place.
//
// There are two ways in. Webhooks ([Worker.Handler]) are checked, noted once by the id of
// their event, and answered after the commit. Lists ([Worker.Sync]) are read from where the
// last reading ended, less an overlap, so that a total loss of webhooks heals: events, and
// the sessions, movements, refunds, disputes, warnings and transfers themselves. Either way
// only says which object to look at; nothing of it is believed.
//
// What is noted is worked off in any order ([Worker.Pass]), each object once for all that
// was said about it, and again later when the processor cannot be asked or something before
// it is not known yet. Who looks is decided by the kind of the object. Every movement of
// the processor's balance is either about such an object, or the operator's own money,
// which is posted here; any other is unknown money.
//
// Of the money on payees' own accounts only donations matter, which checkouts look at. The
// platform's lists have nothing of them, so those accounts' own events and chargebacks are
// read too.
//
// Before something is decided that nothing takes back, [Worker.Hear] has all of it looked at
// that may be about held money. Donations never are, and it asks about no payee's account.
// Before a ledger that may have been restored sends anything, [Worker.Insist] does the same
// for all that may say that money moved.
//
// What does not belong to this escrow is noted and counted. A charge by a stranger stops
// checkouts: another business shares the account. Money that is not where it should be
// stops all money (package halt).
//
// What was worked off is forgotten after longer than the processor keeps events, so that
// none comes a second time as a new one.
package intake
