// Package atmosphere runs a local atmosphere: a PLC directory and a PDS, the
// official servers, on the loopback interface. Tests and the demo start it;
// nothing that serves strangers may.
//
// A Network lives in its data directory. Started there again it is the same
// network: the same ports, DIDs, records, passwords and sessions. Without a data
// directory it lives in a temporary one that goes away with it. One data
// directory runs one network at a time; a second Start finds the ports in use.
//
// The servers are one Node.js process (atmosphere.mjs), a child of this one. It
// ends with Close, and when its parent ends in whatever way, because its stdin
// ends then. It listens on the loopback interface only and refuses to connect
// anywhere else; a name lookup outside fails at once.
//
// The npm packages are installed once per lock file and Node.js version into a
// cache directory (see Config.CacheDir), so any binary that holds this package
// can start a network. The first installation takes a minute or two and needs
// npm, its registry, and, where better-sqlite3 offers no prebuilt binary, a C++
// compiler; afterwards nothing outside the machine is asked for.
//
// Handles end in .test and have 3 to 18 characters before it. No real resolver
// knows them: Transport and Directory find them at the PDS, by the same
// /.well-known/atproto-did that any handle is verified with.
//
// A Program is another Node.js program with npm packages of its own, installed in the
// same way: what a test needs of the reference implementation.
//
// A Network and an Account may be shared between goroutines. The package does
// not know lexicons of ours: records go to the PDS unvalidated.
package atmosphere
