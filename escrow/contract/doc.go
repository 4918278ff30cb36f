// Package contract asks the reference implementation of lexicons (@atproto/lexicon)
// whether answers of the escrow are what the lexicons say. It is for tests: it
// needs Node.js, and installs the npm packages that its lock file pins, once, as
// indexer/atmosphere does. What is asked, and what it must be answered, is in the
// tests of package escrow.
package contract
