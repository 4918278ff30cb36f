package checks

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"

	"github.com/go-git/go-git/v5/plumbing"
)

// Release is what a fund.stratos.work.release says about its code.
type Release struct {
	Repository string // https
	Commit     string // lower-case hex
	// Ref is the branch or tag that holds the commit; empty when the release names none.
	Ref string
	// PreviewCommit is the ancestor with the tree that was committed to; empty when it is
	// the commit itself.
	PreviewCommit string
	License       string // SPDX expression
	Path          string // of the feature; empty for the root
}

// Commitment is the tree that the preview committed to, as it was frozen.
type Commitment struct {
	Tree      string // lower-case hex
	Algorithm string
	Path      string // empty for the root
}

// The algorithms of a commitment.
const (
	sha1Trees   = "sha1"
	sha256Trees = "sha256"
)

func (r Release) address() (*url.URL, error) {
	at, err := url.Parse(r.Repository)
	if err != nil || at.Scheme != "https" || at.Host == "" || at.User != nil {
		return nil, fail("%q is no https address of a git repository: name one that everybody can clone.", r.Repository)
	}
	return &url.URL{Scheme: at.Scheme, Host: at.Host, Path: at.Path, RawPath: at.RawPath}, nil
}

var errHash = errors.New("no SHA-1 name of an object")

func parseHash(s string) (plumbing.Hash, error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != len(plumbing.Hash{}) {
		return plumbing.Hash{}, fmt.Errorf("checks: %q: %w", s, errHash)
	}
	return plumbing.Hash(raw), nil
}
