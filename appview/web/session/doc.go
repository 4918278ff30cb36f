// Package session is who visits the site: people sign in at their own PDS by atproto's
// OAuth, and the site may then write the records that they asked it to write, and call
// the escrow in their name, for as long as they are signed in and no further than what
// they granted.
//
// It owns the database of sessions and everything about them: the client's metadata and
// keys, the pages to sign in and out, the cookies, the tokens. Nobody ever types a
// password into a page of ours. Tokens and the keys that they are bound to are in that
// database only; no log, page, error or cookie has them. A cookie holds a random id, and
// the database its hash.
//
// A sign-in belongs to the browser that began it, is finished once, and makes a new id
// each time. Nobody is sent to an address outside of this site but to the authorisation
// server that the account's own PDS names. Sessions end by signing out, which revokes
// them at the PDS, with their time, or when the PDS says so.
//
// A PDS is a stranger: [Options].Transport refuses private addresses, answers are read
// up to a bound, and no redirect is followed. Only with [Config].Local, when the whole
// network is on this machine, is one asked without TLS.
//
// Tokens are renewed one call at a time for each session, since a PDS takes each
// refresh token once, and the outcome is stored whether or not the visitor still waits.
// Records are checked against their lexicons before they are sent.
//
// For accounts it keeps what services signed for them, [Sessions.Keep], which they may need
// when the service denies it.
//
// It does not know pages: what they look like is the business of Options.Render. What
// records mean is the business of whoever writes them. Requests have passed
// http.CrossOriginProtection before they get here. A [Sessions] may be shared between
// goroutines, and so may a [Visitor], which lives as long as its request.
package session
