package claims

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"

	"github.com/stratosfund/stratosfund/indexer/gitfetch"
)

// wellKnown is where a repository, or a host, says whose it is.
const wellKnown = ".well-known/atproto-did"

// proveByRepository wants the file on the repository's default branch. Of it one commit
// is fetched, without large files if the server can leave them out.
func (c *Checker) proveByRepository(ctx context.Context, door gitfetch.Door, owner syntax.DID) error {
	head := door.Refs.Head
	if head == nil || head.IsZero() {
		return refuse("the repository has no default branch")
	}
	var pack []byte
	err := c.git.Fetch(ctx, door, gitfetch.Ask{
		Wants: []plumbing.Hash{*head}, Depth: 1,
		// One byte more: a file that is as long as allowed is not left out.
		Filter: packp.FilterBlobLimit(uint64(c.limits.File)+1, packp.BlobLimitPrefixNone),
	}, func(r io.Reader) (err error) {
		pack, err = io.ReadAll(r)
		return err
	})
	if err != nil {
		return err
	}
	content, err := readFile(pack, *head, c.limits)
	if err != nil {
		return err
	}
	return checkFile(content, owner)
}

// readFile reads the file from the pack of a commit.
func readFile(pack []byte, head plumbing.Hash, limits Limits) (content []byte, err error) {
	// Strangers wrote every byte of it, and a decoder that panics must not end us.
	defer func() {
		if p := recover(); p != nil {
			err = refuse("the repository's pack cannot be read: %v", p)
		}
	}()
	objects, err := gitfetch.Unpack(pack, limits.git())
	if err != nil {
		return nil, err
	}
	commit, err := object.GetCommit(objects, head)
	if err != nil {
		return nil, refuse("the repository does not give its default branch")
	}
	tree, err := commit.Tree()
	if err != nil {
		return nil, refuse("the repository does not give the files of its default branch")
	}
	entry, err := tree.FindEntry(wellKnown)
	if err != nil || entry.Mode != filemode.Regular && entry.Mode != filemode.Executable {
		return nil, refuse("the repository has no file %s on its default branch", wellKnown)
	}
	blob, err := object.GetBlob(objects, entry.Hash)
	if err != nil || blob.Size > limits.File {
		return nil, refuse("the repository's %s holds more than a DID", wellKnown)
	}
	r, err := blob.Reader()
	if err != nil {
		return nil, fmt.Errorf("claims: read %s: %w", wellKnown, err)
	}
	content, err = io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("claims: read %s: %w", wellKnown, err)
	}
	return content, nil
}
