package firehose

import (
	"bytes"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Interest is what a subscriber wants of the stream. It may be shared, as far as
// its predicates may.
type Interest struct {
	collections map[string]struct{}
	tracked     func(did []byte) bool
	known       func(did []byte) bool
}

// NewInterest makes the interest of somebody who wants commits to collections,
// whoever makes them; commits, syncs and account events of tracked accounts; and
// identity events of known ones. The predicates must not keep the bytes.
func NewInterest(collections []syntax.NSID, tracked, known func(did []byte) bool) *Interest {
	i := &Interest{collections: make(map[string]struct{}, len(collections)), tracked: tracked, known: known}
	for _, c := range collections {
		i.collections[c.String()] = struct{}{}
	}
	return i
}

// Foreign reports whether a frame can be left aside without parsing it. Then
// [Parse] would have succeeded with an event of this seq and this time, in which
// nothing is of interest; at points into the frame. It allocates nothing, copies
// nothing, and takes time linear in the frame but for its blocks, which it jumps
// over.
//
// In every doubt the answer is false, and Parse decides: malformed frames, error
// frames, #info, kinds that we do not know, and whatever an honest upstream does
// not send although indigo's decoder would take it, such as a field that comes
// twice, a field that is missing, or a CID that is no SHA-256 of a block or blob.
// So are commits that say of themselves that operations are left out (tooBig)
// or that they are no commit at all (rebase).
func (i *Interest) Foreign(frame []byte) (seq int64, at []byte, foreign bool) {
	p := peeker{rest: frame}
	kind := p.kind()
	m := p.message(kind, i)
	if p.doubt || len(p.rest) > 0 {
		return 0, nil, false
	}
	wants := i.tracked
	if kind == kindIdentity {
		wants = i.known
	}
	if wants(m.did) {
		return 0, nil, false
	}
	return m.seq, m.at, true
}

// wants reports whether a path is in a collection of interest.
func (i *Interest) wants(path []byte) bool {
	if slash := bytes.IndexByte(path, '/'); slash >= 0 {
		path = path[:slash]
	}
	_, ok := i.collections[string(path)]
	return ok
}

// What indigo's decoder takes at most.
const (
	maxItems  = 8192      // of an array, and pairs of a map
	maxText   = 1_000_000 // bytes
	maxBlocks = 2 << 20   // bytes
)

// fields is a set of the fields of messages.
type fields uint32

const (
	fieldSeq fields = 1 << iota
	fieldTime
	fieldDID
	fieldRepo
	fieldOps
	fieldRev
	fieldSince
	fieldBlocks
	fieldBlobs
	fieldCommit
	fieldPrevData
	fieldRebase
	fieldTooBig
	fieldActive
	fieldStatus
	fieldHandle
)

// kind is a kind of message: the fields that the decoder knows of it (others it
// passes over, whatever they are) and those without which we do not judge it.
type kind struct{ known, needed fields }

var (
	kindCommit = kind{
		known: fieldSeq | fieldTime | fieldRepo | fieldOps | fieldRev | fieldSince | fieldBlocks |
			fieldBlobs | fieldCommit | fieldPrevData | fieldRebase | fieldTooBig,
		needed: fieldSeq | fieldTime | fieldRepo | fieldOps,
	}
	kindSync = kind{
		known:  fieldSeq | fieldTime | fieldDID | fieldRev | fieldBlocks,
		needed: fieldSeq | fieldTime | fieldDID,
	}
	kindIdentity = kind{
		known:  fieldSeq | fieldTime | fieldDID | fieldHandle,
		needed: fieldSeq | fieldTime | fieldDID,
	}
	kindAccount = kind{
		known:  fieldSeq | fieldTime | fieldDID | fieldActive | fieldStatus,
		needed: fieldSeq | fieldTime | fieldDID,
	}
)

func fieldOf(key []byte) fields {
	switch string(key) {
	case "seq":
		return fieldSeq
	case "time":
		return fieldTime
	case "did":
		return fieldDID
	case "repo":
		return fieldRepo
	case "ops":
		return fieldOps
	case "rev":
		return fieldRev
	case "since":
		return fieldSince
	case "blocks":
		return fieldBlocks
	case "blobs":
		return fieldBlobs
	case "commit":
		return fieldCommit
	case "prevData":
		return fieldPrevData
	case "rebase":
		return fieldRebase
	case "tooBig":
		return fieldTooBig
	case "active":
		return fieldActive
	case "status":
		return fieldStatus
	case "handle":
		return fieldHandle
	}
	return 0
}

// The major types of CBOR.
const (
	majorUnsigned = iota
	majorNegative
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorOther
)

const cborNull = 0xf6

// peeker reads CBOR off the front of rest. The first thing that it does not
// understand leaves it in doubt for good, with nothing more to read: then all
// values are zero, and every loop over them ends.
type peeker struct {
	rest  []byte
	doubt bool
}

func (p *peeker) giveUp() { p.rest, p.doubt = nil, true }

// kind reads the header of a frame.
func (p *peeker) kind() kind {
	var name []byte
	var op uint64
	if p.items(majorMap) != 2 {
		p.giveUp()
	}
	for range 2 {
		switch string(p.text()) {
		case "t":
			name = p.text()
		case "op":
			op = p.unsigned()
		default:
			p.giveUp()
		}
	}
	// Two keys, and a value of each: none came twice.
	if op == 1 {
		switch string(name) {
		case "#commit":
			return kindCommit
		case "#sync":
			return kindSync
		case "#identity":
			return kindIdentity
		case "#account":
			return kindAccount
		}
	}
	p.giveUp()
	return kind{}
}

// message is what a body says that matters for leaving it aside.
type message struct {
	seq     int64
	did, at []byte
}

// message reads the body of a frame. It is in doubt when a path is wanted.
func (p *peeker) message(k kind, i *Interest) message {
	var m message
	var seen fields
	for range p.items(majorMap) {
		f := fieldOf(p.text()) & k.known
		if seen&f != 0 {
			p.giveUp()
		}
		seen |= f
		switch f {
		case fieldSeq:
			m.seq = int64(p.unsigned())
		case fieldTime:
			m.at = p.text()
		case fieldDID, fieldRepo:
			m.did = p.text()
		case fieldOps:
			for range p.items(majorArray) {
				p.op(i)
			}
		case fieldRev:
			p.text()
		case fieldSince, fieldStatus, fieldHandle:
			if !p.null() {
				p.text()
			}
		case fieldBlocks:
			p.string(majorBytes, maxBlocks)
		case fieldBlobs:
			for range p.items(majorArray) {
				p.link()
			}
		case fieldCommit:
			p.link()
		case fieldPrevData:
			if !p.null() {
				p.link()
			}
		case fieldRebase, fieldTooBig:
			if p.boolean() {
				p.giveUp()
			}
		case fieldActive:
			p.boolean()
		default:
			p.skip()
		}
	}
	// Events without a place in the sequence, or about nobody, are odd.
	if seen&k.needed != k.needed || m.seq <= 0 || len(m.did) == 0 {
		p.giveUp()
	}
	return m
}

// op reads an operation of a commit. It is in doubt when its path is wanted.
func (p *peeker) op(i *Interest) {
	const path, action, cid, prev = 1, 2, 4, 8
	seen := 0
	once := func(f int) bool { fresh := seen&f == 0; seen |= f; return fresh }
	for range p.items(majorMap) {
		ok := true
		switch string(p.text()) {
		case "path":
			ok = once(path) && !i.wants(p.text())
		case "action":
			ok = once(action)
			p.text()
		case "cid":
			ok = once(cid)
			if !p.null() {
				p.link()
			}
		case "prev":
			ok = once(prev)
			if !p.null() {
				p.link()
			}
		default:
			p.skip()
		}
		if !ok {
			p.giveUp()
		}
	}
	if seen&path == 0 {
		p.giveUp()
	}
}

// head reads the head of an item: its major type, and its value or length. Only
// the shortest form of a number is understood, as by the decoder.
func (p *peeker) head() (major byte, n uint64) {
	if len(p.rest) == 0 {
		p.giveUp()
		return 0, 0
	}
	major, low := p.rest[0]>>5, p.rest[0]&0x1f
	if low < 24 {
		p.rest = p.rest[1:]
		return major, uint64(low)
	}
	if low > 27 { // reserved, or of indefinite length
		p.giveUp()
		return 0, 0
	}
	width := 1 << (low - 24)
	if len(p.rest) < 1+width {
		p.giveUp()
		return 0, 0
	}
	for _, b := range p.rest[1 : 1+width] {
		n = n<<8 | uint64(b)
	}
	if least := [...]uint64{24, 1 << 8, 1 << 16, 1 << 32}[low-24]; n < least {
		p.giveUp()
		return 0, 0
	}
	p.rest = p.rest[1+width:]
	return major, n
}

// expect reads the head of an item that must be of a type, with a number that
// must not be above most.
func (p *peeker) expect(major byte, most uint64) uint64 {
	got, n := p.head()
	if got != major || n > most {
		p.giveUp()
		return 0
	}
	return n
}

// items reads the head of an array or map. There are as many bytes as items, at
// least: a length that lies does not make us work for nothing.
func (p *peeker) items(major byte) uint64 {
	n := p.expect(major, maxItems)
	if n > uint64(len(p.rest)) {
		p.giveUp()
		return 0
	}
	return n
}

// string reads a text or byte string. It points into the frame.
func (p *peeker) string(major byte, most uint64) []byte {
	n := p.expect(major, most)
	if n > uint64(len(p.rest)) {
		p.giveUp()
		return nil
	}
	s := p.rest[:n]
	p.rest = p.rest[n:]
	return s
}

// text reads a text, most of which are short.
func (p *peeker) text() []byte {
	if len(p.rest) > 0 {
		if n := int(p.rest[0]) - majorText<<5; n >= 0 && n < 24 && n < len(p.rest) {
			s := p.rest[1 : 1+n]
			p.rest = p.rest[1+n:]
			return s
		}
	}
	return p.string(majorText, maxText)
}

func (p *peeker) unsigned() uint64 { return p.expect(majorUnsigned, 1<<63-1) }

func (p *peeker) boolean() bool {
	n := p.expect(majorOther, 21)
	if n < 20 {
		p.giveUp()
	}
	return n == 21
}

// null reads a null, if one comes.
func (p *peeker) null() bool {
	if len(p.rest) == 0 || p.rest[0] != cborNull {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// link reads a CID of the only form that atproto has: version 1, SHA-256, of a
// block or a blob.
func (p *peeker) link() {
	const length = 9 + 32
	if len(p.rest) < length {
		p.giveUp()
		return
	}
	//                       tag 42, 37 bytes, binary, version 1, codec, SHA-256 of 32 bytes
	const block = "\xd8\x2a" + "\x58\x25" + "\x00" + "\x01" + "\x71" + "\x12\x20"
	const blob = "\xd8\x2a" + "\x58\x25" + "\x00" + "\x01" + "\x55" + "\x12\x20"
	switch string(p.rest[:9]) {
	case block, blob:
		p.rest = p.rest[length:]
	default:
		p.giveUp()
	}
}

// skip passes over an item and all that is in it, however deep.
func (p *peeker) skip() {
	for left := uint64(1); left > 0; left-- {
		if len(p.rest) > 0 && p.rest[0]>>5 == majorTag {
			p.link()
			continue
		}
		major, n := p.head()
		switch major {
		case majorBytes, majorText:
			if n > uint64(len(p.rest)) {
				p.giveUp()
				return
			}
			p.rest = p.rest[n:]
		case majorArray, majorMap:
			if n > uint64(len(p.rest)) {
				p.giveUp()
				return
			}
			left += n
			if major == majorMap {
				left += n
			}
		}
		if p.doubt || left-1 > uint64(len(p.rest)) { // each takes a byte at least
			p.giveUp()
			return
		}
	}
}
