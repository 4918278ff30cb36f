// Package lexicons is the contract with every client: the fund.stratos.* lexicons,
// and what it means for a record to be valid under them.
//
// It owns the JSON under fund/ and com/ (embedded, so nothing is resolved over the
// network), the Go types generated from it (fundstratos), and the rules that no
// lexicon validator can express. ParseRecord is the only way from bytes that a
// stranger wrote to a typed record, and Catalog the only catalog; what comes out of
// ParseRecord is valid in itself.
//
// It looks at one record at a time. Whether the records that it points to exist,
// whether its author had the right to write it, and what time it is, are questions
// for indexer/lifecycle. It does no I/O and reads no clock.
//
// Everything here may be used by many goroutines. Schemas and the catalog are
// shared and must not be changed.
package lexicons
