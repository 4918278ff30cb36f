package gitfetch

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/stratosfund/stratosfund/indexer/claims/claimstest"
)

// chain is a pack of a blob and deltas one on another, each of which makes the same.
func chain(t testing.TB, size, links int) []byte {
	t.Helper()
	objects := []packObject{{plumbing.BlobObject, -1, nil, bytes.Repeat([]byte("x"), size)}}
	// Copy the whole base: offset 0, and a size of three bytes.
	same := append(copies(uint64(size), uint64(size)), 0xf0, byte(size), byte(size>>8), byte(size>>16))
	const around = 12 + 20 // the head of a pack, and its sum
	back := len(writePack(t, objects...)) - around
	for range links {
		link := packObject{plumbing.OFSDeltaObject, -1, offset(back), same}
		objects = append(objects, link)
		back = len(writePack(t, link)) - around
	}
	return writePack(t, objects...)
}

// offset is how far back a base is, as packs write it.
func offset(n int) []byte {
	b := []byte{byte(n & 0x7f)}
	for n >>= 7; n > 0; n >>= 7 {
		n--
		b = append([]byte{0x80 | byte(n&0x7f)}, b...)
	}
	return b
}

func wide() Limits {
	return Limits{Objects: 1000, Object: 1 << 20, Chain: 4 << 20, Unpacked: 1 << 30}
}

func TestWrite_KeepsAPackThatCanBeRead(t *testing.T) {
	t.Parallel()
	repository := t.TempDir()
	objects, err := Write(t.Context(), bytes.NewReader(chain(t, 1000, 5)), repository, wide())
	if err != nil {
		t.Fatal(err)
	}
	want := plumbing.ComputeHash(plumbing.BlobObject, bytes.Repeat([]byte("x"), 1000))
	if len(objects) != 1 || objects[want] != plumbing.BlobObject {
		t.Errorf("%v", objects)
	}
	packs, err := filepath.Glob(filepath.Join(repository, "objects", "pack", "*"))
	if err != nil || len(packs) != 2 || !strings.HasSuffix(packs[0], ".idx") || !strings.HasSuffix(packs[1], ".pack") {
		t.Errorf("%v, %v", packs, err)
	}
}

func TestWrite_RefusesBombsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	good := chain(t, 1000, 1)
	blob := packObject{plumbing.BlobObject, -1, nil, []byte("x")}
	// Some kilobytes, of which each object is small, and which need gigabytes at once.
	bomb := chain(t, 1<<20, 100)
	if len(bomb) > 1<<16 {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	for name, c := range map[string]struct {
		pack   []byte
		reason string
	}{
		"a chain":              {bomb, "a chain of deltas unpacks to over"},
		"a large object":       {writePack(t, packObject{plumbing.BlobObject, -1, nil, make([]byte, 1<<20+1)}), "one of its objects unpacks to over"},
		"a large target":       {writePack(t, blob, packObject{plumbing.OFSDeltaObject, -1, offset(len(writePack(t, blob)) - 12 - 20), copies(1, 1<<40)}), "one of its objects unpacks to over"},
		"more behind it":       {append(bytes.Clone(good), good...), "something follows"},
		"another sum":          {append(bytes.Clone(good[:len(good)-1]), ^good[len(good)-1]), "cannot be read"},
		"nothing":              {nil, "cannot be read"},
		"no base":              {writePack(t, packObject{plumbing.OFSDeltaObject, -1, offset(3), copies(1, 1)}), "cannot be read"},
		"an object of no type": {writePack(t, blob, packObject{plumbing.ObjectType(5), -1, nil, []byte("x")}), "a kind that git does not know"},
	} {
		repository := t.TempDir()
		_, err := Write(t.Context(), bytes.NewReader(c.pack), repository, wide())
		if refusal, ok := errors.AsType[*RefusedError](err); !ok || !strings.Contains(refusal.Reason, c.reason) {
			t.Errorf("%s: %v, want %q", name, err, c.reason)
		}
		left, err := os.ReadDir(filepath.Join(repository, "objects", "pack"))
		if err != nil || len(left) > 0 {
			t.Errorf("%s: left behind: %v, %v", name, left, err)
		}
	}
}

func TestWrite_TellsTroubleFromARefusal(t *testing.T) {
	t.Parallel()
	broken := errors.New("the line is broken")
	_, err := Write(t.Context(), io.MultiReader(strings.NewReader("PACK"), failing{broken}), t.TempDir(), wide())
	if _, ok := errors.AsType[*RefusedError](err); ok || !errors.Is(err, broken) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Write(ctx, bytes.NewReader(chain(t, 10, 1)), t.TempDir(), wide())
	if _, ok := errors.AsType[*RefusedError](err); ok || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func FuzzWrite(f *testing.F) {
	f.Add(chain(f, 100, 3))
	f.Add(writePack(f, packObject{plumbing.BlobObject, -1, nil, []byte("hello")}, packObject{plumbing.TreeObject, -1, nil, nil}))
	f.Add(binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), 1))
	f.Fuzz(func(t *testing.T, pack []byte) {
		repository := t.TempDir()
		if _, err := Write(t.Context(), bytes.NewReader(pack), repository, small()); err != nil {
			if _, ok := errors.AsType[*RefusedError](err); !ok {
				t.Errorf("%v is no refusal", err)
			}
			if left, err := os.ReadDir(filepath.Join(repository, "objects", "pack")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		}
	})
}

func TestFetch_WhatAServerSaysAboutItsTroubleIsNoRefusal(t *testing.T) {
	t.Parallel()
	web := claimstest.New(t)
	web.Repository(t, host, "it", map[string]string{"README": "x"})
	limits := wide()
	limits.Answer, limits.Pack = 64<<10, 1<<20
	client := newClient(web, limits)
	door, err := client.Find(t.Context(), address("/it"), AllRefs)
	if err != nil || door.State != Open {
		t.Fatal(err, door)
	}
	discard := func(pack io.Reader) error {
		_, err := io.Copy(io.Discard, pack)
		return err
	}
	if err := client.Fetch(t.Context(), door, Ask{Wants: []plumbing.Hash{*door.Refs.Head}}, discard); err != nil {
		t.Error(err)
	}
	err = client.Fetch(t.Context(), door, Ask{Wants: []plumbing.Hash{plumbing.NewHash(strings.Repeat("ab", 20))}}, discard)
	if _, ok := errors.AsType[*RefusedError](err); ok || err == nil {
		t.Errorf("an unknown object: %v", err)
	}
	if err := client.Fetch(t.Context(), door, Ask{}, discard); err == nil {
		t.Error("nothing was wanted, and given")
	}
}
