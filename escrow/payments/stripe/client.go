package stripe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	sdk "github.com/stripe/stripe-go/v76"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

var _ payments.Processor = (*Client)(nil)

// Client speaks to Stripe.
type Client struct {
	backend sdk.Backend
}

// Options are for tests. The zero value is what runs.
type Options struct {
	// Transport carries the requests, nil for one of the client's own.
	Transport http.RoundTripper
}

// New returns a client, without asking anybody anything, or says what is wrong with
// the configuration.
func New(cfg Config, opts Options) (*Client, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	home, err := url.Parse(cfg.url())
	if err != nil {
		return nil, fmt.Errorf("stripe: the address of the API: %w", err)
	}
	transport := opts.Transport
	if transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.MaxResponseHeaderBytes = maxHeader
		transport = own
	}
	out := &wire{key: cfg.Key, home: home, timeout: cfg.timeout(), next: transport}
	return &Client{sdk.GetBackendWithConfig(sdk.APIBackend, &sdk.BackendConfig{
		URL:               sdk.String(cfg.url()),
		HTTPClient:        &http.Client{Transport: out},
		MaxNetworkRetries: sdk.Int64(0),
		EnableTelemetry:   sdk.Bool(false),
		// The library's logger quotes answers.
		LeveledLogger: &sdk.LeveledLogger{Level: sdk.LevelNull},
	})}, nil
}

// params are those of a call that creates nothing.
func params(ctx context.Context, account payments.AccountID) sdk.Params {
	p := sdk.Params{Context: ctx}
	if account != payments.Platform {
		p.SetStripeAccount(string(account))
	}
	return p
}

// order are those of a call that creates something.
func order(ctx context.Context, account payments.AccountID, key payments.Key) sdk.Params {
	p := params(ctx, account)
	p.SetIdempotencyKey(string(key))
	return p
}

// failed wraps what a call returned in what it was for. The wire's failures are kept.
// What else the library says would be about an answer that it could not decode, and
// quote it: that is uncertain, without the quote.
func failed(err error, act string, args ...any) error {
	act = fmt.Sprintf(act, args...)
	failure, ok := errors.AsType[*payments.Failure](err)
	if !ok {
		failure = &payments.Failure{Kind: payments.ErrUncertain, Cause: errUnreadable}
	}
	return fmt.Errorf("payments: %s: %w", act, failure)
}

// one reads an answer of one object.
func one[R, T any](answer R, err error, read func(R) (T, error), act string, args ...any) (T, error) {
	if err != nil {
		return *new(T), failed(err, act, args...)
	}
	object, err := read(answer)
	if err != nil {
		return *new(T), failed(err, act, args...)
	}
	return object, nil
}
