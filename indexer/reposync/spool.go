package reposync

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/bluesky-social/indigo/atproto/repo"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
	"github.com/ipld/go-car"
)

const (
	// maxHeader and maxSection bound the parts of a CAR file in bytes: a
	// record is at most 1 MiB, and no node is nearly as large.
	maxHeader  = 1 << 10
	maxSection = 2 << 20
)

// ErrTooLarge is returned by [NewSpool] for more bytes than the limit.
var ErrTooLarge = errors.New("reposync: the repository is larger than the limit")

// Spool is a CAR file on disk. What is in memory is where each block is, about
// a hundred bytes for each; blocks are read when they are asked for. It is not
// safe for use by several goroutines.
type Spool struct {
	file  *os.File
	size  int64
	root  cid.Cid
	index map[digest]section
}

type section struct {
	offset int64
	length int32
}

var _ repo.RepoBlockSource = (*Spool)(nil)

// NewSpool copies a CAR file of at most limit bytes to a temporary file in dir
// (empty: the system's), checking each block against its CID on the way. Its
// errors are those of r, [ErrTooLarge], a [*DropError], or of the disk.
func NewSpool(dir string, r io.Reader, limit int64) (*Spool, error) {
	file, err := os.CreateTemp(dir, "repo-*.car")
	if err != nil {
		return nil, fmt.Errorf("reposync: make a spool: %w", err)
	}
	s := &Spool{file: file, index: map[digest]section{}}
	// Unlinked at once, it goes away with the process whatever happens.
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("reposync: make a spool: %w", err), s.Close())
	}
	if err := s.fill(r, limit); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close frees the space on disk.
func (s *Spool) Close() error { return s.file.Close() }

// Size is the length of the CAR file in bytes.
func (s *Spool) Size() int64 { return s.size }

func (s *Spool) fill(r io.Reader, limit int64) error {
	limited := &io.LimitedReader{R: r, N: limit + 1}
	in := bufio.NewReaderSize(limited, 64<<10)
	out := bufio.NewWriterSize(s.file, 64<<10)
	buf := make([]byte, 0, 4<<10)
	for first := true; ; first = false {
		most := maxSection
		if first {
			most = maxHeader
		}
		var err error
		if buf, err = readSection(in, buf, most); err != nil {
			if limited.N <= 0 {
				return ErrTooLarge
			}
			if errors.Is(err, io.EOF) && !first {
				break
			}
			if errors.Is(err, io.EOF) {
				return drop(DropBadCAR, "the file is empty")
			}
			return err
		}
		if first {
			if s.root, err = readRoot(buf); err != nil {
				return drop(DropBadCAR, "header: %w", err)
			}
			continue
		}
		if err := s.keep(out, buf); err != nil {
			return err
		}
	}
	if limited.N <= 0 {
		return ErrTooLarge
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("reposync: write a spool: %w", err)
	}
	return nil
}

// readSection reads one section into buf. io.EOF is the end of the file between
// two sections; any other end is not.
func readSection(in *bufio.Reader, buf []byte, most int) ([]byte, error) {
	length, err := binary.ReadUvarint(in)
	if errors.Is(err, io.EOF) {
		return buf, io.EOF
	}
	if err != nil {
		return buf, readFailed(err)
	}
	if length == 0 || length > uint64(most) {
		return buf, drop(DropBadCAR, "a section of %d bytes", length)
	}
	if uint64(cap(buf)) < length {
		buf = make([]byte, length)
	}
	buf = buf[:length]
	if _, err := io.ReadFull(in, buf); err != nil {
		return buf, readFailed(err)
	}
	return buf, nil
}

// readFailed tells a file that ends too early from a connection that broke.
func readFailed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return drop(DropBadCAR, "%w", io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("reposync: read a repository: %w", err)
}

// usualHeader is around the root in the header that atproto's software writes:
// of version 1, with one root, whose CID is of the one kind.
const (
	usualHeaderStart = "\xa2\x65roots\x81\xd8\x2a\x58\x25\x00" + repoCIDPrefix
	usualHeaderEnd   = "\x67version\x01"
)

// readRoot reads the first root out of a CAR file's header. Most headers differ
// in nothing but their root, which decoding them would take longer to find than
// all of the file's blocks.
func readRoot(raw []byte) (cid.Cid, error) {
	if hash, ok := strings.CutPrefix(string(raw), usualHeaderStart); ok {
		if hash, ok := strings.CutSuffix(hash, usualHeaderEnd); ok && len(hash) == sha256.Size {
			return cid.Cast([]byte(repoCIDPrefix + hash))
		}
	}
	framed := binary.AppendUvarint(nil, uint64(len(raw)))
	header, err := car.ReadHeader(bufio.NewReader(bytes.NewReader(append(framed, raw...))))
	if err != nil {
		return cid.Undef, err
	}
	if header.Version != 1 || len(header.Roots) == 0 {
		return cid.Undef, fmt.Errorf("version %d with %d roots", header.Version, len(header.Roots))
	}
	return header.Roots[0], nil
}

// keep checks a block and writes it. Blocks of another kind of CID are left
// out, as in readCAR.
func (s *Spool) keep(out *bufio.Writer, raw []byte) error {
	n, ref, err := cid.CidFromBytes(raw)
	if err != nil {
		return drop(DropBadCAR, "block: %w", err)
	}
	at, ok := digestOf(ref)
	if !ok {
		return nil
	}
	data := raw[n:]
	if err := checkCID(ref, data); err != nil {
		return drop(DropBadCAR, "block %s: %w", ref, err)
	}
	if _, err := out.Write(data); err != nil {
		return fmt.Errorf("reposync: write a spool: %w", err)
	}
	s.index[at] = section{offset: s.size, length: int32(len(data))}
	s.size += int64(len(data))
	return nil
}

// Get reads a block. It is an ipld.ErrNotFound when the file does not hold it.
func (s *Spool) Get(_ context.Context, ref cid.Cid) (blocks.Block, error) {
	hash, ok := digestOf(ref)
	if !ok {
		return nil, ipld.ErrNotFound{Cid: ref}
	}
	at, ok := s.index[hash]
	if !ok {
		return nil, ipld.ErrNotFound{Cid: ref}
	}
	raw := make([]byte, at.length)
	if _, err := s.file.ReadAt(raw, at.offset); err != nil {
		return nil, fmt.Errorf("reposync: read a spool: %w", err)
	}
	block, err := blocks.NewBlockWithCid(raw, ref)
	if err != nil {
		return nil, fmt.Errorf("reposync: read a spool: %w", err)
	}
	return block, nil
}
