package gitfetch

import (
	"context"
	"net/http"

	"github.com/stratosfund/stratosfund/indexer/strangers"
)

// Limits bound what a repository can make us read.
type Limits struct {
	Answer   int64  // bytes of an answer that is no pack
	Pack     int64  // bytes of a pack
	Objects  uint32 // objects of a pack
	Object   int64  // bytes that one object unpacks to
	Chain    int64  // bytes of an object and of all that it is a delta of, one on another
	Unpacked int64  // bytes that all objects unpack to together
	Hops     int    // redirects in a row
}

// Config says by what servers are reached.
type Config struct {
	// Transport makes the connections, and refuses those to private addresses.
	Transport http.RoundTripper
	// Acquire waits for a host's turn; release is called after its answer. It may be
	// nil.
	Acquire   func(ctx context.Context, host string) (release func(), err error)
	UserAgent string
	Limits    Limits
}

// Client asks servers of git repositories.
type Client struct {
	limits  Limits
	agent   string
	answers *http.Client
	packs   *http.Client
}

// New makes a client. It asks nobody yet.
func New(cfg Config) *Client {
	transport := func(most int64) http.RoundTripper {
		return &strangers.Transport{Next: cfg.Transport, Acquire: cfg.Acquire, Most: most}
	}
	return &Client{
		limits:  cfg.Limits,
		agent:   cfg.UserAgent,
		answers: &http.Client{Transport: transport(cfg.Limits.Answer), CheckRedirect: strangers.Follow(cfg.Limits.Hops)},
		// A pack comes from where the references were.
		packs: &http.Client{Transport: transport(cfg.Limits.Pack), CheckRedirect: strangers.Follow(-1)},
	}
}
