// Package firehose is the wire of com.atproto.sync.subscribeRepos: it dials an
// upstream (a PDS or a relay), hands over its frames one by one, and parses a
// frame into an [Event].
//
// It keeps no cursor and believes nothing: a frame's contents are as the peer
// sent them, unverified. It does not reconnect; whoever keeps the cursor decides
// when and from where. Frames and silence are bounded. A [Client] may be shared.
package firehose
