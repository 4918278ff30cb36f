// Package lifecycle decides what the records mean: the stage of a proposal, who
// may act on it, which estimates count and for how much. It is the only place
// where those rules stand; rule and fact numbers in comments (F1, rule 2) are
// those of the product's rules.
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
// which of them holds now. Funding is returned from the moment of evaluation on,
// with the moment until which it holds.
//
// # What makes what dirty
//
// Whoever stores results must evaluate a proposal again when one of its inputs
// changes:
//
//   - the proposal itself, and every record that names it: estimate, pledge (with
//     the receipt for it), response, development, and the preview, release and cancellation of that development;
//   - the project that its subject names (name, maintainers): all proposals of
//     that project;
//   - an account's status (a hidden account's records are not facts): all
//     proposals that one of its records names, and those of its projects;
//   - a receipt of a trusted escrow (it moves its payer's cap): all proposals
//     that the payer estimated. The same goes for whatever decides that the
//     receipt is for the payer's own work: the development it names, the
//     campaign that pinned the payees, the project's maintainers;
//   - the operator's policy (which escrows are trusted, whether test money
//     counts): everything.
//
// The store does not work this list out by hand for caps: it keeps each
// account's [Standing] as a row, derives it again when one of those inputs
// changes, and only a standing that really differs dirties the estimated
// proposals.
package lifecycle
