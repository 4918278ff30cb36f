package gitfetch

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// packObject is one object of a pack that a test writes by hand.
type packObject struct {
	kind    plumbing.ObjectType
	length  int // that the header names; -1: the true one
	base    []byte
	content []byte
}

// writePack writes a pack as git does, whatever its objects say.
func writePack(t testing.TB, objects ...packObject) []byte {
	t.Helper()
	b := bytes.NewBufferString("PACK")
	b.Write(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 2), uint32(len(objects))))
	for _, o := range objects {
		n := o.length
		if n < 0 {
			n = len(o.content)
		}
		head := byte(o.kind)<<4 | byte(n&15)
		for n >>= 4; n > 0; n >>= 7 {
			b.WriteByte(head | 0x80)
			head = byte(n & 0x7f)
		}
		b.WriteByte(head)
		b.Write(o.base)
		z := zlib.NewWriter(b)
		if _, err := z.Write(o.content); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha1.Sum(b.Bytes())
	return append(b.Bytes(), sum[:]...)
}

// copies is a delta that says how long its base and its target are.
func copies(base, target uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, base), target)
}

func small() Limits { return Limits{Objects: 8, Object: 1 << 10, Chain: 1 << 10, Unpacked: 1 << 10} }

func TestUnpack_RefusesWhatWouldFillTheMemory(t *testing.T) {
	t.Parallel()
	blob := packObject{plumbing.BlobObject, -1, nil, []byte("hello")}
	back := []byte{byte(len(writePack(t, blob)) - sha1.Size - len("PACK") - 8)} // to the object before
	for name, c := range map[string]struct {
		pack   []byte
		reason string
	}{
		"a length that is a lie":          {writePack(t, packObject{plumbing.BlobObject, 1 << 40, nil, []byte("hello")}), "unpacks to over"},
		"more than its length":            {writePack(t, packObject{plumbing.BlobObject, 3, nil, []byte(strings.Repeat("x", 1<<20))}), "cannot be read"},
		"zeros":                           {writePack(t, packObject{plumbing.BlobObject, -1, nil, make([]byte, 1<<11)}), "unpacks to over"},
		"many that are small":             {writePack(t, blob, packObject{plumbing.BlobObject, -1, nil, make([]byte, 600)}, packObject{plumbing.BlobObject, -1, nil, make([]byte, 600)}), "unpacks to over"},
		"a delta that makes much":         {writePack(t, blob, packObject{plumbing.OFSDeltaObject, -1, back, copies(5, 1<<30)}), "unpacks to over"},
		"a delta that makes too much":     {writePack(t, blob, packObject{plumbing.OFSDeltaObject, -1, back, copies(5, 1<<63)}), "unpacks to over"},
		"a delta without an end":          {writePack(t, blob, packObject{plumbing.OFSDeltaObject, -1, back, bytes.Repeat([]byte{0xff}, 40)}), "a delta without lengths"},
		"an empty delta":                  {writePack(t, blob, packObject{plumbing.OFSDeltaObject, -1, back, nil}), "a delta without lengths"},
		"a delta of a base by name":       {writePack(t, packObject{plumbing.REFDeltaObject, -1, make([]byte, sha1.Size), copies(5, 5)}, blob), "not asked for"},
		"more objects than allowed":       {writePack(t, blob, blob, blob, blob, blob, blob, blob, blob, blob), "over 8 objects"},
		"fewer objects than it announces": {append(binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), 7), make([]byte, 20)...), "cannot be read"},
		"nothing":                         {nil, "cannot be read"},
		"no pack":                         {[]byte("<!doctype html>"), "cannot be read"},
	} {
		_, err := Unpack(c.pack, small())
		if refusal, ok := errors.AsType[*RefusedError](err); !ok || !strings.Contains(refusal.Reason, c.reason) {
			t.Errorf("%s: %v, want %q", name, err, c.reason)
		}
	}
	objects, err := Unpack(writePack(t, blob, packObject{plumbing.BlobObject, -1, nil, []byte("world")}), small())
	if err != nil || len(objects.Blobs) != 2 {
		t.Errorf("a good pack: %v", err)
	}
}

func FuzzUnpack(f *testing.F) {
	blob := packObject{plumbing.BlobObject, -1, nil, []byte("hello")}
	f.Add(writePack(f, blob, packObject{plumbing.TreeObject, -1, nil, nil}))
	f.Add(writePack(f, blob, packObject{plumbing.OFSDeltaObject, -1, []byte{14}, append(copies(5, 5), 0x90, 5)}))
	f.Add(writePack(f, packObject{plumbing.REFDeltaObject, -1, make([]byte, sha1.Size), copies(5, 5)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		objects, err := Unpack(data, small())
		if err != nil {
			if _, ok := errors.AsType[*RefusedError](err); !ok {
				t.Errorf("%v is no refusal", err)
			}
			return
		}
		total := int64(0)
		for _, o := range objects.Objects {
			total += o.Size()
		}
		if total > small().Unpacked {
			t.Errorf("%d bytes were unpacked", total)
		}
	})
}
