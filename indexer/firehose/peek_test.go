package firehose_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/bluesky-social/indigo/events"
	"github.com/bluesky-social/indigo/lex/util"
	"github.com/ipfs/go-cid"
	cbg "github.com/whyrusleeping/cbor-gen"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/indexer/firehose"
)

const (
	wantedCollection = "fund.stratos.feature.proposal"
	trackedDID       = "did:plc:tracked"
	knownDID         = "did:plc:known"
)

func is(want string) func([]byte) bool {
	return func(did []byte) bool { return string(did) == want }
}

func interest() *firehose.Interest {
	return firehose.NewInterest([]syntax.NSID{wantedCollection, "fund.stratos.pledge"}, is(trackedDID), is(knownDID))
}

// ours is what Foreign must never deny, told from the parsed event.
func ours(ev firehose.Event) bool {
	if ev.Commit != nil {
		for _, op := range ev.Commit.Ops {
			collection, _, _ := strings.Cut(op.Path, "/")
			if collection == wantedCollection || collection == "fund.stratos.pledge" {
				return true
			}
		}
	}
	if ev.Identity != nil {
		return ev.DID() == knownDID
	}
	return ev.DID() == trackedDID
}

func timeOf(ev firehose.Event) string {
	switch {
	case ev.Commit != nil:
		return ev.Commit.Time
	case ev.Sync != nil:
		return ev.Sync.Time
	case ev.Identity != nil:
		return ev.Identity.Time
	case ev.Account != nil:
		return ev.Account.Time
	}
	return ""
}

func pathed(paths ...string) *comatproto.SyncSubscribeRepos_Commit {
	c := commit(7)
	c.Ops = nil
	for _, p := range paths {
		c.Ops = append(c.Ops, &comatproto.SyncSubscribeRepos_RepoOp{Action: "create", Path: p, Cid: link()})
	}
	return c
}

func TestForeign_LeavesAsideOnlyWhatNobodyWants(t *testing.T) {
	t.Parallel()
	as := func(did string) *comatproto.SyncSubscribeRepos_Commit {
		c := pathed("a.b.c/1")
		c.Repo = did
		return c
	}
	account := func(did string) *comatproto.SyncSubscribeRepos_Account {
		return &comatproto.SyncSubscribeRepos_Account{Seq: 7, Did: did, Time: when, Active: true}
	}
	identity := func(did string) *comatproto.SyncSubscribeRepos_Identity {
		return &comatproto.SyncSubscribeRepos_Identity{Seq: 7, Did: did, Time: when}
	}
	sync := func(did string) *comatproto.SyncSubscribeRepos_Sync {
		return &comatproto.SyncSubscribeRepos_Sync{Seq: 7, Did: did, Time: when, Rev: "3mzar4hugm222", Blocks: util.LexBytes("x")}
	}
	large := as("did:plc:a")
	large.Blocks = make([]byte, 2<<20)
	blobs := as("did:plc:a")
	blobs.Blobs = []util.LexLink{util.LexLink(cid.MustParse("bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"))}
	first := as("did:plc:a")
	first.Since, first.PrevData = nil, nil
	many := as("did:plc:a")
	for range 200 {
		many.Ops = append(many.Ops, many.Ops[0])
	}

	tests := []struct {
		name  string
		frame []byte
		want  bool
	}{
		{"somebody's commit", message(t, "#commit", as("did:plc:a")), true},
		{"a commit without operations", message(t, "#commit", pathed()), true},
		{"a large commit", message(t, "#commit", large), true},
		{"a commit with blobs", message(t, "#commit", blobs), true},
		{"a first commit", message(t, "#commit", first), true},
		{"a commit of many operations", message(t, "#commit", many), true},
		{"a commit that deletes", message(t, "#commit", commit(7)), true},
		{"a collection that begins like ours", message(t, "#commit", pathed(wantedCollection+"s/1")), true},
		{"a collection that is a part of ours", message(t, "#commit", pathed("fund.stratos/1")), true},
		{"a key like our collection", message(t, "#commit", pathed("a.b.c/"+wantedCollection)), true},
		{"somebody's sync", message(t, "#sync", sync("did:plc:a")), true},
		{"somebody's account", message(t, "#account", account("did:plc:a")), true},
		{"somebody's identity", message(t, "#identity", identity("did:plc:a")), true},
		{"the account of one who is only known", message(t, "#account", account(knownDID)), true},
		{"the identity of one who is only tracked", message(t, "#identity", identity(trackedDID)), true},

		{"our collection", message(t, "#commit", pathed(wantedCollection+"/1")), false},
		{"our collection at the end", message(t, "#commit", pathed("a.b.c/1", "a.b.c/2", "fund.stratos.pledge/1")), false},
		{"our collection without a key", message(t, "#commit", pathed(wantedCollection)), false},
		{"a tracked commit", message(t, "#commit", as(trackedDID)), false},
		{"a tracked sync", message(t, "#sync", sync(trackedDID)), false},
		{"a tracked account", message(t, "#account", account(trackedDID)), false},
		{"a known identity", message(t, "#identity", identity(knownDID)), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			seq, at, got := interest().Foreign(tt.frame)
			if got != tt.want {
				t.Errorf("foreign: %v, want %v", got, tt.want)
			}
			if got && (seq != 7 || string(at) != when) {
				t.Errorf("got sequence %d, time %q", seq, at)
			}
			if !got && (seq != 0 || at != nil) {
				t.Errorf("not foreign, and yet %d, %q", seq, at)
			}
		})
	}
}

// field is a pair of a map, as bytes.
func field(key string, value ...byte) []byte {
	return slices.Concat(text(key), value)
}

func text(s string) []byte {
	if len(s) > 23 {
		return slices.Concat([]byte{0x78, byte(len(s))}, []byte(s))
	}
	return slices.Concat([]byte{0x60 | byte(len(s))}, []byte(s))
}

func object(pairs ...[]byte) []byte {
	return slices.Concat([]byte{0xa0 | byte(len(pairs))}, slices.Concat(pairs...))
}

func array(items ...[]byte) []byte {
	return slices.Concat([]byte{0x80 | byte(len(items))}, slices.Concat(items...))
}

var (
	commitHeader = object(field("t", text("#commit")...), field("op", 1))
	foreignOp    = object(field("path", text("a.b.c/1")...), field("action", text("create")...))
	oursOp       = object(field("path", text(wantedCollection+"/1")...), field("action", text("create")...))

	fieldSeq  = field("seq", 7)
	fieldTime = field("time", text(when)...)
	fieldRepo = field("repo", text("did:plc:a")...)
	fieldOps  = field("ops", array(foreignOp)...)
)

// body is a commit with the needed fields and some more.
func body(more ...[]byte) []byte {
	return object(append([][]byte{fieldSeq, fieldTime, fieldRepo, fieldOps}, more...)...)
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func TestForeign_TakesFieldsInAnyOrderAndUnknownOnes(t *testing.T) {
	t.Parallel()
	sha := strings.Repeat("00", 32)
	tests := []struct {
		name string
		body []byte
	}{
		{"only what is needed", body()},
		{"another order", object(fieldOps, fieldRepo, fieldTime, fieldSeq)},
		{"the DID that other kinds have", body(field("did", text(trackedDID)...))},
		{"a number", body(field("new", unhex("1bffffffffffffffff")...))},
		{"a float", body(field("new", unhex("fb3ff0000000000000")...))},
		{"a null", body(field("since", 0xf6), field("prevData", 0xf6))},
		{"an object like ours", body(field("new", object(fieldRepo, field("ops", array(oursOp)...), field("repo", text(trackedDID)...))...))},
		{"a link", body(field("new", unhex("d82a58250001711220"+sha)...))},
		{"links in arrays", body(field("new", array(unhex("d82a58250001711220"+sha), unhex("d82a58250001551220"+sha))...))},
		{"depth", body(field("new", append(bytes.Repeat([]byte{0x81}, 100_000), 0)...))},
		{"an operation's new field", object(fieldSeq, fieldTime, fieldRepo, field("ops", array(object(field("path", text("a.b.c/1")...), field("paths", array(text(wantedCollection+"/1"))...)))...))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			frame := slices.Concat(commitHeader, tt.body)
			if _, err := firehose.Parse(frame); err != nil {
				t.Fatalf("the decoder does not take it: %v", err)
			}
			if seq, at, foreign := interest().Foreign(frame); seq != 7 || string(at) != when || !foreign {
				t.Errorf("got %d, %q, %v", seq, at, foreign)
			}
		})
	}
}

func TestForeign_LeavesEveryDoubtToParse(t *testing.T) {
	t.Parallel()
	big, rebase, negative, zero := commit(1), commit(1), commit(-1), commit(0)
	big.TooBig, rebase.Rebase = true, true
	odd := commit(1)
	odd.Commit = util.LexLink(cid.MustParse("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"))
	account := &comatproto.SyncSubscribeRepos_Account{Seq: 1, Did: "did:plc:a", Time: when}
	sha := strings.Repeat("00", 32)
	withOps := func(ops ...[]byte) []byte {
		return object(fieldSeq, fieldTime, fieldRepo, field("ops", array(ops...)...))
	}
	commitOf := func(body []byte) []byte { return slices.Concat(commitHeader, body) }

	tests := []struct {
		name  string
		frame []byte
	}{
		{"nothing", nil},
		{"zeros", make([]byte, 100)},
		{"an error", frame(t, events.EventHeader{Op: events.EvtKindErrorFrame}, &events.ErrorFrame{Error: firehose.FutureCursor})},
		{"an error that calls itself a commit", frame(t, events.EventHeader{Op: events.EvtKindErrorFrame, MsgType: "#commit"}, commit(1))},
		{"info", message(t, "#info", &comatproto.SyncSubscribeRepos_Info{Name: firehose.OutdatedCursor})},
		{"a kind of later times", message(t, "#labels", account)},
		{"an op that we do not know", frame(t, events.EventHeader{Op: 2, MsgType: "#commit"}, commit(1))},
		{"a large op", slices.Concat(object(field("t", text("#commit")...), field("op", unhex("1b8000000000000001")...)), body())},
		{"a header with another field", slices.Concat(object(field("t", text("#commit")...), field("op", 1), field("x", 1)), body())},
		{"a header with two kinds", slices.Concat(object(field("t", text("#sync")...), field("op", 1), field("t", text("#commit")...)), body())},
		{"a header with two ops", slices.Concat(object(field("op", 1), field("op", 1)), body())},

		{"operations left out", message(t, "#commit", big)},
		{"a rebase", message(t, "#commit", rebase)},
		{"a negative sequence", message(t, "#commit", negative)},
		{"no place in the sequence", message(t, "#commit", zero)},
		{"a CID that is not atproto's", message(t, "#commit", odd)},
		{"bytes after the body", append(message(t, "#commit", commit(1)), 0)},
		{"a second body", append(message(t, "#commit", commit(1)), message(t, "#commit", commit(2))...)},

		{"no sequence", commitOf(object(fieldTime, fieldRepo, fieldOps))},
		{"no time", commitOf(object(fieldSeq, fieldRepo, fieldOps))},
		{"no repo", commitOf(object(fieldSeq, fieldTime, fieldOps))},
		{"an empty repo", commitOf(object(fieldSeq, fieldTime, fieldOps, field("repo", 0x60)))},
		{"no operations", commitOf(object(fieldSeq, fieldTime, fieldRepo))},
		{"a DID for a repo", commitOf(object(fieldSeq, fieldTime, fieldOps, field("did", text("did:plc:a")...)))},
		{"an operation that is null", commitOf(withOps([]byte{0xf6}))},
		{"an operation without a path", commitOf(withOps(object(field("action", text("create")...))))},
		{"an operation with two paths", commitOf(withOps(object(field("path", text("a.b.c/1")...), field("path", text("a.b.c/1")...))))},
		{"our path behind another", commitOf(withOps(object(field("path", text("a.b.c/1")...), field("path", text(wantedCollection+"/1")...))))},
		{"our path before another", commitOf(withOps(object(field("path", text(wantedCollection+"/1")...), field("path", text("a.b.c/1")...))))},
		{"two repos", commitOf(body(field("repo", text(trackedDID)...)))},
		{"two sequences", commitOf(body(fieldSeq))},
		{"two lists of operations", commitOf(body(field("ops", array(oursOp)...)))},
		{"two blocks", commitOf(body(field("blocks", 0x41, 0), field("blocks", 0x40)))},

		{"a sequence as text", commitOf(object(fieldTime, fieldRepo, fieldOps, field("seq", text("7")...)))},
		{"a sequence that is too large", commitOf(object(fieldTime, fieldRepo, fieldOps, field("seq", unhex("1bffffffffffffffff")...)))},
		{"a sequence in a longer form", commitOf(object(fieldTime, fieldRepo, fieldOps, field("seq", 0x18, 7)))},
		{"operations without end", commitOf(object(fieldSeq, fieldTime, fieldRepo, slices.Concat(text("ops"), []byte{0x9f}, foreignOp, []byte{0xff})))},
		{"a text without end", commitOf(body(field("rev", 0x7f, 0x61, 'a', 0xff)))},
		{"a body without end", commitOf(slices.Concat([]byte{0xbf}, fieldSeq, fieldTime, fieldRepo, fieldOps, []byte{0xff}))},
		{"a key that is bytes", commitOf(body([]byte{0x41, 'x', 0}))},
		{"a bool that is a number", commitOf(body(field("tooBig", 0)))},
		{"a bool that is null", commitOf(body(field("tooBig", 0xf6)))},
		{"blocks as text", commitOf(body(field("blocks", text("x")...)))},
		{"blobs that are none", commitOf(body(field("blobs", array(text("x"))...)))},
		{"an unknown tag", commitOf(body(field("new", 0xc1, 0)))},
		{"a link of version 0", commitOf(body(field("new", unhex("d82a 5823 00 1220"+sha)...)))},
		{"a link that is cut", commitOf(body(field("new", unhex("d82a58250001711220")...)))},
		{"more items than bytes", commitOf(body(field("new", unhex("9b7fffffffffffffff")...)))},
		{"more pairs than can be counted", commitOf(body(field("new", unhex("bbffffffffffffffff")...)))},
		{"more blocks than bytes", commitOf(body(field("blocks", unhex("5a00200000")...)))},
		{"more blocks than allowed", commitOf(body(field("blocks", append(unhex("5a00200001"), make([]byte, 2<<20+1)...)...)))},
		{"more operations than allowed", commitOf(object(fieldSeq, fieldTime, fieldRepo, field("ops", slices.Concat([]byte{0x99, 0x20, 0x01}, bytes.Repeat(foreignOp, 8193))...)))},
		{"a key that is too long", commitOf(body(slices.Concat(binary.BigEndian.AppendUint32([]byte{0x7a}, 1_000_001), make([]byte, 1_000_001), []byte{0})))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if seq, at, foreign := interest().Foreign(tt.frame); seq != 0 || at != nil || foreign {
				t.Errorf("got %d, %q, %v", seq, at, foreign)
			}
		})
	}
}

func TestForeign_LeavesEveryTruncationToParse(t *testing.T) {
	t.Parallel()
	for _, h := range honestFrames(t) {
		for n := range h.frame {
			if _, _, foreign := interest().Foreign(h.frame[:n]); foreign {
				t.Errorf("%s: %d of %d bytes are foreign", h.name, n, len(h.frame))
			}
		}
	}
}

func TestForeign_AllocatesNothing(t *testing.T) {
	i := interest()
	for _, h := range append(honestFrames(t), honest{name: "ours", frame: message(t, "#commit", pathed(wantedCollection+"/1"))}) {
		if n := testing.AllocsPerRun(100, func() { i.Foreign(h.frame) }); n > 0 {
			t.Errorf("%s: %v allocations", h.name, n)
		}
	}
}

// Of what an honest upstream sends, all that is not ours is left aside, and
// nothing else.
func TestForeign_AgreesWithParse(t *testing.T) {
	t.Parallel()
	i := interest()
	rapid.Check(t, func(rt *rapid.T) {
		did := rapid.SampledFrom([]string{"did:plc:a", "did:web:a.example", trackedDID, knownDID}).Draw(rt, "did")
		seq := rapid.Int64Min(1).Draw(rt, "seq")
		path := rapid.Custom(func(t *rapid.T) string {
			return rapid.SampledFrom([]string{"a.b.c", "fund.stratos", "app.bsky.feed.like", "app.bsky.feed.post", wantedCollection}).Draw(t, "collection") +
				"/" + rapid.StringMatching(`[a-z0-9]{0,30}`).Draw(t, "key")
		})
		maybe := func(name string) *util.LexLink {
			if rapid.Bool().Draw(rt, name) {
				return link()
			}
			return nil
		}
		var kind string
		var body cbg.CBORMarshaler
		switch kind = rapid.SampledFrom([]string{"#commit", "#sync", "#identity", "#account"}).Draw(rt, "kind"); kind {
		case "#commit":
			c := commit(seq)
			c.Repo, c.Ops, c.PrevData = did, nil, maybe("prevData")
			c.Blocks = make([]byte, rapid.IntRange(0, 70_000).Draw(rt, "blocks"))
			for _, p := range rapid.SliceOfN(path, 0, 30).Draw(rt, "paths") {
				c.Ops = append(c.Ops, &comatproto.SyncSubscribeRepos_RepoOp{Action: "update", Path: p, Cid: maybe("cid"), Prev: maybe("prev")})
			}
			body = c
		case "#sync":
			body = &comatproto.SyncSubscribeRepos_Sync{Seq: seq, Did: did, Time: when}
		case "#identity":
			body = &comatproto.SyncSubscribeRepos_Identity{Seq: seq, Did: did, Time: when, Handle: ptr("a.example")}
		case "#account":
			body = &comatproto.SyncSubscribeRepos_Account{Seq: seq, Did: did, Time: when}
		}
		frame := message(t, kind, body)
		ev, err := firehose.Parse(frame)
		if err != nil {
			rt.Fatal(err)
		}
		gotSeq, at, foreign := i.Foreign(frame)
		if foreign == ours(ev) || foreign && (gotSeq != seq || string(at) != when) {
			rt.Fatalf("got %d, %q, %v of %+v", gotSeq, at, foreign, ev)
		}
	})
}

// FuzzForeign holds the skipper against indigo's decoder. Beside the frame as it
// comes it tries one with the fields of its body moved, repeated and dropped,
// which a fuzzer of bytes seldom finds.
func FuzzForeign(f *testing.F) {
	for _, h := range honestFrames(f) {
		f.Add(h.frame, uint64(0))
		f.Add(h.frame, uint64(1))
	}
	for _, paths := range [][]string{{wantedCollection + "/1"}, {"a.b.c/1", "fund.stratos.pledge/1"}, {"a.b.c/1"}, nil} {
		f.Add(message(f, "#commit", pathed(paths...)), uint64(2))
	}
	f.Add(slices.Concat(commitHeader, body(field("ops", array(oursOp)...))), uint64(3))
	f.Add(slices.Concat(commitHeader, body(field("repo", text(trackedDID)...))), uint64(4))
	f.Add(slices.Concat(commitHeader, body(field("new", object(fieldRepo, fieldOps)...))), uint64(5))
	f.Add(slices.Concat(commitHeader, body(field("blocks", 0x41, 0), field("blocks", 0x40), field("new", unhex("fb3ff0000000000000")...))), uint64(6))
	f.Add(frame(f, events.EventHeader{Op: events.EvtKindErrorFrame}, &events.ErrorFrame{Error: firehose.ConsumerTooSlow}), uint64(0))
	i := interest()
	f.Fuzz(func(t *testing.T, frame []byte, seed uint64) {
		holdAgainstParse(t, i, frame)
		if seed != 0 {
			holdAgainstParse(t, i, shuffled(frame, rand.New(rand.NewPCG(seed, 0))))
		}
	})
}

func holdAgainstParse(t *testing.T, i *firehose.Interest, frame []byte) {
	t.Helper()
	before := bytes.Clone(frame)
	seq, at, foreign := i.Foreign(frame)
	if !bytes.Equal(before, frame) {
		t.Fatal("the frame was written to")
	}
	if !foreign {
		return
	}
	ev, err := firehose.Parse(frame)
	if err != nil {
		t.Fatalf("foreign, and yet: %v", err)
	}
	if ev.Seq != seq || timeOf(ev) != string(at) || ours(ev) {
		t.Fatalf("foreign with sequence %d and time %q is %+v", seq, at, ev)
	}
}

// shuffled moves, repeats and drops fields of a frame's body, and adds some of
// ours. It returns the frame itself when that is none.
func shuffled(frame []byte, rng *rand.Rand) []byte {
	header := itemLength(frame)
	if header == 0 || header == len(frame) || frame[header]>>5 != 5 || frame[header]&0x1f > 20 {
		return frame
	}
	n, rest := frame[header]&0x1f, frame[header+1:]
	var pairs [][]byte
	for range n {
		key := itemLength(rest)
		value := itemLength(rest[key:])
		if key == 0 || value == 0 {
			return frame
		}
		pairs = append(pairs, rest[:key+value])
		rest = rest[key+value:]
	}
	for range rng.IntN(3) {
		at := rng.IntN(len(pairs) + 1)
		switch rng.IntN(4) {
		case 0:
			pairs = append(pairs, field("repo", text(trackedDID)...))
		case 1:
			pairs = append(pairs, field("ops", array(oursOp)...))
		case 2:
			pairs = append(pairs, pairs[at:min(at+1, len(pairs))]...)
		case 3:
			pairs = slices.Delete(pairs, at, min(at+1, len(pairs)))
		}
	}
	rng.Shuffle(len(pairs), func(a, b int) { pairs[a], pairs[b] = pairs[b], pairs[a] })
	return slices.Concat(frame[:header], object(pairs...), rest)
}

// itemLength is the length of the first item, by indigo's reader; 0 for none.
func itemLength(data []byte) int {
	r := bytes.NewReader(data)
	if cbg.ScanForLinks(r, func(cid.Cid) {}) != nil {
		return 0
	}
	return len(data) - r.Len()
}
