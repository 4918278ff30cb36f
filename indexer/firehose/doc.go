// Package firehose is the wire of com.atproto.sync.subscribeRepos: it dials an
// upstream (a PDS or a relay), hands over its frames one by one, tells from a
// frame's bytes whether anybody here wants it ([Interest]), and parses a frame
// into an [Event].
//
// Nearly all of the network's frames are foreign, so they cost next to nothing:
// frames are read many at a time into memory that is used again, and an Interest
// decides without decoding. Its answer "foreign" promises what [Parse] would have
// found; everything else, and everything odd, goes through Parse.
//
// It keeps no cursor and believes nothing: a frame's contents are as the peer
// sent them, unverified. It does not reconnect; whoever keeps the cursor decides
// when and from where. Frames and silence are bounded. A [Client] may be shared.
package firehose
