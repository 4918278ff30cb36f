package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/identity"
)

const (
	// defaultLifetime is how long a public client may keep somebody signed in.
	defaultLifetime = 14 * 24 * time.Hour
	// signInWithin is how long somebody may take at their PDS.
	signInWithin = 30 * time.Minute
	// askWithin bounds everything that one request asks of a PDS.
	askWithin = 12 * time.Second
	// signInsAtOnce bounds how many strangers' hosts are asked for sign-ins at a time.
	signInsAtOnce = 32
	// longestAnswer is how much of an answer of a PDS is read, in bytes.
	longestAnswer = 2 << 20
)

// Config is what an operator decides.
type Config struct {
	// PublicURL is where browsers reach the site. On localhost, over http, the site is
	// OAuth's loopback client, which needs neither metadata nor TLS; any other is https.
	PublicURL string
	// Path is the database file, made when missing, in a folder that exists.
	Path string
	// Keys make the site a confidential client, which PDSs trust for longer. The first
	// one signs; the others are of sessions from before it. None makes a public client.
	// A loopback client has none.
	Keys []Key
	// Local says that the whole network is on this machine: then PDSs there may go
	// without TLS.
	Local bool
	// Lifetime is how long somebody stays signed in; 0 means two weeks.
	Lifetime time.Duration
	// Name is what PDSs call the site when they ask for consent.
	Name string
	// UserAgent is what PDSs are told in requests.
	UserAgent string
}

// Validate reports everything that is wrong with c at once.
func (c Config) Validate() error {
	var errs []error
	u, err := url.Parse(c.PublicURL)
	switch {
	case err != nil:
		errs = append(errs, fmt.Errorf("public-url: %w", err))
	case u.Host == "" || strings.Trim(u.Path, "/") != "":
		errs = append(errs, fmt.Errorf("public-url: %q is not a scheme and a host", c.PublicURL))
	case u.Scheme != "https" && !isLoopbackSite(u):
		errs = append(errs, fmt.Errorf("public-url: %q has to begin with https to sign people in", c.PublicURL))
	case isLoopbackSite(u) && len(c.Keys) > 0:
		errs = append(errs, errors.New("oauth-keys: a site on localhost cannot have any"))
	}
	if c.Path == "" {
		errs = append(errs, errors.New("sessions-url: is missing"))
	}
	if c.Lifetime < 0 {
		errs = append(errs, fmt.Errorf("session lifetime: must not be negative, got %v", c.Lifetime))
	}
	seen := map[string]bool{}
	for _, k := range c.Keys {
		if seen[k.id] {
			errs = append(errs, fmt.Errorf("oauth-keys: %s is there twice", k.id))
		}
		seen[k.id] = true
	}
	return errors.Join(errs...)
}

func isLoopbackSite(u *url.URL) bool { return u.Scheme == "http" && u.Hostname() == "localhost" }

// Key is one that the site proves itself with to PDSs.
type Key struct {
	id      string
	private *atcrypto.PrivateKeyP256
}

// ParseKey reads a key as NewKey writes it.
func ParseKey(multibase string) (Key, error) {
	private, err := atcrypto.ParsePrivateMultibase(multibase)
	if err != nil {
		return Key{}, errors.New("session: not a private key in multibase") // whose error may quote it
	}
	p256, ok := private.(*atcrypto.PrivateKeyP256)
	if !ok {
		return Key{}, errors.New("session: the client's key has to be of the curve P-256")
	}
	public, err := p256.PublicKey()
	if err != nil {
		return Key{}, fmt.Errorf("session: the public half of a key: %w", err)
	}
	return Key{id: public.Multibase(), private: p256}, nil
}

// NewKey makes a key, as the multibase that ParseKey reads.
func NewKey() (string, error) {
	private, err := atcrypto.GeneratePrivateKeyP256()
	if err != nil {
		return "", fmt.Errorf("session: make a key: %w", err)
	}
	return private.Multibase(), nil
}

// String keeps the private half out of logs.
func (k Key) String() string { return k.id }

// Format does so whatever the verb is.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.id)) }

// Options are what a process, or a test, brings along.
type Options struct {
	// Accounts finds accounts by handle and by DID, in both directions.
	Accounts identity.Directory
	// Transport makes the connections to PDSs, and refuses those to private addresses
	// unless Config.Local.
	Transport http.RoundTripper
	// Render shows the pages named SignIn, Leaving and Failed with the data of that
	// type, as private ones.
	Render Render
	Clock  func() time.Time
	Log    *slog.Logger
}

// Sessions are those of all visitors.
type Sessions struct {
	cfg     Config
	opts    Options
	log     *slog.Logger
	store   *store
	client  client
	cookies cookies
	hosts   hosts
	http    *http.Client
	turns   turns
	places  chan struct{}
}

// Open checks cfg and opens the database of sessions. Close releases it.
func Open(ctx context.Context, cfg Config, opts Options) (*Sessions, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("session: configuration: %w", err)
	}
	if opts.Accounts == nil || opts.Transport == nil || opts.Render == nil || opts.Clock == nil || opts.Log == nil {
		return nil, errors.New("session: options: all of them are required")
	}
	if cfg.Lifetime == 0 {
		cfg.Lifetime = defaultLifetime
	}
	client, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	s := &Sessions{
		cfg: cfg, opts: opts, log: opts.Log.With("component", "session"), client: client,
		cookies: cookies{secure: !client.loopback},
		http:    newHTTP(opts.Transport, cfg.Local),
		places:  make(chan struct{}, signInsAtOnce),
	}
	s.hosts = newHosts(s.http, cfg)
	if s.store, err = openStore(ctx, cfg.Path, opts.Clock); err != nil {
		return nil, err
	}
	return s, nil
}

// Close closes the database. It may be called twice.
func (s *Sessions) Close() error { return s.store.Close() }
