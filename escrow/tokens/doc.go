// Package tokens remembers which service tokens were used, so that one that moves money
// works once, also after a restart. It owns the table used_token.
package tokens
