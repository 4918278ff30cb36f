package indexer

var (
	// Outgoing is for tests of what the guard lets pass.
	Outgoing = outgoing
	// Directory is for tests of whom it asks.
	Directory = directory
)
