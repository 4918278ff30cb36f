// Package bounded keeps what took long to find out, as much of it as fits into a
// number of bytes, and of more than that what was used last.
//
// It does not know what it keeps, nor whether that still holds: whoever asks it has
// to. A [Cache] may be used by many goroutines.
package bounded
