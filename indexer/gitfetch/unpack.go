package gitfetch

import (
	"bytes"

	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/memory"
)

// Unpack unpacks the objects of a pack into memory, after it was looked through.
func Unpack(pack []byte, limits Limits) (_ *memory.Storage, err error) {
	defer recovered(&err)
	if err := inspect(bytes.NewReader(pack), limits); err != nil {
		return nil, err
	}
	objects := memory.NewStorage()
	parser, err := packfile.NewParserWithStorage(packfile.NewScanner(bytes.NewReader(pack)), objects)
	if err != nil {
		return nil, unreadable(err)
	}
	if _, err := parser.Parse(); err != nil {
		return nil, unreadable(err)
	}
	return objects, nil
}
