// Package strangers is how hosts are asked that nobody vouches for: over https only,
// each in its turn, and for no more than so many bytes of an answer.
//
// It guards no addresses. The transport that is handed in makes the connections, and
// has to refuse those to private addresses where it makes them, so that neither a
// redirect nor a name that resolves otherwise the second time gets around it.
//
// A [Transport] keeps nothing between requests and may be shared between goroutines.
package strangers
