package stripe

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	sdk "github.com/stripe/stripe-go/v76"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

// DefaultTimeout is how long Stripe's own libraries wait for an answer. Whoever waits
// less makes more outcomes uncertain.
const DefaultTimeout = 80 * time.Second

// Config is where the processor is and who we are there.
type Config struct {
	// Mode decides which key and address go together.
	Mode payments.Mode
	// Key is a secret or restricted key of the platform's account.
	Key payments.Secret
	// URL is the address of the API, without a path. Empty means Stripe's; a simulator has
	// to be named.
	URL string
	// Timeout bounds a call from connecting to the last byte; zero means DefaultTimeout.
	Timeout time.Duration
}

// What keys begin with. A simulator's key is one of Stripe's test keys by its form, so
// that no library minds it, and none by its meaning.
const simulatorKey = "sk_test_simulator"

var (
	liveKeys = []string{"sk_live_", "rk_live_"}
	testKeys = []string{"sk_test_", "rk_test_"}

	keyForm = regexp.MustCompile(`^(sk|rk)_(live|test)_[0-9A-Za-z_]+$`)
)

func hasPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

// Check says everything that is wrong, in sentences for an operator. It never quotes
// the key.
func (c Config) Check() error {
	if !c.Mode.Valid() {
		_, err := payments.ParseMode(string(c.Mode))
		return fmt.Errorf("ESCROW_MODE: %w", err)
	}
	problems := []error{c.checkKey(), c.checkURL()}
	if c.Timeout < 0 {
		problems = append(problems, errors.New("the timeout of the processor is below zero"))
	}
	return errors.Join(problems...)
}

func (c Config) checkKey() error {
	key := c.Key.Reveal()
	live, simulator := hasPrefix(key, liveKeys), strings.HasPrefix(key, simulatorKey)
	switch {
	case key == "":
		return errors.New("ESCROW_STRIPE_KEY is missing: the escrow cannot work without a payment processor")
	case live && c.Mode != payments.Live:
		return fmt.Errorf("ESCROW_STRIPE_KEY is a live key, and ESCROW_MODE is %s: a live key moves real money and is used in no other mode than live", c.Mode)
	case c.Mode == payments.Live && !live:
		return errors.New("ESCROW_MODE is live, so ESCROW_STRIPE_KEY has to be a live key: it begins with sk_live_ or rk_live_")
	case c.Mode == payments.Simulator && !simulator:
		return errors.New("ESCROW_MODE is simulator, so ESCROW_STRIPE_KEY has to begin with sk_test_simulator")
	case c.Mode == payments.Test && simulator:
		return errors.New("ESCROW_STRIPE_KEY is the simulator's, and ESCROW_MODE is test: use a test key of Stripe's, or the mode simulator")
	case c.Mode == payments.Test && !hasPrefix(key, testKeys):
		return errors.New("ESCROW_MODE is test, so ESCROW_STRIPE_KEY has to be a test key: it begins with sk_test_ or rk_test_")
	case !keyForm.MatchString(key):
		return errors.New("ESCROW_STRIPE_KEY has characters that no key has: look for a space or a line break")
	}
	return nil
}

func (c Config) checkURL() error {
	if c.Mode != payments.Simulator {
		if c.URL != "" && strings.TrimSuffix(c.URL, "/") != sdk.APIURL {
			return fmt.Errorf("ESCROW_MODE is %s, so ESCROW_STRIPE_API_URL can only be %s: leave it out", c.Mode, sdk.APIURL)
		}
		return nil
	}
	if c.URL == "" {
		return errors.New("ESCROW_MODE is simulator, so ESCROW_STRIPE_API_URL has to name the simulator")
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("ESCROW_STRIPE_API_URL is not a web address")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return errors.New("ESCROW_STRIPE_API_URL is an address without a path, query or user: the escrow adds what it needs")
	case isStripe(u.Hostname()):
		return fmt.Errorf("ESCROW_MODE is simulator, and ESCROW_STRIPE_API_URL names Stripe (%s): the simulator is somewhere else", u.Hostname())
	}
	return nil
}

// isStripe also knows the other spellings of the same host: capital letters, the final
// dot, and any host of the domain.
func isStripe(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "stripe.com" || strings.HasSuffix(host, ".stripe.com")
}

func (c Config) url() string {
	if c.URL == "" {
		return sdk.APIURL
	}
	return strings.TrimSuffix(c.URL, "/")
}

func (c Config) timeout() time.Duration {
	if c.Timeout == 0 {
		return DefaultTimeout
	}
	return c.Timeout
}
