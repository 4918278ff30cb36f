package stripe

import (
	"strings"
	"testing"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

func TestConfigTakesOnlyWhatBelongsTogether(t *testing.T) {
	t.Parallel()
	const (
		stripeURL = "https://api.stripe.com"
		simulator = "http://127.0.0.1:12111"
		liveKey   = "sk_live_51AbC"
		testsKey  = "sk_test_51AbC"
		simKey    = "sk_test_simulator_1"
	)
	for _, c := range []struct {
		mode     payments.Mode
		key, url string
		problem  string // what the sentence says, empty if it is all right
	}{
		{payments.Live, liveKey, "", ""},
		{payments.Live, liveKey, stripeURL, ""},
		{payments.Live, liveKey, stripeURL + "/", ""},
		{payments.Live, "rk_live_51AbC", "", ""},
		{payments.Test, testsKey, "", ""},
		{payments.Test, "rk_test_51AbC", stripeURL, ""},
		{payments.Simulator, simKey, simulator, ""},
		{payments.Simulator, simKey, "http://localhost:12111/", ""},
		{payments.Simulator, simKey, "http://simulator:12111", ""},
		{payments.Simulator, simKey, "https://simulator.example", ""},

		// The wrong key.
		{payments.Live, testsKey, "", "has to be a live key"},
		{payments.Live, simKey, "", "has to be a live key"},
		{payments.Live, "pk_live_51AbC", "", "has to be a live key"},
		{payments.Live, "", "", "is missing"},
		{payments.Live, liveKey + "\n", "", "a space or a line break"},
		{payments.Test, liveKey, "", "used in no other mode than live"},
		{payments.Test, "rk_live_51AbC", "", "used in no other mode than live"},
		{payments.Test, simKey, "", "is the simulator's"},
		{payments.Test, "whsec_1", "", "has to be a test key"},
		{payments.Simulator, liveKey, simulator, "used in no other mode than live"},
		{payments.Simulator, "rk_live_51AbC", simulator, "used in no other mode than live"},
		{payments.Simulator, testsKey, simulator, "begin with sk_test_simulator"},
		{payments.Simulator, "sk_test_simulator 1", simulator, "a space or a line break"},

		// The wrong address.
		{payments.Live, liveKey, simulator, "can only be https://api.stripe.com"},
		{payments.Live, liveKey, "https://simulator.example", "can only be"},
		{payments.Live, liveKey, "http://api.stripe.com", "can only be"},
		{payments.Live, liveKey, "https://api.stripe.com:8443", "can only be"},
		{payments.Live, liveKey, "https://api.stripe.com@evil.example", "can only be"},
		{payments.Live, liveKey, "https://api.stripe.com.evil.example", "can only be"},
		{payments.Live, liveKey, "https://api.stripe.com/v1", "can only be"},
		{payments.Test, testsKey, simulator, "can only be"},
		{payments.Simulator, simKey, "", "has to name the simulator"},
		{payments.Simulator, simKey, stripeURL, "names Stripe"},
		{payments.Simulator, simKey, "http://api.stripe.com", "names Stripe"},
		{payments.Simulator, simKey, "https://API.Stripe.com.", "names Stripe"},
		{payments.Simulator, simKey, "https://files.stripe.com:443", "names Stripe"},
		{payments.Simulator, simKey, "ftp://127.0.0.1", "not a web address"},
		{payments.Simulator, simKey, "127.0.0.1:12111", "not a web address"},
		{payments.Simulator, simKey, "http://", "not a web address"},
		{payments.Simulator, simKey, simulator + "/v1", "without a path"},
		{payments.Simulator, simKey, simulator + "?a=b", "without a path"},
		{payments.Simulator, simKey, "http://user:word@127.0.0.1", "without a path"},

		// The wrong mode.
		{"", testsKey, "", "live, test or simulator"},
		{"production", liveKey, "", "live, test or simulator"},
	} {
		cfg := Config{Mode: c.mode, Key: payments.NewSecret(c.key), URL: c.url}
		err := cfg.Check()
		if _, newErr := New(cfg, Options{}); (newErr == nil) != (err == nil) {
			t.Errorf("%s %s %s: New says %v, Check %v", c.mode, c.key, c.url, newErr, err)
		}
		switch {
		case c.problem == "" && err != nil:
			t.Errorf("%s %s %s: %v", c.mode, c.key, c.url, err)
		case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
			t.Errorf("%s %s %s: %v instead of %q", c.mode, c.key, c.url, err, c.problem)
		case err != nil && c.key != "" && strings.Contains(err.Error(), c.key):
			t.Errorf("the key is in %q", err)
		}
	}
}

func TestConfigSaysEverythingAtOnce(t *testing.T) {
	t.Parallel()
	err := Config{Mode: payments.Live, URL: "http://127.0.0.1", Timeout: -1}.Check()
	for _, name := range []string{"ESCROW_STRIPE_KEY", "ESCROW_STRIPE_API_URL", "timeout"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not in %v", name, err)
		}
	}
}
