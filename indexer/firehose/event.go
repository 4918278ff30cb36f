package firehose

import (
	"bytes"
	"errors"
	"fmt"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/events"
	cbg "github.com/whyrusleeping/cbor-gen"
)

// Event is one parsed frame: exactly one of the pointers is set, or none for a
// message of a kind that we do not know.
type Event struct {
	// Seq is the upstream's sequence number; 0 for messages that have none.
	Seq int64

	Commit   *comatproto.SyncSubscribeRepos_Commit
	Sync     *comatproto.SyncSubscribeRepos_Sync
	Identity *comatproto.SyncSubscribeRepos_Identity
	Account  *comatproto.SyncSubscribeRepos_Account
	Info     *comatproto.SyncSubscribeRepos_Info
}

// ErrMalformed is returned for a frame that is not what the protocol says.
var ErrMalformed = errors.New("firehose: malformed frame")

// StreamError is an error frame: the upstream says why it will end the stream.
type StreamError struct {
	Name    string
	Message string
}

// The error names of com.atproto.sync.subscribeRepos, and the info name that a
// consumer must react to.
const (
	FutureCursor    = "FutureCursor"
	ConsumerTooSlow = "ConsumerTooSlow"
	OutdatedCursor  = "OutdatedCursor"
)

func (e *StreamError) Error() string {
	return fmt.Sprintf("firehose: upstream says %s: %s", e.Name, e.Message)
}

// Parse reads a frame. The error wraps [ErrMalformed], or is a [*StreamError].
func Parse(frame []byte) (Event, error) {
	body := bytes.NewReader(frame)
	r := cbg.NewCborReader(body)
	var header events.EventHeader
	if err := header.UnmarshalCBOR(r); err != nil {
		return Event{}, fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	switch header.Op {
	case events.EvtKindErrorFrame:
		var e events.ErrorFrame
		if err := e.UnmarshalCBOR(r); err != nil {
			return Event{}, fmt.Errorf("%w: error body: %w", ErrMalformed, err)
		}
		return Event{}, &StreamError{Name: e.Error, Message: e.Message}
	case events.EvtKindMessage:
		ev, err := parseMessage(header.MsgType, r)
		if err != nil {
			return Event{}, fmt.Errorf("%w: %s: %w", ErrMalformed, header.MsgType, err)
		}
		if ev.known() && body.Len() > 0 {
			return Event{}, fmt.Errorf("%w: %s: %d bytes after the body", ErrMalformed, header.MsgType, body.Len())
		}
		return ev, nil
	default:
		return Event{}, fmt.Errorf("%w: op %d", ErrMalformed, header.Op)
	}
}

func parseMessage(kind string, r *cbg.CborReader) (Event, error) {
	var ev Event
	var err error
	switch kind {
	case "#commit":
		ev.Commit = new(comatproto.SyncSubscribeRepos_Commit)
		err = ev.Commit.UnmarshalCBOR(r)
		ev.Seq = ev.Commit.Seq
	case "#sync":
		ev.Sync = new(comatproto.SyncSubscribeRepos_Sync)
		err = ev.Sync.UnmarshalCBOR(r)
		ev.Seq = ev.Sync.Seq
	case "#identity":
		ev.Identity = new(comatproto.SyncSubscribeRepos_Identity)
		err = ev.Identity.UnmarshalCBOR(r)
		ev.Seq = ev.Identity.Seq
	case "#account":
		ev.Account = new(comatproto.SyncSubscribeRepos_Account)
		err = ev.Account.UnmarshalCBOR(r)
		ev.Seq = ev.Account.Seq
	case "#info":
		ev.Info = new(comatproto.SyncSubscribeRepos_Info)
		err = ev.Info.UnmarshalCBOR(r)
	}
	if err != nil {
		return Event{}, err
	}
	if ev.Seq < 0 {
		return Event{}, fmt.Errorf("negative sequence %d", ev.Seq)
	}
	return ev, nil
}

// known reports whether the message was of a kind that we parse.
func (e Event) known() bool {
	return e.Commit != nil || e.Sync != nil || e.Identity != nil || e.Account != nil || e.Info != nil
}

// DID is the account that the event is about; empty when it is about none.
func (e Event) DID() string {
	switch {
	case e.Commit != nil:
		return e.Commit.Repo
	case e.Sync != nil:
		return e.Sync.Did
	case e.Identity != nil:
		return e.Identity.Did
	case e.Account != nil:
		return e.Account.Did
	}
	return ""
}
