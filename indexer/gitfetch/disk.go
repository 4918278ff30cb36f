package gitfetch

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// Write keeps a pack, as it comes, in a folder of a bare repository that is there
// already, and indexes it after it was looked through. What is too large for the memory
// is read from there. Nothing of it stays when it is refused.
func Write(ctx context.Context, pack io.Reader, repository string, limits Limits) (_ Objects, err error) {
	folder := filepath.Join(repository, "objects", "pack")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("gitfetch: make the folder of a pack: %w", err)
	}
	file, err := os.CreateTemp(folder, "incoming-")
	if err != nil {
		return nil, fmt.Errorf("gitfetch: make a file for a pack: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	defer file.Close()
	if _, err := io.Copy(file, pack); err != nil {
		return nil, err // of the server, mostly
	}
	steady := &steadyFile{ctx: ctx, file: file}
	if err := steady.rewound(func() error { return inspect(steady, limits) }); err != nil {
		return nil, err
	}
	objects := Objects{}
	var index *idxfile.MemoryIndex
	if err := steady.rewound(func() (err error) { index, err = indexPack(steady, objects); return err }); err != nil {
		return nil, err
	}
	if err := steady.rewound(func() error { return endsWith(steady, index.PackfileChecksum[:]) }); err != nil {
		return nil, err
	}
	name := filepath.Join(folder, fmt.Sprintf("pack-%x", index.PackfileChecksum))
	if err := writeIndex(name+".idx", index); err != nil {
		return nil, err
	}
	if err := os.Rename(file.Name(), name+".pack"); err != nil {
		return nil, fmt.Errorf("gitfetch: name a pack: %w", err)
	}
	return objects, nil
}

// Objects are the types of the objects of a pack, by their names.
type Objects map[plumbing.Hash]plumbing.ObjectType

// observer collects the objects beside the index.
type observer struct {
	*idxfile.Writer
	objects Objects
	types   map[int64]plumbing.ObjectType // by where the object is
}

var _ packfile.Observer = (*observer)(nil)

// OnInflatedObjectHeader implements packfile.Observer.
func (o *observer) OnInflatedObjectHeader(t plumbing.ObjectType, _ int64, pos int64) error {
	o.types[pos] = t
	return nil
}

// OnInflatedObjectContent implements packfile.Observer.
func (o *observer) OnInflatedObjectContent(h plumbing.Hash, pos int64, crc uint32, content []byte) error {
	o.objects[h] = o.types[pos]
	delete(o.types, pos)
	return o.Writer.OnInflatedObjectContent(h, pos, crc, content)
}

func indexPack(file io.ReadSeeker, objects Objects) (_ *idxfile.MemoryIndex, err error) {
	defer recovered(&err)
	watch := &observer{Writer: new(idxfile.Writer), objects: objects, types: map[int64]plumbing.ObjectType{}}
	parser, err := packfile.NewParser(packfile.NewScanner(file), watch)
	if err != nil {
		return nil, unreadable(err)
	}
	if _, err := parser.Parse(); err != nil {
		return nil, unreadable(err)
	}
	index, err := watch.Index()
	if err != nil {
		return nil, unreadable(err)
	}
	return index, nil
}

// endsWith wants nothing behind the checksum of a pack: git refuses one that has more, so
// nobody could clone it from us.
func endsWith(file io.Reader, checksum []byte) error {
	sum := sha1.New()
	tail := &tail{next: sum}
	if _, err := io.Copy(tail, file); err != nil {
		return unreadable(err)
	}
	if !bytes.Equal(tail.kept, checksum) || !bytes.Equal(sum.Sum(nil), checksum) {
		return unreadable("something follows its checksum")
	}
	return nil
}

// tail passes on what is written, but for as many bytes at the end as a checksum has.
type tail struct {
	next io.Writer
	kept []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if n := len(t.kept) - sha1.Size; n > 0 {
		if _, err := t.next.Write(t.kept[:n]); err != nil {
			return 0, err
		}
		t.kept = append(t.kept[:0], t.kept[n:]...)
	}
	return len(p), nil
}

func writeIndex(name string, index *idxfile.MemoryIndex) error {
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("gitfetch: make the index of a pack: %w", err)
	}
	_, err = idxfile.NewEncoder(file).Encode(index)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("gitfetch: write the index of a pack: %w", err)
	}
	return nil
}

// steadyFile is a file that can be read until ctx ends, which is what ends the work on a
// pack that was made to take long.
type steadyFile struct {
	ctx    context.Context // of one call of Write
	file   *os.File
	failed error
}

var _ io.ReadSeeker = (*steadyFile)(nil)

// Read implements io.Reader.
func (f *steadyFile) Read(p []byte) (int, error) {
	if f.failed = context.Cause(f.ctx); f.failed != nil {
		return 0, f.failed
	}
	n, err := f.file.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.failed = err
	}
	return n, err
}

// Seek implements io.Seeker.
func (f *steadyFile) Seek(offset int64, whence int) (int64, error) {
	return f.file.Seek(offset, whence)
}

// rewound runs what reads the file from its beginning, and tells trouble with the file
// from what is wrong with the pack in it.
func (f *steadyFile) rewound(read func() error) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("gitfetch: read a pack: %w", err)
	}
	err := read()
	if err != nil && f.failed != nil {
		return fmt.Errorf("gitfetch: read a pack: %w", f.failed)
	}
	return err
}
