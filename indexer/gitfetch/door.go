package gitfetch

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

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"

	"github.com/stratosfund/stratosfund/indexer/strangers"
)

// State is how an address answers to git.
type State int

const (
	// None: no repository is there.
	None State = iota
	// Closed: one is or may be there, and we cannot read it.
	Closed
	// Open: it can be cloned by anybody.
	Open
)

// Door is what answers to git at an address.
type Door struct {
	State State
	// Why says what is wrong with a closed door.
	Why string
	// Of an open one: where it is, redirects followed, and what it advertises.
	At   *url.URL
	Refs *packp.AdvRefs
}

// Extent is how much of a server's references is read.
type Extent int

const (
	// FirstRef reads no more than the first reference, which is the default branch,
	// however many there are.
	FirstRef Extent = iota
	// AllRefs reads them all, and fails when they are too many.
	AllRefs
)

const (
	infoRefs   = "/info/refs"
	uploadPack = "/git-upload-pack"
)

// Find asks at the address for a repository, as it is and with ".git" behind it. An error
// is trouble on the way, after which asking again may help; the door is what was found
// besides.
func (c *Client) Find(ctx context.Context, at *url.URL, extent Extent) (Door, error) {
	names := []string{at.EscapedPath()}
	if names[0] != "" && !strings.HasSuffix(names[0], "/.git") {
		names = append(names, names[0]+".git")
	}
	var best Door
	var unanswered error
	for _, name := range names {
		door, err := c.knock(ctx, WithPath(at, name), extent)
		if err != nil {
			unanswered = err
			continue
		}
		if door.State == Open {
			return door, nil
		}
		if door.State > best.State {
			best = door
		}
	}
	return best, unanswered
}

// knock asks for a repository as git does.
func (c *Client) knock(ctx context.Context, at *url.URL, extent Extent) (Door, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String()+infoRefs+"?service=git-upload-pack", nil)
	if err != nil {
		return Door{}, fmt.Errorf("gitfetch: ask %s for a repository: %w", at, err)
	}
	req.Header.Set("User-Agent", c.agent)
	resp, err := c.answers.Do(req)
	if err != nil {
		return Door{}, fmt.Errorf("gitfetch: ask for a repository: %w", err)
	}
	defer resp.Body.Close()
	switch status := resp.StatusCode; {
	case status == http.StatusOK:
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return Door{State: Closed, Why: "it wants a password"}, nil
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests, status >= 500:
		return Door{}, fmt.Errorf("gitfetch: ask for a repository: %s answered with status %d", req.URL.Host, status)
	case status >= 300 && status < 400:
		return Door{State: Closed, Why: "it redirects to where we do not follow"}, nil
	default:
		return Door{}, nil
	}
	// What leads to another kind of page, such as that of a login, is none.
	moved, ok := strings.CutSuffix(resp.Request.URL.EscapedPath(), infoRefs)
	if !ok {
		return Door{}, nil
	}
	return readDoor(WithPath(resp.Request.URL, moved), resp, extent)
}

// WithPath is the address of another path, which is given escaped, on the same host.
func WithPath(at *url.URL, escaped string) *url.URL {
	path, err := url.PathUnescape(escaped)
	if err != nil {
		path = escaped // no path of a parsed address comes here
	}
	return &url.URL{Scheme: at.Scheme, Host: at.Host, Path: path, RawPath: escaped}
}

var (
	// dumb is how the references begin of a repository that lies on a host as plain
	// files.
	dumb = regexp.MustCompile(`^[0-9a-f]{40}(?:[0-9a-f]{24})?\t`)
	// sha256Ref is how a reference begins in a repository of that object format.
	sha256Ref = regexp.MustCompile(`^[0-9a-f]{64} `)
)

// ReasonSHA256 is why the door of a SHA-256 repository is closed.
const ReasonSHA256 = "it is a repository of the SHA-256 object format, which is not read here"

func readDoor(at *url.URL, resp *http.Response, extent Extent) (Door, error) {
	var read bytes.Buffer
	body := io.TeeReader(resp.Body, &read)
	if resp.Header.Get("Content-Type") != "application/x-git-upload-pack-advertisement" {
		if _, err := io.CopyN(io.Discard, body, 65); err != nil && !errors.Is(err, io.EOF) {
			return Door{}, fmt.Errorf("gitfetch: ask for a repository: %w", err)
		}
		if dumb.Match(read.Bytes()) {
			return Door{State: Closed, Why: "the repository is served as plain files, which cannot be fetched within bounds"}, nil
		}
		return Door{}, nil
	}
	sha256, err := readRefs(body, extent)
	if err != nil {
		if large, ok := errors.AsType[*strangers.TooLargeError](err); ok && extent == AllRefs {
			return Door{State: Closed, Why: fmt.Sprintf("it advertises more references than fit into %d bytes", large.Most)}, nil
		}
		return Door{}, fmt.Errorf("gitfetch: read the references of the repository: %w", err)
	}
	if sha256 {
		return Door{State: Closed, Why: ReasonSHA256}, nil
	}
	if extent == FirstRef {
		read.Write(pktline.FlushPkt)
	}
	refs, err := decodeRefs(&read)
	if err != nil {
		return Door{State: Closed, Why: "its references cannot be read"}, nil
	}
	return Door{State: Open, At: at, Refs: refs}, nil
}

func decodeRefs(r io.Reader) (refs *packp.AdvRefs, err error) {
	defer recovered(&err)
	refs = packp.NewAdvRefs()
	if err := refs.Decode(r); err != nil && !errors.Is(err, packp.ErrEmptyAdvRefs) {
		return nil, err
	}
	return refs, nil
}

// readRefs reads up to the first reference, or to the end of all. What does not parse is
// for the decoder to say.
func readRefs(body io.Reader, extent Extent) (sha256 bool, err error) {
	lines := pktline.NewScanner(body)
	first := true
	for lines.Scan() {
		line := lines.Bytes()
		if len(line) == 0 {
			if !first {
				break // the end of the references
			}
			continue
		}
		if line[0] == '#' {
			continue
		}
		if first && sha256Ref.Match(line) {
			return true, nil
		}
		if first = false; extent == FirstRef {
			break
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, pktline.ErrInvalidPktLen) {
		return false, err
	}
	return false, nil
}
