package firehose

import "time"

// SetPatience replaces how long a connection may be silent, and how long an
// answer to a ping may take.
func (c *Client) SetPatience(every, within time.Duration) { c.pingEvery, c.pongWithin = every, within }

// Why a peer is left that no longer answers, that compresses unasked, or that
// sends too much before it accepts.
var (
	ErrSilent    = errSilent
	ErrExtension = errExtension
	ErrGreeting  = errGreeting
)
