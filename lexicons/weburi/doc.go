// Package weburi is the form in which addresses on the web are compared: two
// spellings that people would call the same page or repository have one [URI].
//
// The form is an https address without what makes no difference. Merged are http
// and https, a leading "www.", ports that are the scheme's default, the spellings
// of a host (case, a trailing dot, Unicode and Punycode) and of percent-encoding,
// dot segments, slashes and ".git" at the end of the path, an empty query, and
// places within one page. Kept apart are the case of paths, queries, other ports,
// and fragments that are routes ("#/", "#!"): they may be other pages.
//
// "www." is kept where what follows is a public suffix: www.github.io is an
// account like any other there, and must not be taken for github.io itself.
//
// An address in this form may be fetched: whoever answers under it answers for
// all its spellings. Nothing is ever fetched here; the package does no I/O, knows
// no records and imports nothing of this house.
package weburi
