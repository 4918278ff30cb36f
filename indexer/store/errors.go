package store

import "errors"

var (
	// ErrNotFound is returned by reads for what is not indexed or is hidden.
	ErrNotFound = errors.New("store: not found")
	// ErrStale is returned by ReplaceRepo for a snapshot that is older than
	// what the index holds; the caller fetches again later.
	ErrStale = errors.New("store: the snapshot is older than the index")
)
