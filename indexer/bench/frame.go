package bench

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	cbg "github.com/whyrusleeping/cbor-gen"

	"github.com/bluesky-social/indigo/events"
)

// firstSeq is where the stream begins: in the order of magnitude of the public
// relays' sequences, and so large that every number after it takes eight bytes.
const firstSeq int64 = 20_000_000_001

// frame is one message of the stream. Its sequence number is filled in when it
// is sent, because foreign frames are sent more than once.
type frame struct {
	raw    []byte
	seqAt  int // where the eight bytes are
	timeAt int // where its time is, as long as timeLayout
}

var errNoPlace = errors.New("bench: a message without a sequence number or time")

// newFrame encodes a message whose sequence number is firstSeq.
func newFrame(kind string, body cbg.CBORMarshaler) (frame, error) {
	var buf bytes.Buffer
	header := events.EventHeader{Op: events.EvtKindMessage, MsgType: kind}
	if err := header.MarshalCBOR(&buf); err != nil {
		return frame{}, fmt.Errorf("bench: encode a header: %w", err)
	}
	if err := body.MarshalCBOR(&buf); err != nil {
		return frame{}, fmt.Errorf("bench: encode a %s: %w", kind, err)
	}
	seq := binary.BigEndian.AppendUint64([]byte("\x63seq\x1b"), uint64(firstSeq))
	at := append([]byte("\x64time\x78"), byte(len(timeLayout)))
	f := frame{buf.Bytes(), bytes.Index(buf.Bytes(), seq), bytes.Index(buf.Bytes(), at)}
	if f.seqAt < 0 || f.timeAt < 0 {
		return frame{}, errNoPlace
	}
	f.seqAt += len(seq) - 8
	f.timeAt += len(at)
	return f, nil
}

func commitFrame(msg *comatproto.SyncSubscribeRepos_Commit) (frame, error) {
	msg.Seq = firstSeq
	return newFrame("#commit", msg)
}

func identityFrame(did syntax.DID) (frame, error) {
	return newFrame("#identity", &comatproto.SyncSubscribeRepos_Identity{
		Did: did.String(), Seq: firstSeq, Time: began.Format(timeLayout),
	})
}

func accountFrame(did syntax.DID, active bool) (frame, error) {
	msg := &comatproto.SyncSubscribeRepos_Account{
		Did: did.String(), Seq: firstSeq, Time: began.Format(timeLayout), Active: active,
	}
	if !active {
		status := deactivated
		msg.Status = &status
	}
	return newFrame("#account", msg)
}

// syncFrame says where the account's repository is.
func syncFrame(a *account) (frame, error) {
	raw, err := writeCAR(a.commit)
	if err != nil {
		return frame{}, err
	}
	return newFrame("#sync", &comatproto.SyncSubscribeRepos_Sync{
		Did: a.did.String(), Rev: a.rev().String(), Seq: firstSeq, Time: began.Format(timeLayout), Blocks: raw,
	})
}

// appendMessage appends the frame as a websocket message of a server: one
// unmasked binary frame.
func (f frame) appendMessage(out []byte, seq int64) []byte {
	out = append(out, 0x82)
	switch n := len(f.raw); {
	case n < 126:
		out = append(out, byte(n))
	case n < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, 126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, 127), uint64(n))
	}
	begin := len(out)
	out = append(out, f.raw...)
	binary.BigEndian.PutUint64(out[begin+f.seqAt:], uint64(seq))
	return out
}

// appendMessageAt is appendMessage with another time, in timeLayout.
func (f frame) appendMessageAt(out []byte, seq int64, at string) []byte {
	out = f.appendMessage(out, seq)
	copy(out[len(out)-len(f.raw)+f.timeAt:], at)
	return out
}
