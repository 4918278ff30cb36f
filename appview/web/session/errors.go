package session

import "errors"

var (
	// ErrEnded says that the PDS no longer takes the session, which is gone. The
	// visitor has to sign in again.
	ErrEnded = errors.New("session: the PDS has ended it")
	// ErrNotGranted says that the visitor granted the site less than a call needs. They
	// have to sign in again, for a wider [Purpose].
	ErrNotGranted = errors.New("session: the account's owner has not granted this")
	// ErrUnreachable says that the PDS did not answer, or not in time. What was asked of
	// it may or may not have happened; writing the same record under the same key again
	// is safe.
	ErrUnreachable = errors.New("session: the PDS does not answer")
	// ErrKeyTaken says that another record than the one to be created is there already.
	ErrKeyTaken = errors.New("session: another record has this key")
	// ErrChanged says that the record to be replaced is not what it was.
	ErrChanged = errors.New("session: the record was changed meanwhile")
	// ErrNotFound says that nobody is found under a name. Whether it is wrong or its host
	// does not answer, nobody can tell.
	ErrNotFound = errors.New("session: no such account")
)

// errUnknown says that there is no such session or sign-in, or no more.
var errUnknown = errors.New("session: unknown or over")
