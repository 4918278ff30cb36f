// Package money does arithmetic with amounts of money: integers in minor units
// beside their currency, as in fund.stratos.defs#money.
//
// Nothing here is a float, nothing rounds silently, and nothing wraps around: an
// operation that cannot be exact returns an error. Parts made by Split always sum to
// the whole. Values are plain and may be copied and shared.
//
// It does not know records, the ledger or the payment processor. Bounds of a single
// payment belong to the lexicons and to an escrow's terms. The processor counts a few
// currencies in units of its own; that translation belongs to whoever talks to it.
package money
