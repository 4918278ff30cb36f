// Package journal keeps what people did to the escrow by hand, why, and what came of it.
// It owns the table journal, which the database lets nobody change. An action and its
// line are one transaction.
package journal
