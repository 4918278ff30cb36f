package gitfetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/stratosfund/stratosfund/indexer/strangers"
)

// Ask is what is wanted of a repository. What a server cannot leave out comes with it.
type Ask struct {
	Wants []plumbing.Hash
	// Haves are commits whose history is not to be sent.
	Haves []plumbing.Hash
	// Depth is how many commits in a row are sent; 0 means all.
	Depth int
	// Filter leaves out objects; empty means none.
	Filter packp.Filter
}

// Fetch asks for a pack and hands its bytes over as they come. The pack is proven by
// nothing yet: see [Unpack] and [Write]. An error that read returns is returned as it
// is.
func (c *Client) Fetch(ctx context.Context, door Door, ask Ask, read func(pack io.Reader) error) error {
	request, err := door.request(ask)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	err = errors.Join(request.UploadRequest.Encode(&body), request.UploadHaves.Encode(&body, false), pktline.NewEncoder(&body).EncodeString("done\n"))
	if err != nil {
		return fmt.Errorf("gitfetch: ask for a pack: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, door.At.String()+uploadPack, &body)
	if err != nil {
		return fmt.Errorf("gitfetch: ask for a pack: %w", err)
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Content-Type", "application/x-git-upload-pack-request")
	req.Header.Set("Accept", "application/x-git-upload-pack-result")
	resp, err := c.packs.Do(req)
	if err != nil {
		return fmt.Errorf("gitfetch: ask for a pack: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("gitfetch: ask for a pack: %s answered with status %d", door.At.Host, resp.StatusCode)
	}
	err = readPack(request, resp, read)
	if large, ok := errors.AsType[*strangers.TooLargeError](err); ok {
		return refuse("the repository is too large: what is needed of it packs to over %d bytes", large.Most)
	}
	if err != nil {
		return fmt.Errorf("gitfetch: read a pack from %s: %w", door.At.Host, err)
	}
	return nil
}

// request is sent by us because go-git's own endpoints lose the escapes of a path.
func (d Door) request(ask Ask) (*packp.UploadPackRequest, error) {
	offered := d.Refs.Capabilities
	transport.FilterUnsupportedCapabilities(offered)
	request := packp.NewUploadPackRequestFromCapabilities(offered)
	request.Wants, request.Haves = ask.Wants, ask.Haves
	var errs []error
	if ask.Depth > 0 && offered.Supports(capability.Shallow) {
		request.Depth = packp.DepthCommits(ask.Depth)
		errs = append(errs, request.Capabilities.Set(capability.Shallow))
	}
	if ask.Filter != "" && offered.Supports(capability.Filter) {
		request.Filter = ask.Filter
		errs = append(errs, request.Capabilities.Set(capability.Filter))
	}
	if err := errors.Join(append(errs, request.Validate())...); err != nil {
		return nil, fmt.Errorf("gitfetch: ask for a pack: %w", err)
	}
	return request, nil
}

// MayWant reports whether the server gives a commit that it does not advertise as such,
// if only it is reachable.
func (d Door) MayWant() bool {
	return d.Refs.Capabilities.Supports(capability.AllowReachableSHA1InWant)
}

func readPack(request *packp.UploadPackRequest, resp *http.Response, read func(io.Reader) error) (err error) {
	defer recovered(&err)
	answer := packp.NewUploadPackResponse(request)
	if err := answer.Decode(resp.Body); err != nil {
		return err
	}
	switch {
	case request.Capabilities.Supports(capability.Sideband64k):
		return read(sideband.NewDemuxer(sideband.Sideband64k, answer))
	case request.Capabilities.Supports(capability.Sideband):
		return read(sideband.NewDemuxer(sideband.Sideband, answer))
	}
	return read(answer)
}
