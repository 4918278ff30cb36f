package firehose

import "time"

// SetPatience replaces how long a connection may be silent, and how long an
// answer to a ping may take.
func (c *Client) SetPatience(every, within time.Duration) { c.pingEvery, c.pongWithin = every, within }

// ErrSilent is why a peer that no longer answers is left.
var ErrSilent = errSilent
