package checks

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

func FuzzRenameEntries(f *testing.F) {
	entry := append([]byte("100644 a\x00"), make([]byte, 20)...)
	f.Add(entry)
	f.Add(append(entry, append([]byte("40000 b\x00"), make([]byte, 20)...)...))
	f.Add([]byte("160000 sub\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		n := 0
		renamed, err := renameEntries(raw, func(plumbing.Hash) ([sha256.Size]byte, error) { n++; return [sha256.Size]byte{}, nil })
		if err != nil {
			if _, ok := errors.AsType[*failure](err); !ok {
				t.Errorf("%v is no verdict", err)
			}
			return
		}
		if len(renamed) != len(raw)+n*(sha256.Size-len(plumbing.Hash{})) {
			t.Errorf("%d entries of %d bytes became %d bytes", n, len(raw), len(renamed))
		}
		if n == 1 && !bytes.HasPrefix(renamed, raw[:len(raw)-len(plumbing.Hash{})]) {
			t.Errorf("%q became %q", raw, renamed)
		}
	})
}
