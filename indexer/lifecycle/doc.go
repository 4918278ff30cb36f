// Package lifecycle decides what the records mean: the stage of a proposal, who
// may act on it, which estimates count and for how much, where the money is, and
// what does not fit together. It is the only place where those rules stand; rule
// and fact numbers in comments (F1, rule 2) are those of the product's rules.
//
// Everything here is a pure function of its arguments. There is no I/O, no SQL,
// no clock and no order of arrival: the caller loads [Facts], asks, and gets the
// same answer on any machine at any time (F1). All values may be shared between
// goroutines as long as nobody changes them.
//
// # Time
//
// A record exists from [FutureTolerance] before its createdAt on (F3), so a
// record dated ahead comes into being later without anybody touching it. Stages
// are therefore returned as [Interval]s over the whole of time, and a reader asks
// which of them holds now. So are the times in which a claim makes a proposal a
// project's own ([EvaluateClaims]). Funding is returned from the moment of
// evaluation on, with the moment until which it holds. Everything else is asked
// for a moment.
//
// # Who decides
//
// Before an opening the developer's records decide; from then on the campaign of
// the attempt's escrow does (F2), that is the earliest campaign of a trusted
// escrow for the development. A campaign says where it stands, not when it came
// there, so its phase is taken to hold since it exists; only an escrow moves it,
// no clock, and when it does not, that is a warning. The proposal's, development's
// and preview's later versions, or that they are gone, are warnings as well.
//
// The current attempt is the one of the earliest campaign under way, else the
// earliest of an authorised developer that has no campaign and is not over. Two
// campaigns under way should not be: the earlier one decides.
//
// # Money
//
// Only receipts of trusted escrows count, of test money only where the operator
// says so. A receipt belongs to the proposal that it pins, else to that of its
// attempt: the one for which a campaign froze it, or before that, the one that its
// development names, if its author may act for the subject. A pledge or donation
// is a wish until a receipt of the escrow that it names, and for its author's
// money, belongs to the proposal that it names. By its status it stands in exactly one sum of [Funding]; money on its
// way out or back is in a sum of its own, neither held nor there. A refund that
// the bank returned is still on its way back: it is owed. Sums are exact, and end
// at [MaxTotal] where they are shown.
//
// An estimate created after an opening does not count and takes no older one's
// place; while or once the money of that attempt goes back, it counts again.
//
// # What an index cannot know
//
// These parts of the rules have no function here and no test:
//
//   - rule 1's and rule 6's pages and links, and rule 7's advice, are for people;
//   - rule 4's proofs are made by whoever verifies claims: they come as facts;
//   - rule 8's conditions of an opening, rule 10's sessions, rule 12's checks and
//     mirror: the escrow's campaign is the word that they were met;
//   - rule 12's three corrections: a campaign keeps its last checks only, so the
//     time after a failed one is granted as often as the escrow grants it;
//   - rule 13's ruling by default, rule 14's transfers and rule 15's refunds
//     happen at the escrow; here they are phases, receipts, and "overdue";
//   - rule 16, the terms: their numbers are checked with the record, and what they
//     allow is the escrow's to refuse.
//
// # What it costs
//
// Anybody can write any number of records about a proposal, so nothing here is
// worse than sorting them. Only a trusted escrow that dates campaigns ahead makes
// each of them cost a look at all estimates.
//
// # What makes what dirty
//
// Whoever stores results must evaluate a proposal again when one of its inputs
// changes:
//
//   - the proposal itself, and every record that names it: estimate, pledge,
//     donation, response, development, and the preview, release and cancellation
//     of that development;
//   - a campaign, of whatever escrow: the proposal that it names, and the one that
//     its development names;
//   - a receipt: the proposal that it pins, those that its development and the
//     campaigns of that name, and the one that its pledge or donation names;
//   - the project that its subject names (name, maintainers): all proposals of
//     that project;
//   - a verified claim, and the project that it is of: all proposals about a URL
//     that it covers, and whoever paid for work on them. That it expires is part of the intervals, and makes nothing
//     dirty; a check that moves its end does;
//   - an account's status (a hidden account's records are not facts): all
//     proposals that one of its records names, and those of its projects;
//   - a receipt of a trusted escrow (it moves its payer's cap): all proposals
//     that the payer estimated. The same goes for whatever decides that the
//     receipt is for the payer's own work: the development it names, the
//     campaign that pinned the payees, the project's maintainers, the claims on
//     the URL;
//   - the operator's policy (which escrows are trusted, whether test money
//     counts): everything.
//
// Consents, disputes, rulings and verifications move no stage and no sum: what is
// said of them is asked when it is read.
//
// The store does not work this list out by hand for caps: it keeps each
// account's [Standing] as a row, derives it again when one of those inputs
// changes, and only a standing that really differs dirties the estimated
// proposals.
package lifecycle
