// Package returnuri checks the addresses that clients want people to return to, after they
// paid or were onboarded. Nobody is sent to one without a click, and the page names its
// host: so an address is taken only if it is one of a web page, and its host is what it
// seems to be.
package returnuri
