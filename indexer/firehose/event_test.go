package firehose_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/events"
	"github.com/bluesky-social/indigo/lex/util"
	"github.com/google/go-cmp/cmp"
	"github.com/ipfs/go-cid"
	cbg "github.com/whyrusleeping/cbor-gen"

	"github.com/stratosfund/stratosfund/indexer/firehose"
)

const when = "2026-11-01T12:00:00.000Z"

var someCID = cid.MustParse("bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a")

func link() *util.LexLink { l := util.LexLink(someCID); return &l }

var sameLink = cmp.Comparer(func(a, b util.LexLink) bool { return a == b })

func ptr[T any](v T) *T { return &v }

func commit(seq int64) *comatproto.SyncSubscribeRepos_Commit {
	return &comatproto.SyncSubscribeRepos_Commit{
		Seq: seq, Repo: "did:plc:alice", Rev: "3mzar4hugm222", Time: when, Commit: util.LexLink(someCID), PrevData: link(),
		Since: ptr("3mzar4hugm222"), Blocks: util.LexBytes("blocks"),
		Ops: []*comatproto.SyncSubscribeRepos_RepoOp{
			{Action: "create", Path: "a.b.c/1", Cid: link()},
			{Action: "delete", Path: "a.b.c/2", Prev: link()},
		},
	}
}

func message(t testing.TB, kind string, body cbg.CBORMarshaler) []byte {
	t.Helper()
	return frame(t, events.EventHeader{Op: events.EvtKindMessage, MsgType: kind}, body)
}

func frame(t testing.TB, header events.EventHeader, body cbg.CBORMarshaler) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := header.MarshalCBOR(&buf); err != nil {
		t.Fatal(err)
	}
	if err := body.MarshalCBOR(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// raw is a body as bytes.
type raw []byte

func (r raw) MarshalCBOR(w io.Writer) error {
	_, err := w.Write(r)
	return err
}

type honest struct {
	name  string
	frame []byte
	did   string
	want  firehose.Event
}

func honestFrames(t testing.TB) []honest {
	t.Helper()
	c := commit(7)
	s := &comatproto.SyncSubscribeRepos_Sync{Seq: 8, Did: "did:plc:bob", Rev: "3mzar4hugm222", Time: when, Blocks: util.LexBytes("blocks")}
	i := &comatproto.SyncSubscribeRepos_Identity{Seq: 9, Did: "did:plc:carol", Time: when, Handle: ptr("carol.test")}
	a := &comatproto.SyncSubscribeRepos_Account{Seq: 10, Did: "did:plc:dave", Time: when, Status: ptr("deleted")}
	o := &comatproto.SyncSubscribeRepos_Info{Name: firehose.OutdatedCursor, Message: ptr("too old")}
	return []honest{
		{"#commit", message(t, "#commit", c), "did:plc:alice", firehose.Event{Seq: 7, Commit: c}},
		{"#sync", message(t, "#sync", s), "did:plc:bob", firehose.Event{Seq: 8, Sync: s}},
		{"#identity", message(t, "#identity", i), "did:plc:carol", firehose.Event{Seq: 9, Identity: i}},
		{"#account", message(t, "#account", a), "did:plc:dave", firehose.Event{Seq: 10, Account: a}},
		{"#info", message(t, "#info", o), "", firehose.Event{Info: o}},
	}
}

func TestParse_ReadsEachKind(t *testing.T) {
	t.Parallel()
	for _, tt := range honestFrames(t) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := firehose.Parse(tt.frame)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, sameLink); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.DID() != tt.did {
				t.Errorf("DID is %q, want %q", got.DID(), tt.did)
			}
		})
	}
}

func TestParse_RefusesEveryTruncation(t *testing.T) {
	t.Parallel()
	for _, tt := range honestFrames(t) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for n := range tt.frame {
				if ev, err := firehose.Parse(tt.frame[:n]); !errors.Is(err, firehose.ErrMalformed) {
					t.Fatalf("%d of %d bytes: got %+v, %v", n, len(tt.frame), ev, err)
				}
			}
		})
	}
}

func TestParse_RefusesWhatIsNoFrame(t *testing.T) {
	t.Parallel()
	header := func(op int64, kind string) []byte {
		return frame(t, events.EventHeader{Op: op, MsgType: kind}, raw(nil))
	}
	negative := commit(-1)
	tests := []struct {
		name  string
		frame []byte
	}{
		{"nothing", nil},
		{"text", []byte(`{"op":1}`)},
		{"zeros", make([]byte, 100)},
		{"an array for a header", []byte{0x80, 0xa0}},
		{"an operation that we do not know", frame(t, events.EventHeader{Op: 2, MsgType: "#commit"}, commit(1))},
		{"operation zero", frame(t, events.EventHeader{Op: 0, MsgType: "#commit"}, commit(1))},
		{"no body", header(1, "#commit")},
		{"no body of an error", header(-1, "")},
		{"a body of another kind", message(t, "#commit", raw{0x01})},
		{"a negative sequence", message(t, "#commit", negative)},
		{"a negative sequence of an account", message(t, "#account", &comatproto.SyncSubscribeRepos_Account{Seq: -5, Did: "did:plc:a", Time: when})},
		{"bytes after the body", append(message(t, "#commit", commit(1)), 0)},
		{"a second body", append(message(t, "#commit", commit(1)), message(t, "#commit", commit(2))...)},
		{"more blocks than fit into memory", message(t, "#commit", raw("\xa1\x66blocks\x5b\x7f\xff\xff\xff\xff\xff\xff\xff"))},
		{"more operations than fit into memory", message(t, "#commit", raw("\xa1\x63ops\x9b\x7f\xff\xff\xff\xff\xff\xff\xff"))},
		{"more fields than fit into memory", message(t, "#commit", raw("\xbb\x7f\xff\xff\xff\xff\xff\xff\xff"))},
		{"endless nesting", message(t, "#commit", raw(append([]byte("\xa1\x64deep"), bytes.Repeat([]byte{0x81}, 1<<20)...)))},
		{"an undefined link", message(t, "#commit", raw("\xa1\x66commit\xd8\x2a\x40"))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ev, err := firehose.Parse(tt.frame)
			if !errors.Is(err, firehose.ErrMalformed) {
				t.Fatalf("got %+v, %v", ev, err)
			}
			if diff := cmp.Diff(firehose.Event{}, ev); diff != "" {
				t.Errorf("something beside the error:\n%s", diff)
			}
		})
	}
}

func TestParse_RefusesMoreBlocksThanTheProtocolAllows(t *testing.T) {
	t.Parallel()
	c := commit(1)
	c.Blocks = make([]byte, 2<<20)
	if _, err := firehose.Parse(message(t, "#commit", c)); err != nil {
		t.Errorf("two megabytes: %v", err)
	}
	grown := bytes.Replace(message(t, "#commit", c), []byte("\x5a\x00\x20\x00\x00"), []byte("\x5a\x00\x20\x00\x01"), 1)
	if _, err := firehose.Parse(grown); !errors.Is(err, firehose.ErrMalformed) {
		t.Errorf("a byte more: got %v", err)
	}
}

func TestParse_PassesOverDeepFieldsThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	c := commit(1)
	plain := message(t, "#commit", c)
	var body bytes.Buffer
	if err := c.MarshalCBOR(&body); err != nil {
		t.Fatal(err)
	}
	// One field more: an array in an array, a hundred thousand times.
	grown := slices.Concat([]byte{body.Bytes()[0] + 1}, []byte("\x64deep"), bytes.Repeat([]byte{0x81}, 100_000), []byte{0x00}, body.Bytes()[1:])
	want, err := firehose.Parse(plain)
	if err != nil {
		t.Fatal(err)
	}
	got, err := firehose.Parse(message(t, "#commit", raw(grown)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, sameLink); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParse_LeavesKindsOfLaterTimesAlone(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"#labels", "", "#Commit", strings.Repeat("x", 1000)} {
		got, err := firehose.Parse(message(t, kind, raw("\xa1\x63new\x01")))
		if err != nil {
			t.Errorf("%q: %v", kind, err)
		}
		if diff := cmp.Diff(firehose.Event{}, got); diff != "" || got.DID() != "" {
			t.Errorf("%q:\n%s", kind, diff)
		}
	}
}

func TestParse_ReturnsAnErrorFrameAsAnError(t *testing.T) {
	t.Parallel()
	sent := frame(t, events.EventHeader{Op: events.EvtKindErrorFrame}, &events.ErrorFrame{Error: firehose.FutureCursor, Message: "wait"})
	_, err := firehose.Parse(sent)
	got, ok := errors.AsType[*firehose.StreamError](err)
	if !ok || errors.Is(err, firehose.ErrMalformed) {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff(&firehose.StreamError{Name: firehose.FutureCursor, Message: "wait"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for n := range sent {
		if _, err := firehose.Parse(sent[:n]); !errors.Is(err, firehose.ErrMalformed) {
			t.Fatalf("%d of %d bytes: got %v", n, len(sent), err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, h := range honestFrames(f) {
		f.Add(h.frame)
	}
	f.Add(frame(f, events.EventHeader{Op: events.EvtKindErrorFrame}, &events.ErrorFrame{Error: firehose.ConsumerTooSlow}))
	f.Add(message(f, "#labels", raw("\xa1\x63new\x01")))
	f.Fuzz(func(t *testing.T, frame []byte) {
		ev, err := firehose.Parse(frame)
		if err != nil {
			if _, ok := errors.AsType[*firehose.StreamError](err); !ok && !errors.Is(err, firehose.ErrMalformed) {
				t.Errorf("an error of no kind: %v", err)
			}
			if ev != (firehose.Event{}) {
				t.Errorf("%+v beside %v", ev, err)
			}
			return
		}
		set := 0
		for _, is := range []bool{ev.Commit != nil, ev.Sync != nil, ev.Identity != nil, ev.Account != nil, ev.Info != nil} {
			if is {
				set++
			}
		}
		if set > 1 || ev.Seq < 0 || set == 0 && (ev.Seq != 0 || ev.DID() != "") {
			t.Errorf("%+v", ev)
		}
	})
}
