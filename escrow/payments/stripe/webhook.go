package stripe

import (
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	sdk "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/webhook"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

// Why an event is not taken. Only payments.ErrOtherMode, beside these, is an everyday
// matter: Stripe tells live Connect endpoints of test events as well.
var (
	// ErrUnsigned says that there is no signature of the form that Stripe sends.
	ErrUnsigned = errors.New("stripe: the event carries no signature")
	// ErrForged says that none of the endpoint's secrets made the signature.
	ErrForged = errors.New("stripe: the event's signature is not Stripe's")
	// ErrWrongEndpoint says that Stripe sent the event to the other endpoint.
	ErrWrongEndpoint = errors.New("stripe: the event belongs to the other endpoint")
	// ErrStale says that the signature is too old, or from the future: a replay, or a
	// clock that is wrong.
	ErrStale = errors.New("stripe: the event's signature is not of now")
	// ErrEmpty and ErrOversized say that the body has no size that an event has.
	ErrEmpty     = errors.New("stripe: the event is empty")
	ErrOversized = errors.New("stripe: the event is too large")
	// ErrUnreadable says that what is signed is no event.
	ErrUnreadable = errors.New("stripe: the event cannot be read")
)

const (
	// SignatureHeader is where the signature stands.
	SignatureHeader = "Stripe-Signature"
	// maxSignature bounds the header: a few signatures while secrets are rotated.
	maxSignature = 4 << 10

	secretPrefix = "whsec_"
)

// variables are where an operator sets the secrets.
var variables = map[payments.Endpoint]string{
	payments.EndpointAccount: "ESCROW_STRIPE_WEBHOOK_SECRET",
	payments.EndpointConnect: "ESCROW_STRIPE_CONNECT_WEBHOOK_SECRET",
}

// Webhooks checks events. It may be shared.
type Webhooks struct {
	Mode payments.Mode
	// Account and Connect are the secrets of the two endpoints, the current one and those
	// that are being replaced.
	Account, Connect []payments.Secret
	// Tolerance is how far a signature may be from now; zero means Stripe's own five
	// minutes.
	Tolerance time.Duration
}

// Check says everything that is wrong, in sentences for an operator.
func (w Webhooks) Check() error {
	var problems []error
	if !w.Mode.Valid() {
		problems = append(problems, errors.New("the mode of webhooks is not known"))
	}
	if w.Tolerance < 0 {
		problems = append(problems, errors.New("the tolerance of webhooks is below zero"))
	}
	owner := make(map[string]payments.Endpoint)
	for _, endpoint := range []payments.Endpoint{payments.EndpointAccount, payments.EndpointConnect} {
		secrets := w.secrets(endpoint)
		if len(secrets) == 0 {
			problems = append(problems, fmt.Errorf("%s is missing: without a secret nothing that arrives at the %s webhook can be believed", variables[endpoint], endpoint))
		}
		for _, secret := range secrets {
			key := secret.Reveal()
			if !strings.HasPrefix(key, secretPrefix) || len(key) == len(secretPrefix) {
				problems = append(problems, fmt.Errorf("%s: a secret of a webhook begins with %s", variables[endpoint], secretPrefix))
			}
			if other, ok := owner[key]; ok && other != endpoint {
				problems = append(problems, fmt.Errorf("%s and %s have a secret in common: each endpoint has its own", variables[payments.EndpointAccount], variables[payments.EndpointConnect]))
			}
			owner[key] = endpoint
		}
	}
	return errors.Join(problems...)
}

func (w Webhooks) secrets(endpoint payments.Endpoint) []payments.Secret {
	switch endpoint {
	case payments.EndpointAccount:
		return w.Account
	case payments.EndpointConnect:
		return w.Connect
	}
	return nil
}

// Parse returns what an event hints at, if Stripe sent it to this endpoint just now.
// Header is that of SignatureHeader. The same event may come again and again within the
// tolerance: whoever acts on it stores its id.
func (w Webhooks) Parse(endpoint payments.Endpoint, header string, body []byte, now time.Time) (payments.Hint, error) {
	switch {
	case len(body) == 0:
		return payments.Hint{}, ErrEmpty
	case len(body) > payments.MaxEvent:
		return payments.Hint{}, ErrOversized
	}
	signed, err := parseSignature(header)
	if err != nil {
		return payments.Hint{}, err
	}
	if !signed.by(w.secrets(endpoint), body) {
		if signed.by(w.Account, body) || signed.by(w.Connect, body) {
			return payments.Hint{}, ErrWrongEndpoint
		}
		return payments.Hint{}, ErrForged
	}
	if age := now.Sub(signed.at); age.Abs() > w.tolerance() {
		return payments.Hint{}, fmt.Errorf("%w: it is %s old", ErrStale, age)
	}

	var event sdk.Event
	if err := json.Unmarshal(body, &event); err != nil {
		return payments.Hint{}, ErrUnreadable
	}
	hint, err := hintOf(&event)
	switch {
	case err != nil:
		return payments.Hint{}, ErrUnreadable
	case (hint.Account != payments.Platform) != (endpoint == payments.EndpointConnect):
		return payments.Hint{}, ErrWrongEndpoint
	case hint.Live != w.Mode.Live():
		return payments.Hint{}, payments.ErrOtherMode
	}
	return hint, nil
}

// ParseEvent is Parse of a whole header. It is a payments.ParseEvent.
func (w Webhooks) ParseEvent(endpoint payments.Endpoint, header http.Header, body []byte, now time.Time) (payments.Hint, error) {
	return w.Parse(endpoint, header.Get(SignatureHeader), body, now)
}

func (w Webhooks) tolerance() time.Duration {
	if w.Tolerance == 0 {
		return webhook.DefaultTolerance
	}
	return w.Tolerance
}

// signature is what the header says. The library's own reading of it is not used: that
// compares with the machine's clock, and takes what is ahead of it.
type signature struct {
	at   time.Time
	macs [][]byte
}

// parseSignature reads "t=1495999758,v1=5257...,v1=...,v0=...". There is one time, or an
// old signature could be passed off as new beside another.
func parseSignature(header string) (signature, error) {
	if header == "" || len(header) > maxSignature {
		return signature{}, ErrUnsigned
	}
	var s signature
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "t":
			seconds, err := strconv.ParseInt(value, 10, 64)
			if err != nil || seconds <= 0 || !s.at.IsZero() {
				return signature{}, ErrUnsigned
			}
			s.at = time.Unix(seconds, 0)
		case "v1":
			if mac, err := hex.DecodeString(value); err == nil {
				s.macs = append(s.macs, mac)
			}
		}
	}
	if s.at.IsZero() || len(s.macs) == 0 {
		return signature{}, ErrUnsigned
	}
	return s, nil
}

// by tells whether one of the secrets signed the body.
func (s signature) by(secrets []payments.Secret, body []byte) bool {
	for _, secret := range secrets {
		if secret.IsZero() {
			continue // anybody can sign with nothing
		}
		want := webhook.ComputeSignature(s.at, body, secret.Reveal())
		for _, mac := range s.macs {
			if hmac.Equal(mac, want) {
				return true
			}
		}
	}
	return false
}
