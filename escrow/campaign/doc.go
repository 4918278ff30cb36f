// Package campaign is the life of an attempt whose money the escrow holds. It owns the
// tables campaign and campaign_payee: what was frozen when the preview opened (rule 8),
// and how far it got since. A campaign outlives whatever its developer edits or deletes.
//
// Campaigns say when something may happen; that money moves, says the ledger alone.
package campaign
