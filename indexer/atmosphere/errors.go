package atmosphere

import "errors"

// ErrNodeMissing is returned by Start when Node.js or npm is not there or too
// old. Its message names what to install; a test may skip on it.
var ErrNodeMissing = errors.New("atmosphere: the local PLC and PDS need Node.js 20 or newer with npm: install it from your system's packages or nodejs.org")

// ErrEnded is what Err reports when the servers ended without Close.
var ErrEnded = errors.New("atmosphere: the servers ended by themselves")
