package claims

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// wellKnown is where a repository, or a host, says whose it is.
const wellKnown = ".well-known/atproto-did"

// door is how an address answers to git.
type door int

const (
	// doorNone: no repository is there.
	doorNone door = iota
	// doorClosed: one is or may be there, and we cannot read it.
	doorClosed
	// doorOpen: it can be cloned by anybody.
	doorOpen
)

// found is what answers to git at an address.
type found struct {
	door door
	why  string // a closed door
	// Of an open one: where it is, redirects followed, and what it advertises.
	at   *url.URL
	refs *packp.AdvRefs
}

const (
	infoRefs   = "/info/refs"
	uploadPack = "/git-upload-pack"
)

// findRepository asks at the address for a repository, under both of the names
// that the form of comparison has for one.
func (c *Checker) findRepository(ctx context.Context, at *url.URL) (found, error) {
	names := []string{at.EscapedPath()}
	if names[0] != "" && !strings.HasSuffix(names[0], "/.git") {
		names = append(names, names[0]+".git")
	}
	var best found
	var unanswered error
	for _, name := range names {
		f, err := c.knock(ctx, level(at, name))
		if err != nil {
			unanswered = err
			continue
		}
		if f.door == doorOpen {
			return f, nil
		}
		if f.door > best.door {
			best = f
		}
	}
	return best, unanswered
}

// knock asks for a repository as git does. The answer may go on for as long as
// the repository has branches; no more of it is read than the first, which is
// the default one.
func (c *Checker) knock(ctx context.Context, at *url.URL) (found, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String()+infoRefs+"?service=git-upload-pack", nil)
	if err != nil {
		return found{}, fmt.Errorf("claims: ask %s for a repository: %w", at, err)
	}
	req.Header.Set("User-Agent", c.agent)
	resp, err := c.small.Do(req)
	if err != nil {
		return found{}, fmt.Errorf("claims: ask for a repository: %w", err)
	}
	defer resp.Body.Close()
	switch status := resp.StatusCode; {
	case status == http.StatusOK:
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return found{door: doorClosed, why: "it wants a password"}, nil
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests, status >= 500:
		return found{}, fmt.Errorf("claims: ask for a repository: %s answered with status %d", req.URL.Host, status)
	case status >= 300 && status < 400:
		return found{door: doorClosed, why: "it redirects to where we do not follow"}, nil
	default:
		return found{}, nil
	}
	// What leads to another kind of page, such as that of a login, is none.
	moved, ok := strings.CutSuffix(resp.Request.URL.EscapedPath(), infoRefs)
	if !ok {
		return found{}, nil
	}
	return readDoor(level(resp.Request.URL, moved), resp)
}

// dumb is how the references begin of a repository that lies on a host as plain
// files.
var dumb = regexp.MustCompile(`^[0-9a-f]{40}(?:[0-9a-f]{24})?\t`)

func readDoor(at *url.URL, resp *http.Response) (found, error) {
	var read bytes.Buffer
	body := io.TeeReader(resp.Body, &read)
	if resp.Header.Get("Content-Type") != "application/x-git-upload-pack-advertisement" {
		if _, err := io.CopyN(io.Discard, body, 65); err != nil && !errors.Is(err, io.EOF) {
			return found{}, fmt.Errorf("claims: ask for a repository: %w", err)
		}
		if dumb.Match(read.Bytes()) {
			return found{door: doorClosed, why: "the repository is served as plain files, which cannot be fetched within bounds"}, nil
		}
		return found{}, nil
	}
	lines := pktline.NewScanner(body)
	for lines.Scan() {
		if line := lines.Bytes(); len(line) > 0 && line[0] != '#' {
			break // the first reference
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, pktline.ErrInvalidPktLen) {
		return found{}, fmt.Errorf("claims: read the references of the repository: %w", err)
	}
	read.Write(pktline.FlushPkt)
	refs := packp.NewAdvRefs()
	if err := refs.Decode(&read); err != nil && !errors.Is(err, packp.ErrEmptyAdvRefs) {
		return found{door: doorClosed, why: "its references cannot be read"}, nil
	}
	return found{door: doorOpen, at: at, refs: refs}, nil
}

// proveByRepository wants the file on the repository's default branch.
func (c *Checker) proveByRepository(ctx context.Context, f found, owner syntax.DID) error {
	head := f.refs.Head
	if head == nil || head.IsZero() {
		return refuse("the repository has no default branch")
	}
	data, err := c.fetch(ctx, f, *head)
	if err != nil {
		return err
	}
	content, err := readFile(data, *head, c.limits)
	if err != nil {
		return err
	}
	return checkFile(content, owner)
}

// readFile reads the file from the pack of a commit.
func readFile(data []byte, head plumbing.Hash, limits Limits) (content []byte, err error) {
	// Strangers wrote every byte of it, and a decoder that panics must not end us.
	defer func() {
		if p := recover(); p != nil {
			err = refuse("the repository's pack cannot be read: %v", p)
		}
	}()
	objects, err := unpack(data, limits)
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

// fetch gets the pack of one commit, without large files if the server can leave
// them out. The request is sent here because go-git's own endpoints lose the
// escapes of a path.
func (c *Checker) fetch(ctx context.Context, f found, head plumbing.Hash) ([]byte, error) {
	offered := f.refs.Capabilities
	transport.FilterUnsupportedCapabilities(offered)
	ask := packp.NewUploadPackRequestFromCapabilities(offered)
	ask.Wants = []plumbing.Hash{head}
	set := func(name capability.Capability) error {
		if err := ask.Capabilities.Set(name); err != nil {
			return fmt.Errorf("claims: ask for %s: %w", name, err)
		}
		return nil
	}
	if offered.Supports(capability.Shallow) {
		ask.Depth = packp.DepthCommits(1)
		if err := set(capability.Shallow); err != nil {
			return nil, err
		}
	}
	if offered.Supports(capability.Filter) {
		// One byte more: a file that is as long as allowed is not left out.
		ask.Filter = packp.FilterBlobLimit(uint64(c.limits.File)+1, packp.BlobLimitPrefixNone)
		if err := set(capability.Filter); err != nil {
			return nil, err
		}
	}
	if err := ask.Validate(); err != nil {
		return nil, fmt.Errorf("claims: ask for a pack: %w", err)
	}
	var body bytes.Buffer
	err := errors.Join(ask.UploadRequest.Encode(&body), ask.UploadHaves.Encode(&body, false), pktline.NewEncoder(&body).EncodeString("done\n"))
	if err != nil {
		return nil, fmt.Errorf("claims: ask for a pack: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.at.String()+uploadPack, &body)
	if err != nil {
		return nil, fmt.Errorf("claims: ask for a pack: %w", err)
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Content-Type", "application/x-git-upload-pack-request")
	req.Header.Set("Accept", "application/x-git-upload-pack-result")
	resp, err := c.packs.Do(req)
	if err != nil {
		return nil, fmt.Errorf("claims: ask for a pack: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("claims: ask for a pack: %s answered with status %d", f.at.Host, resp.StatusCode)
	}
	data, err := readPack(ask, resp)
	if _, ok := errors.AsType[*tooLargeError](err); ok {
		return nil, refuse("the repository is too large: its newest commit packs to over %d bytes", c.limits.Pack)
	}
	if err != nil {
		return nil, fmt.Errorf("claims: read a pack from %s: %w", f.at.Host, err)
	}
	return data, nil
}

func readPack(ask *packp.UploadPackRequest, resp *http.Response) ([]byte, error) {
	answer := packp.NewUploadPackResponse(ask)
	if err := answer.Decode(resp.Body); err != nil {
		return nil, err
	}
	switch {
	case ask.Capabilities.Supports(capability.Sideband64k):
		return io.ReadAll(sideband.NewDemuxer(sideband.Sideband64k, answer))
	case ask.Capabilities.Supports(capability.Sideband):
		return io.ReadAll(sideband.NewDemuxer(sideband.Sideband, answer))
	}
	return io.ReadAll(answer)
}
