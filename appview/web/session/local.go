package session

import (
	"net/url"
	"strings"
)

// longestPath bounds an address that is carried along.
const longestPath = 2048

// LocalPath returns the address of a page of this site as it was given, or / for
// anything that a browser could take for another site.
func LocalPath(raw string) string {
	const home = "/"
	// Browsers read a backslash as a slash, and drop tabs and line ends.
	if len(raw) > longestPath || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return home
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(raw, "/") || strings.HasPrefix(raw, "//") {
		return home
	}
	return raw
}
