// Package contract holds no code, only a test of what clients of the AppView rely
// on: that its answers are what the lexicons say.
//
// A real PLC, a real PDS and two whole AppViews run, one with records of every kind
// and one with an empty index. The official TypeScript client (@atproto/api) logs in
// at the PDS as a backer and calls every endpoint through it, so that each request
// is proxied with a service token as it is for anybody. Each answer, full and empty,
// is validated by the reference implementation (@atproto/lexicon); each error that a
// lexicon names is provoked.
//
// cases_test.go is the table to add to: an endpoint of the lexicons without its cases
// fails the test, and so does one that is listed as not served and is. Run it with
//
//	go test ./appview/contract -v
//
// to see the table with the verdicts. The npm packages are pinned by a lock file and
// installed once, as those of indexer/atmosphere.
package contract
