package lexicons

import (
	"math"
	"unicode/utf8"

	"github.com/bluesky-social/indigo/atproto/atdata"
)

// decodePlain decodes what nearly all records are: maps, arrays, texts, integers,
// booleans and nulls, in canonical form. In every doubt ok is false, and
// decodeCBOR finds out in three passes what this does in one: links, bytes and
// blobs, whatever stands for them, deep nesting, and all that is wrong.
func decodePlain(b []byte) (data map[string]any, ok bool) {
	p := plain{rest: b}
	data, _ = p.value(deepestPlain).(map[string]any)
	return data, data != nil && !p.doubt && len(p.rest) == 0
}

// deepestPlain is how many levels of containers are plain. Ours have four.
const deepestPlain = 8

// plain reads CBOR off the front of rest. Once in doubt, it has nothing more to
// read, and what it returns means nothing.
type plain struct {
	rest  []byte
	doubt bool
}

func (p *plain) giveUp() { p.rest, p.doubt = nil, true }

// The major types of CBOR that can be plain.
const (
	majorUnsigned = 0
	majorNegative = 1
	majorText     = 3
	majorArray    = 4
	majorMap      = 5
	majorSimple   = 7
)

// head reads the head of an item in its shortest form.
func (p *plain) head() (major byte, n uint64) {
	if len(p.rest) == 0 {
		p.giveUp()
		return 0, 0
	}
	major, low := p.rest[0]>>5, p.rest[0]&0x1f
	p.rest = p.rest[1:]
	if low < 24 {
		return major, uint64(low)
	}
	width := 1 << (low - 24)
	if low > 27 || major == majorSimple || len(p.rest) < width {
		p.giveUp()
		return 0, 0
	}
	for _, b := range p.rest[:width] {
		n = n<<8 | uint64(b)
	}
	if least := [...]uint64{24, 1 << 8, 1 << 16, 1 << 32}[low-24]; n < least {
		p.giveUp()
		return 0, 0
	}
	p.rest = p.rest[width:]
	return major, n
}

// value reads an item, with so many more levels of containers in it.
func (p *plain) value(levels int) any {
	major, n := p.head()
	switch {
	case major == majorUnsigned && n <= math.MaxInt64:
		return int64(n)
	case major == majorNegative && n <= math.MaxInt64:
		return -1 - int64(n)
	case major == majorText:
		return p.text(n, atdata.MAX_RECORD_STRING_LEN)
	case major == majorArray && levels > 0:
		return p.array(n, levels-1)
	case major == majorMap && levels > 0:
		return p.object(n, levels-1)
	case major == majorSimple && n == 20:
		return false
	case major == majorSimple && n == 21:
		return true
	case major == majorSimple && n == 22:
		return nil
	}
	p.giveUp()
	return nil
}

func (p *plain) text(n, most uint64) string {
	if n > most || n > uint64(len(p.rest)) || !utf8.Valid(p.rest[:n]) {
		p.giveUp()
		return ""
	}
	s := string(p.rest[:n])
	p.rest = p.rest[n:]
	return s
}

// believed is for how many items memory is taken before they are read.
const believed = 32

// fits reports whether n items can follow: each takes a byte at least.
func (p *plain) fits(n uint64) bool {
	if n > atdata.MAX_CBOR_CONTAINER_LEN || n > uint64(len(p.rest)) {
		p.giveUp()
		return false
	}
	return true
}

func (p *plain) array(n uint64, levels int) []any {
	if !p.fits(n) {
		return nil
	}
	out := make([]any, 0, min(n, believed))
	for range n {
		if p.doubt {
			return nil
		}
		out = append(out, p.value(levels))
	}
	return out
}

func (p *plain) object(n uint64, levels int) map[string]any {
	if !p.fits(n) {
		return nil
	}
	out := make(map[string]any, min(n, believed))
	before := ""
	for i := range n {
		major, length := p.head()
		key := p.text(length, atdata.MAX_OBJECT_KEY_LEN)
		// Shorter keys come first, and none comes twice.
		inOrder := i == 0 || len(before) < len(key) || len(before) == len(key) && before < key
		if major != majorText || !inOrder || !isPlainKey(key) {
			p.giveUp()
			return nil
		}
		value := p.value(levels)
		if name, isText := value.(string); key == "$type" && (!isText || name == "" || name == "blob") {
			p.giveUp()
			return nil
		}
		out[key], before = value, key
	}
	return out
}

// isPlainKey excludes what may make something else of a map: a link, bytes, or a
// blob of the old kind.
func isPlainKey(key string) bool {
	return key == "$type" || key != "mimeType" && (key == "" || key[0] != '$')
}
