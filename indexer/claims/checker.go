package claims

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/gitfetch"
	"github.com/stratosfund/stratosfund/indexer/strangers"
	"github.com/stratosfund/stratosfund/lexicons/weburi"
)

// Outcome is what a check found. The set is closed: it labels metrics.
type Outcome string

// The outcomes of a check.
const (
	// ByRepository and ByHost: the claim is proven, in this way.
	ByRepository Outcome = "repository"
	ByHost       Outcome = "host"
	// Refuted: whoever was asked answered, and it is no proof.
	Refuted Outcome = "refuted"
	// Undecided: somebody could not be asked. Asking again may help.
	Undecided Outcome = "undecided"
)

// Outcomes lists all outcomes.
func Outcomes() []Outcome { return []Outcome{ByRepository, ByHost, Refuted, Undecided} }

// Finding is what a check found, and for people why it is no proof.
type Finding struct {
	Outcome Outcome
	Reason  string
}

// Claim is the question: whether the address is the owner's.
type Claim struct {
	Owner syntax.DID
	URI   weburi.URI
	// Repository: the project says that a git repository is there.
	Repository bool
}

// Limits bound what strangers can make us read.
type Limits struct {
	Check    time.Duration // a whole check
	Answer   int64         // bytes of an answer that is no pack
	Pack     int64         // bytes of a pack
	Objects  uint32        // objects of a pack
	Unpacked int64         // bytes of all its objects together
	File     int64         // bytes of the file that holds the DID
	Hops     int           // redirects in a row
	Levels   int           // segments of a path that a host can prove
}

// DefaultLimits let most repositories pass: with a server that can leave out
// large files, the trees of one commit are nearly all that is fetched.
func DefaultLimits() Limits {
	return Limits{
		Check: 2 * time.Minute, Answer: 128 << 10,
		Pack: 32 << 20, Objects: 250_000, Unpacked: 96 << 20, File: 2 << 10,
		Hops: 4, Levels: 8,
	}
}

// git are the limits of a repository, of which all is held in memory.
func (l Limits) git() gitfetch.Limits {
	return gitfetch.Limits{
		Answer: l.Answer, Pack: l.Pack, Objects: l.Objects,
		Object: l.Unpacked, Chain: l.Unpacked, Unpacked: l.Unpacked, Hops: l.Hops,
	}
}

// Config says by what the world is reached.
type Config struct {
	// Transport makes the connections, and refuses those to private addresses.
	Transport http.RoundTripper
	// Acquire waits for a host's turn; release is called after its answer.
	Acquire func(ctx context.Context, host string) (release func(), err error)
	// DialDNS reaches the DNS server that is asked for handles; nil means the
	// resolver of this machine.
	DialDNS   func(ctx context.Context, network, address string) (net.Conn, error)
	UserAgent string
	Limits    Limits
}

// Checker decides claims.
type Checker struct {
	limits Limits
	git    *gitfetch.Client
	dir    *identity.BaseDirectory
}

// New makes a checker. It asks nobody yet.
func New(cfg Config) *Checker {
	c := &Checker{limits: cfg.Limits}
	c.git = gitfetch.New(gitfetch.Config{
		Transport: cfg.Transport, Acquire: cfg.Acquire, UserAgent: cfg.UserAgent, Limits: cfg.Limits.git(),
	})
	c.dir = &identity.BaseDirectory{
		HTTPClient: http.Client{
			Transport:     &strangers.Transport{Next: cfg.Transport, Acquire: cfg.Acquire, Most: cfg.Limits.Answer},
			CheckRedirect: strangers.Follow(cfg.Limits.Hops),
		},
		UserAgent: cfg.UserAgent,
	}
	c.dir.Resolver.Dial, c.dir.Resolver.PreferGo = cfg.DialDNS, cfg.DialDNS != nil
	return c
}

// Check finds out whether the claim holds now.
func (c *Checker) Check(ctx context.Context, claim Claim) Finding {
	ctx, cancel := context.WithTimeout(ctx, c.limits.Check)
	defer cancel()
	found, err := c.check(ctx, claim)
	if err != nil {
		if refusal, ok := errors.AsType[*refusalError](err); ok {
			return Finding{Refuted, refusal.reason}
		}
		if refusal, ok := errors.AsType[*gitfetch.RefusedError](err); ok {
			return Finding{Refuted, refusal.Reason}
		}
		return Finding{Undecided, err.Error()}
	}
	return Finding{Outcome: found}
}

func (c *Checker) check(ctx context.Context, claim Claim) (Outcome, error) {
	at, err := url.Parse(claim.URI.String())
	if err != nil {
		return "", fmt.Errorf("claims: read the address: %w", err)
	}
	// A repository has no query and no places.
	if at.RawQuery == "" && at.Fragment == "" {
		door, err := c.git.Find(ctx, at, gitfetch.FirstRef)
		if err != nil {
			return "", err
		}
		switch door.State {
		case gitfetch.Open:
			return ByRepository, c.proveByRepository(ctx, door, claim.Owner)
		case gitfetch.Closed:
			return "", refuse("what is at the address cannot be read by everybody: %s", door.Why)
		}
	}
	if claim.Repository {
		return "", refuse("no git repository answers at the address over https")
	}
	return ByHost, c.proveByHost(ctx, at, claim.Owner)
}

// refusalError is an answer that is no proof.
type refusalError struct{ reason string }

func (e *refusalError) Error() string { return e.reason }

func refuse(format string, args ...any) error { return &refusalError{fmt.Sprintf(format, args...)} }

// checkFile compares what a file says with the DID that it should hold.
func checkFile(content []byte, owner syntax.DID) error {
	did, err := syntax.ParseDID(strings.TrimSpace(string(content)))
	if err != nil {
		return refuse("the repository's %s holds no DID", wellKnown)
	}
	if did != owner {
		return refuse("the repository's %s names another account, %s", wellKnown, did)
	}
	return nil
}
