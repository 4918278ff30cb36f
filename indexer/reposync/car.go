package reposync

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/bluesky-social/indigo/atproto/repo"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
)

// contents is what a CAR file brings: the commit that is its first root, and
// the blocks beside it, each of the hash that its CID says.
type contents struct {
	root   cid.Cid
	commit *repo.Commit
	blocks carBlocks
}

// readCAR reads a CAR file and its commit; the blocks share the memory of raw.
func readCAR(ctx context.Context, raw []byte) (*contents, error) {
	root, found, err := readBlocks(raw)
	if err != nil {
		return nil, drop(DropBadCAR, "%w", err)
	}
	commit, err := readCommit(ctx, found, root)
	if err != nil {
		return nil, drop(DropBadCAR, "commit: %w", err)
	}
	return &contents{root, commit, found}, nil
}

// readBlocks reads the first root and the blocks of a CAR file. Further roots
// mean nothing. Blocks of another kind of CID than atproto's are left out: no
// repository may refer to them, and a shorter or weaker hash would let somebody
// choose the content.
//
// It walks the bytes itself, because the library's reader copies each section
// and makes a CID and a hash function for it. What that reader refuses is
// refused here.
func readBlocks(raw []byte) (cid.Cid, carBlocks, error) {
	header, raw, err := nextSection(raw)
	if err != nil {
		return cid.Undef, nil, fmt.Errorf("header: %w", err)
	}
	root, err := readRoot(header)
	if err != nil {
		return cid.Undef, nil, fmt.Errorf("header: %w", err)
	}
	found := make(carBlocks, 16)
	for len(raw) > 0 {
		var section []byte
		if section, raw, err = nextSection(raw); err != nil {
			return cid.Undef, nil, fmt.Errorf("block: %w", err)
		}
		if err := found.add(section); err != nil {
			return cid.Undef, nil, fmt.Errorf("block: %w", err)
		}
	}
	return root, found, nil
}

// nextSection cuts the first section off a CAR file.
func nextSection(raw []byte) (section, rest []byte, err error) {
	length, n := binary.Uvarint(raw)
	if n <= 0 || length > uint64(len(raw)-n) {
		return nil, nil, io.ErrUnexpectedEOF
	}
	raw = raw[n:]
	return raw[:length:length], raw[length:], nil
}

// carBlocks are the blocks of a CAR file that is in memory.
type carBlocks map[digest][]byte

var _ repo.RepoBlockSource = carBlocks(nil)

// repoCIDPrefix is how the bytes of every CID in a repository begin: version,
// codec, hash and its length, as in repoCID. The digest is the rest.
const repoCIDPrefix = "\x01\x71\x12\x20"

var errWrongHash = errors.New("a block has another hash than its CID says")

// add checks a section and keeps its block.
func (b carBlocks) add(section []byte) error {
	const start = len(repoCIDPrefix)
	if len(section) < start+sha256.Size || string(section[:start]) != repoCIDPrefix {
		return checkForeign(section)
	}
	want, data := digest(section[start:]), section[start+sha256.Size:]
	if digest(sha256.Sum256(data)) != want {
		return errWrongHash
	}
	b[want] = data
	return nil
}

// checkForeign checks a block whose CID is of a kind that repositories do not
// use.
func checkForeign(section []byte) error {
	n, ref, err := cid.CidFromReader(bytes.NewReader(section))
	if err != nil {
		return err
	}
	got, err := ref.Prefix().Sum(section[n:])
	if err != nil {
		return err
	}
	if !got.Equals(ref) {
		return errWrongHash
	}
	return nil
}

// Get returns a block. It is an ipld.ErrNotFound when the file does not hold it.
func (b carBlocks) Get(_ context.Context, ref cid.Cid) (blocks.Block, error) {
	at, ok := digestOf(ref)
	if !ok {
		return nil, ipld.ErrNotFound{Cid: ref}
	}
	data, ok := b[at]
	if !ok {
		return nil, ipld.ErrNotFound{Cid: ref}
	}
	return blocks.NewBlockWithCid(data, ref)
}

// digest is the sha-256 of a block, which is all that differs between CIDs of
// the one kind that repositories use.
type digest [sha256.Size]byte

// digestOf returns the digest in a CID of that kind, and false for any other.
func digestOf(ref cid.Cid) (digest, bool) {
	hash, ok := strings.CutPrefix(ref.KeyString(), repoCIDPrefix)
	if !ok || len(hash) != sha256.Size {
		return digest{}, false
	}
	return digest([]byte(hash)), true
}

func readCommit(ctx context.Context, source repo.RepoBlockSource, root cid.Cid) (*repo.Commit, error) {
	block, err := source.Get(ctx, root)
	if err != nil {
		return nil, err
	}
	var commit repo.Commit
	if err := commit.UnmarshalCBOR(bytes.NewReader(block.RawData())); err != nil {
		return nil, err
	}
	return &commit, commit.VerifyStructure()
}
