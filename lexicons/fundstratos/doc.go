// Package fundstratos holds the Go types of the fund.stratos.* lexicons: one struct
// for each record, object, input and output, and one client function for each
// method. All files but this one are generated; the lexicons are their source.
//
// The types are for JSON. They check nothing: a record from outside comes through
// lexicons.ParseRecord. A required array that is nil becomes null in JSON, which no
// lexicon allows, so outputs start from an empty slice. A field of type unknown is
// the JSON of a record, verbatim. A union holds at most one variant, and none when
// the variant on the wire is not known here; it is written through a pointer, so
// pass pointers to encoding/json. LexiconTypeID of a record is for the writer to set,
// from NSID.
package fundstratos
