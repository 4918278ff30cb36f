package simulator

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"
)

// KeyPrefix begins every key of a simulator, and no key of Stripe's.
const KeyPrefix = "sk_test_simulator_"

// Config is what an operator decides.
type Config struct {
	// Bind is the host:port to listen on; loopback only. Port 0 picks a free one.
	Bind string
	// PublicURL is where browsers reach the pages; empty is http:// and the address
	// that is listened on.
	PublicURL string
	// DatabasePath is the file that holds the state; made when missing.
	DatabasePath string
	// Key is the secret key that requests carry; begins with KeyPrefix.
	Key string
	// Endpoints receive webhooks. The control API may replace them.
	Endpoints []Endpoint
	// Terms are what the processor charges and how long things take.
	Terms Terms
}

// Endpoint is told of events.
type Endpoint struct {
	URL string `json:"url"`
	// Secret signs what is sent; begins with whsec_, as Stripe's do.
	Secret string `json:"secret"`
	// Connect endpoints hear of connected accounts, the others of the platform itself.
	Connect bool `json:"connect"`
}

// Terms are the numbers of the processor. See [StripeTerms].
type Terms struct {
	// Country and Currency are those of the platform.
	Country, Currency string
	// FeeBasisPoints and FeeFixed are taken of each charge: hundredths of a percent of
	// the amount, rounded to the nearest, and minor units.
	FeeBasisPoints, FeeFixed int64
	// DisputeFee is taken with the funds of a dispute, in minor units, and kept.
	DisputeFee int64
	// FundsAfter is how long the funds of a charge are pending.
	FundsAfter time.Duration
	// RefundSettlesAfter is how long a refund that is not immediate is pending.
	RefundSettlesAfter time.Duration
	// RefundFailsAfter is when a refund that fails does so.
	RefundFailsAfter time.Duration
	// EvidenceWithin is how long a dispute may be answered.
	EvidenceWithin time.Duration
	// DisputesWithin is how long after a charge its payer may dispute it.
	DisputesWithin time.Duration
	// WarningsWithin is how long after a charge its issuer may warn of fraud.
	WarningsWithin time.Duration
	// RestrictedFor is how long an account that a fault restricted stays so.
	RestrictedFor time.Duration
	// PayoutTakes is how long a payout is on its way.
	PayoutTakes time.Duration
	// LinkLives is how long an account link can be used.
	LinkLives time.Duration
	// WebhookRetry is the wait after the first failed delivery. It doubles each time,
	// up to WebhookRetryMost, until WebhookGivesUp has passed since the event.
	WebhookRetry, WebhookRetryMost, WebhookGivesUp time.Duration
	// WebhookLateBy is the most that a delivery comes too late by a fault.
	WebhookLateBy time.Duration
	// WebhookPatience is how long an endpoint may take to answer, by the wall clock.
	WebhookPatience time.Duration
	// HangFor is how long a fault keeps a client waiting at most, by the wall clock.
	HangFor time.Duration
}

const day = 24 * time.Hour

// StripeTerms are Stripe's, as its documentation gives them for a platform in the US.
func StripeTerms() Terms {
	return Terms{
		Country: "US", Currency: "usd",
		FeeBasisPoints: 290, FeeFixed: 30, DisputeFee: 1500,
		FundsAfter: 2 * day, RefundSettlesAfter: 5 * day, RefundFailsAfter: 21 * day,
		EvidenceWithin: 21 * day, DisputesWithin: 120 * day, WarningsWithin: 30 * day,
		RestrictedFor: day, PayoutTakes: 2 * day, LinkLives: 5 * time.Minute,
		WebhookRetry: 10 * time.Second, WebhookRetryMost: 12 * time.Hour, WebhookGivesUp: 3 * day,
		WebhookLateBy: time.Hour, WebhookPatience: 20 * time.Second, HangFor: 80 * time.Second,
	}
}

// Options are what a process hands down.
type Options struct {
	Log *slog.Logger
	// Clock is the real time; the simulator's own may be ahead of it or stand.
	Clock func() time.Time
}

// Validate says everything that is wrong, by the names of the flags.
func (c Config) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if host, _, err := net.SplitHostPort(c.Bind); err != nil {
		wrong("bind: %w", err)
	} else if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		wrong("bind: %s is not this machine's loopback: whoever reaches a simulator commands it", c.Bind)
	}
	if c.PublicURL != "" && !isWebAddress(c.PublicURL) {
		wrong("public-url: want http:// or https:// and a host, got %q", c.PublicURL)
	}
	if c.DatabasePath == "" {
		wrong("database: want a path")
	}
	if !strings.HasPrefix(c.Key, KeyPrefix) || c.Key == KeyPrefix {
		wrong("key: want %s and something of yours, so that nobody takes it for a real one", KeyPrefix)
	}
	for _, e := range c.Endpoints {
		if err := e.Validate(); err != nil {
			errs = append(errs, err)
		}
	}
	if err := c.Terms.validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Validate says what is wrong with the endpoint, or nothing.
func (e Endpoint) Validate() error {
	if !isWebAddress(e.URL) {
		return fmt.Errorf("webhook: want http:// or https:// and a host, got %q", e.URL)
	}
	if !strings.HasPrefix(e.Secret, "whsec_") {
		return fmt.Errorf("webhook %s: want a secret that begins with whsec_", e.URL)
	}
	return nil
}

func (t Terms) validate() error {
	var errs []error
	if _, ok := minimums[t.Currency]; !ok {
		errs = append(errs, fmt.Errorf("terms: unknown currency %q", t.Currency))
	}
	if t.FeeBasisPoints < 0 || t.FeeBasisPoints > 10_000 || t.FeeFixed < 0 || t.DisputeFee < 0 {
		errs = append(errs, errors.New("terms: a fee is negative or more than all"))
	}
	for _, d := range []time.Duration{
		t.RefundSettlesAfter, t.RefundFailsAfter, t.EvidenceWithin, t.DisputesWithin, t.WarningsWithin, t.RestrictedFor,
		t.PayoutTakes, t.LinkLives, t.WebhookRetry, t.WebhookRetryMost, t.WebhookGivesUp, t.WebhookLateBy, t.WebhookPatience, t.HangFor,
	} {
		if d <= 0 {
			errs = append(errs, errors.New("terms: a duration is not positive: begin with StripeTerms"))
			break
		}
	}
	if t.FundsAfter < 0 {
		errs = append(errs, errors.New("terms: funds become available before the charge"))
	}
	return errors.Join(errs...)
}

func isWebAddress(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
