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
	message []byte // as a websocket message of a server: one unmasked binary frame
	raw     []byte // what is in the message
	seqAt   int    // where the eight bytes are in raw
	timeAt  int    // where its time is, as long as timeLayout
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
	message := append(messageHead(buf.Len()), buf.Bytes()...)
	raw := message[len(message)-buf.Len():]
	f := frame{message, raw, bytes.Index(raw, seq), bytes.Index(raw, at)}
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

// messageHead is what comes before n bytes in a message.
func messageHead(n int) []byte {
	const binaryFrame = 0x82
	switch {
	case n < 126:
		return []byte{binaryFrame, byte(n)}
	case n < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{binaryFrame, 126}, uint16(n))
	}
	return binary.BigEndian.AppendUint64([]byte{binaryFrame, 127}, uint64(n))
}

// together lays frames side by side in memory, in their order. Sent in that order
// they take half the time that they take from wherever they were made.
func together(frames []frame) []frame {
	size := 0
	for _, f := range frames {
		size += len(f.message)
	}
	memory := make([]byte, 0, size)
	out := make([]frame, len(frames))
	for i, f := range frames {
		begin := len(memory)
		memory = append(memory, f.message...)
		f.message = memory[begin:]
		f.raw = f.message[len(f.message)-len(f.raw):]
		out[i] = f
	}
	return out
}

// appendMessage appends the frame's message with a sequence number.
func (f frame) appendMessage(out []byte, seq int64) []byte {
	out = append(out, f.message...)
	binary.BigEndian.PutUint64(out[len(out)-len(f.raw)+f.seqAt:], uint64(seq))
	return out
}

// appendMessageAt is appendMessage with another time, in timeLayout.
func (f frame) appendMessageAt(out []byte, seq int64, at string) []byte {
	out = f.appendMessage(out, seq)
	copy(out[len(out)-len(f.raw)+f.timeAt:], at)
	return out
}
