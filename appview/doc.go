// Package appview answers the queries of our lexicons from the index: which
// proposals there are, where they stand, what they are worth to people.
//
// Every method has the same steps: the skeleton (which rows), hydration (all that
// they need, in a fixed number of reads whatever their number), and the view
// (pure). One request reads one snapshot and answers for one moment; the pages
// of a list all answer for the moment of the first.
//
// Because an answer follows from the index, the moment and the parameters alone,
// [Answers] may give it again until one of them changes; no method has to think
// of that, as long as it asks nobody else and reads no other clock. The numbers of
// getStats may be a minute old and are not among them. Lists are made of parts, the
// views of proposals, which hold longer: which proposals a list has is always read.
//
// The pages of appview/web ask the same methods in the same process; site.go is between
// the two.
//
// It holds no money and no authority, writes nothing, and asks nobody but its
// own index. Errors of the domain become errors of the lexicon in errors.go, the
// only place that knows both. An [API] may be shared between goroutines.
package appview
