package escrow

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/xrpc"
)

const (
	// ServiceID is the fragment of the service in the escrow's DID document.
	ServiceID = "stratos_escrow"
	// ServiceType is its type there.
	ServiceType = "StratosEscrow"
)

// minPassword is how long a password of admin is at least.
const minPassword = 12

// maxInFlight bounds the requests that are answered at the same time.
const maxInFlight = 256

// Config is what an operator decides about an escrow.
type Config struct {
	// Mode says whose money it is. It is pinned in the database for ever.
	Mode payments.Mode
	// Bind is the host:port of the API; port 0 takes a free one.
	Bind string
	// DatabaseURL is sqlite:// and the path of the ledger. The index is beside it.
	DatabaseURL string
	// PublicURL is where clients reach the API.
	PublicURL string
	// RelayURLs, CollectionDirURL and PLCURL are those of the index.
	RelayURLs        []string
	CollectionDirURL string
	PLCURL           string

	// DID is the account whose repository holds the receipts.
	DID syntax.DID
	// Identifier is with what it logs in: its handle or DID.
	Identifier string
	// AppPassword is an app password of the account.
	AppPassword payments.Secret
	// PDSURL is where the account is. It and SigningKey, a did:key, are for a did:web
	// that this service explains itself; other DID documents say it.
	PDSURL     string
	SigningKey string

	// Name and Contact introduce the service; Contact may be empty.
	Name    string
	Contact string
	// TermsFile is the JSON file with the terms. See [repo.Terms].
	TermsFile string

	// AcknowledgementKey is the private key, in multibase, that signs what is offered to
	// payers. Its public half stands in the account's DID document, under
	// #stratos_acknowledgement.
	AcknowledgementKey payments.Secret
	// Costs is the most that a payment may cost the operator's float.
	Costs checkout.Costs
	// AdminPassword is what admin requests prove themselves with; none means that admin is
	// off.
	AdminPassword payments.Secret

	// MetricsBind is the host:port of the Prometheus metrics; empty means off.
	MetricsBind string
	// RateLimit is how many requests per second one client may make in the long run; 0
	// means no limit.
	RateLimit float64
	// TrustedProxies are the proxies in front, whose X-Forwarded-For says who asks. Behind
	// others all are one client. See [xrpc.ParseProxies].
	TrustedProxies []netip.Prefix
	// Version is what the health check and the user agent say.
	Version string
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	refuse := func(name, format string, args ...any) {
		errs = append(errs, fmt.Errorf(name+": "+format, args...))
	}
	if _, err := payments.ParseMode(string(c.Mode)); err != nil {
		refuse("mode", "%w", err)
	}
	if _, err := sqlite.PathOf(c.DatabaseURL); err != nil {
		refuse("database-url", "%w", err)
	}
	if c.DID == "" {
		refuse("did", "the escrow needs an account, whose repository holds its receipts")
	}
	if c.Identifier == "" || c.AppPassword.IsZero() {
		refuse("identifier, app-password", "the escrow needs an app password of its account, to write receipts")
	}
	if c.Name == "" {
		refuse("service-name", "the escrow needs a name, to introduce itself")
	}
	if c.Contact != "" && !strings.HasPrefix(c.Contact, "https://") && !strings.HasPrefix(c.Contact, "mailto:") {
		refuse("contact", "people reach the operator by https or mailto, and not by %q", c.Contact)
	}
	if c.TermsFile == "" {
		refuse("terms-file", "the escrow needs terms, to which everybody agrees")
	}
	if n := len(c.AdminPassword.Reveal()); n > 0 && n < minPassword {
		refuse("admin-password", "it moves money, so it has at least %d characters, and not %d", minPassword, n)
	}
	if c.MetricsBind != "" {
		if _, _, err := net.SplitHostPort(c.MetricsBind); err != nil {
			refuse("metrics-bind", "%w", err)
		}
	}
	if _, err := checkout.ParseKey(c.AcknowledgementKey); err != nil {
		refuse("acknowledgement-key", "%w; `escrow new-key` makes one", err)
	}
	if err := c.Costs.Validate(); err != nil {
		refuse("cost-basis-points, cost-fixed", "%w", err)
	}
	errs = append(errs, c.checkLive(), c.checkAccount(), c.indexer().Validate(), c.server().Validate())
	return errors.Join(errs...)
}

// checkLive refuses real money where only a demonstration can be.
func (c Config) checkLive() error {
	if c.Mode != payments.Live {
		return nil
	}
	var errs []error
	if !strings.HasPrefix(c.PublicURL, "https://") {
		errs = append(errs, fmt.Errorf("public-url: in live mode people pay, so it begins with https://, and not %q", c.PublicURL))
	}
	if c.indexer().Local() {
		errs = append(errs, errors.New("relay-url: in live mode the index follows the real network, and not this machine alone"))
	}
	return errors.Join(errs...)
}

// explains reports whether the escrow's DID document is for this service to serve.
func (c Config) explains() bool {
	web, err := xrpc.WebDID(c.PublicURL)
	return err == nil && c.DID == web
}

// checkAccount wants of a did:web of ours what its document has to say, and of another
// DID that its own document says it.
func (c Config) checkAccount() error {
	if !c.explains() {
		if c.PDSURL != "" || c.SigningKey != "" {
			return fmt.Errorf("pds-url, signing-key: the DID document of %s says them: leave them out", c.DID)
		}
		return nil
	}
	var errs []error
	if u, err := url.Parse(c.PDSURL); err != nil || u.Host == "" || u.Scheme != "https" && !c.indexer().Local() {
		errs = append(errs, fmt.Errorf("pds-url: this service explains %s, so it has to know the account's PDS, an https address, and not %q", c.DID, c.PDSURL))
	}
	if _, err := atcrypto.ParsePublicDIDKey(c.SigningKey); err != nil {
		errs = append(errs, fmt.Errorf("signing-key: this service explains %s, so it has to know the key of its repository as a did:key: %w", c.DID, err))
	}
	return errors.Join(errs...)
}

func (c Config) indexer() indexer.Config {
	return indexer.Config{
		RelayURLs: c.RelayURLs, DirectoryURL: c.CollectionDirURL, PLCURL: c.PLCURL,
		UserAgent: "stratosfund-escrow/" + c.Version,
	}
}

func (c Config) server() xrpc.Config {
	return xrpc.Config{Bind: c.Bind, PublicURL: c.PublicURL, DID: c.DID, RateLimit: c.RateLimit, MaxInFlight: maxInFlight, TrustedProxies: c.TrustedProxies}
}

// policy trusts the escrow itself, and nobody else: of others it believes nothing.
func (c Config) policy() lifecycle.Policy {
	return lifecycle.Policy{TrustedEscrows: []syntax.DID{c.DID}, TestMoney: c.Mode != payments.Live}
}

func (c Config) introduction() repo.Service {
	return repo.Service{Name: c.Name, URI: strings.TrimSuffix(c.PublicURL, "/") + "/", Contact: c.Contact}
}

// account is what the DID document says of an account that is ours to explain; nil for
// others.
func (c Config) account(key *checkout.Key) *xrpc.Account {
	if !c.explains() {
		return nil
	}
	handle, err := syntax.ParseHandle(c.Identifier)
	if err != nil {
		handle = "" // it logs in with its DID
	}
	return &xrpc.Account{Handle: handle, Key: strings.TrimPrefix(c.SigningKey, "did:key:"), PDS: c.PDSURL, Others: map[string]string{checkout.KeyID: key.Multibase()}}
}

// indexPath is where the index of a ledger lies.
func indexPath(ledger string) string { return strings.TrimSuffix(ledger, ".db") + "-index.db" }

// Options are what a process, a demonstration or a test brings along.
type Options struct {
	// Log marks its lines with the mode already.
	Log   *slog.Logger
	Clock func() time.Time
	// Transport replaces the guarded transport of outgoing requests; see
	// [indexer.Options].
	Transport http.RoundTripper
	// Processor is the payment processor. Without one the service takes no money and
	// sends none, and only publishes what the ledger says.
	Processor payments.Processor
	// Progress replaces the index's own word of how far it is, where the clock is not that
	// of the network. Nil in production.
	Progress func() campaign.Progress
	// ParseEvent checks the processor's events. It goes with a processor.
	ParseEvent payments.ParseEvent
	// Crash is told of the moments at which the process may die. Nil in production.
	Crash crashpoint.Hook
	// CheckOutput validates every answer against its lexicon.
	CheckOutput bool
}
