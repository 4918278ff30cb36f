package indexer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Asker asks servers that strangers' DID documents name, as the index does: public
// addresses only unless the whole network is on this machine, https, no redirects, and
// no faster than is polite. It may be shared.
type Asker struct{ hosts *hosts }

// NewAsker returns an asker. A transport replaces the guarded one; nil in production.
func NewAsker(cfg Config, transport http.RoundTripper) (*Asker, error) {
	if transport == nil {
		transport = outgoing(cfg.Local())
	}
	hosts, err := newHosts(asking(transport), cfg.UserAgent, cfg.Local())
	if err != nil {
		return nil, err
	}
	return &Asker{hosts}, nil
}

// Query asks one query of the server at this address, and hands over the body of a good
// answer, which the caller bounds. The context bounds the time.
func (a *Asker) Query(ctx context.Context, server string, method syntax.NSID, params url.Values, accept string, read func(io.Reader) error) error {
	base, err := a.hosts.base(server)
	if err != nil {
		return err
	}
	return a.hosts.get(ctx, base, method.String(), params, accept, read)
}

// Refused tells what a server said to a question that it refused: the name of the error,
// and its message. ok is false for every other error, and for a server that failed.
func Refused(err error) (name, message string, ok bool) {
	answer, is := errors.AsType[*answerError](err)
	if !is || answer.name == "" || answer.status >= http.StatusInternalServerError {
		return "", "", false
	}
	return answer.name, answer.message, true
}

// asking is the client for servers other than the upstream. No redirect is followed: an
// XRPC method has one address.
func asking(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
