package indexer

// Outgoing is for tests of what the guard lets pass.
var Outgoing = outgoing
