package claims

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/gitfetch"
)

// proveByHost wants the address's host to be a handle of the owner, and nobody's
// repository at the address or above it.
func (c *Checker) proveByHost(ctx context.Context, at *url.URL, owner syntax.DID) error {
	if at.Port() != "" {
		return refuse("the host's proof does not cover its port %s", at.Port())
	}
	if isForge(at.Hostname()) {
		return refuse("%s keeps the repositories of many, and proves none of its addresses", at.Hostname())
	}
	levels := above(at)
	if len(levels) > c.limits.Levels+1 {
		return refuse("the host's proof does not cover addresses of more than %d levels", c.limits.Levels)
	}
	if err := c.resolve(ctx, at.Hostname(), owner); err != nil {
		return err
	}
	for _, level := range levels {
		door, err := c.git.Find(ctx, level, gitfetch.FirstRef)
		if err != nil {
			return err
		}
		if door.State != gitfetch.None {
			return refuse("a git repository is at %s, which its host does not prove", level)
		}
	}
	return nil
}

// resolve asks whose handle the host is.
func (c *Checker) resolve(ctx context.Context, host string, owner syntax.DID) error {
	handle, err := syntax.ParseHandle(host)
	if err != nil {
		return refuse("%s cannot be an atproto handle", host)
	}
	did, err := c.dir.ResolveHandle(ctx, handle)
	switch {
	case errors.Is(err, identity.ErrHandleReservedTLD), errors.Is(err, identity.ErrInvalidHandle):
		return refuse("%s cannot be an atproto handle", host)
	case errors.Is(err, identity.ErrHandleNotFound):
		return refuse("%s is nobody's handle: neither DNS nor %s names an account", host, wellKnown)
	case err != nil:
		return fmt.Errorf("claims: ask whose handle %s is: %w", host, err)
	case did != owner:
		return refuse("%s is the handle of another account, %s", host, did)
	}
	return nil
}

// above lists the addresses on the way from the host to the address, both
// included.
func above(at *url.URL) []*url.URL {
	path := at.EscapedPath()
	levels := []*url.URL{{Scheme: at.Scheme, Host: at.Host}}
	for i := range path {
		if i > 0 && path[i] == '/' && path[i-1] != '/' {
			levels = append(levels, gitfetch.WithPath(at, path[:i]))
		}
	}
	if path != "" {
		levels = append(levels, gitfetch.WithPath(at, path))
	}
	return levels
}
