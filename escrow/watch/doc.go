// Package watch asks the previews of campaigns whether they answer, and keeps what it saw
// (rule 7): the evidence by which a dispute about an unavailable preview is judged. It owns
// the tables watch and watch_outage.
//
// # What is seen
//
// A GET of the preview's address, as a visitor's browser begins: whether somebody answers,
// with what status, how soon, and until when the certificate holds. No script runs and no
// page is judged: a preview that answers may still not work, and one that wants a password
// or takes us for a robot (401, 403, 429) may work for people. The latter are counted apart,
// as neither up nor down. Whoever judges has to look at the preview.
//
// An outage goes from the first question that failed to the first one that was answered. In
// between it was asked as often as it says; what lies between two questions nobody saw, and
// while the escrow itself was away, nobody asked. What may be our own network's trouble does
// not count: when nobody answered, somebody else is asked whether we are online.
//
// # Manners and bounds
//
// A host is asked at most once in [Every] for all previews that are there, and at most once
// for all that redirect there; the others wait for their turn. A restart forgets only the turns
// of redirects. The
// user agent says whose question it is. Every request goes through the transport that the
// caller guards against private addresses, over https, with so many redirects, so many bytes
// and so much time.
//
// [Uptime] is pure. [Watcher] reads no clock but the one it is given; one at a time.
package watch
