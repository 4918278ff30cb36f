package stripe

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stripe/stripe-go/v76/webhook"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

var (
	testNow = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

	testHooks = Webhooks{
		Mode:    payments.Simulator,
		Account: []payments.Secret{payments.NewSecret("whsec_account_new"), payments.NewSecret("whsec_account_old")},
		Connect: []payments.Secret{payments.NewSecret("whsec_connect")},
	}
)

const (
	accountEvent = `{"object":"event","id":"evt_1","type":"charge.refund.updated","created":1777636800,"livemode":false,
		"api_version":"2099-01-01.future","data":{"object":{"object":"refund","id":"re_1","amount":{"not":"as we know it"}}}}`
	connectEvent = `{"object":"event","id":"evt_2","account":"acct_1","type":"account.updated","created":1777636800,"livemode":false,
		"api_version":null,"data":{"object":{"object":"account","id":"acct_1"}}}`
)

// signedAt is the header that Stripe would send.
func signedAt(at time.Time, secret, body string) string {
	return webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: []byte(body), Secret: secret, Timestamp: at}).Header
}

func TestEventIsReducedToAHint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		endpoint     payments.Endpoint
		secret, body string
		want         payments.Hint
	}{
		{payments.EndpointAccount, "whsec_account_new", accountEvent,
			payments.Hint{ID: "evt_1", Type: "charge.refund.updated", Kind: "refund", Object: "re_1", CreatedAt: testNow}},
		{payments.EndpointAccount, "whsec_account_old", accountEvent,
			payments.Hint{ID: "evt_1", Type: "charge.refund.updated", Kind: "refund", Object: "re_1", CreatedAt: testNow}},
		{payments.EndpointConnect, "whsec_connect", connectEvent,
			payments.Hint{ID: "evt_2", Type: "account.updated", Kind: "account", Object: "acct_1", Account: "acct_1", CreatedAt: testNow}},
		{payments.EndpointAccount, "whsec_account_new", `{"object":"event","id":"evt_3","type":"balance.available","created":1777636800,"data":{"object":{"object":"balance"}}}`,
			payments.Hint{ID: "evt_3", Type: "balance.available", Kind: "balance", CreatedAt: testNow}},
	} {
		for _, age := range []time.Duration{0, webhook.DefaultTolerance, -webhook.DefaultTolerance} {
			got, err := testHooks.Parse(c.endpoint, signedAt(testNow.Add(-age), c.secret, c.body), []byte(c.body), testNow)
			if err != nil {
				t.Errorf("%s, %s old: %v", c.want.ID, age, err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		}
	}
}

func TestEventThatIsNotStripesOrNotOfNowIsRefused(t *testing.T) {
	t.Parallel()
	good := signedAt(testNow, "whsec_account_new", accountEvent)
	mac := good[strings.Index(good, "v1="):]
	old := testNow.Add(-webhook.DefaultTolerance - time.Second)
	oldHeader := signedAt(old, "whsec_account_new", accountEvent)
	live := strings.Replace(accountEvent, `"livemode":false`, `"livemode":true`, 1)
	signed := func(body string) string { return signedAt(testNow, "whsec_account_new", body) }
	for name, c := range map[string]struct {
		endpoint     payments.Endpoint
		header, body string
		want         error
	}{
		"no signature":                   {payments.EndpointAccount, "", accountEvent, ErrUnsigned},
		"no time":                        {payments.EndpointAccount, mac, accountEvent, ErrUnsigned},
		"no time at all":                 {payments.EndpointAccount, "t=," + mac, accountEvent, ErrUnsigned},
		"time zero":                      {payments.EndpointAccount, "t=0," + mac, accountEvent, ErrUnsigned},
		"a time too large":               {payments.EndpointAccount, "t=99999999999999999999," + mac, accountEvent, ErrUnsigned},
		"only a time":                    {payments.EndpointAccount, strings.Split(good, ",")[0], accountEvent, ErrUnsigned},
		"no hex":                         {payments.EndpointAccount, "t=1777636800,v1=xyz", accountEvent, ErrUnsigned},
		"an older scheme":                {payments.EndpointAccount, strings.Replace(good, "v1=", "v0=", 1), accountEvent, ErrUnsigned},
		"an endless header":              {payments.EndpointAccount, good + strings.Repeat(",v1=00", maxSignature), accountEvent, ErrUnsigned},
		"another secret":                 {payments.EndpointAccount, signedAt(testNow, "whsec_forged", accountEvent), accountEvent, ErrForged},
		"no secret":                      {payments.EndpointAccount, signedAt(testNow, "", accountEvent), accountEvent, ErrForged},
		"a changed body":                 {payments.EndpointAccount, good, strings.Replace(accountEvent, "re_1", "re_2", 1), ErrForged},
		"a longer body":                  {payments.EndpointAccount, good, accountEvent + " ", ErrForged},
		"another time":                   {payments.EndpointAccount, "t=1777636801," + mac, accountEvent, ErrForged},
		"half a signature":               {payments.EndpointAccount, good[:len(good)-2], accountEvent, ErrForged},
		"a moment too old":               {payments.EndpointAccount, oldHeader, accountEvent, ErrStale},
		"an old one beside a new time":   {payments.EndpointAccount, "t=1777636800," + oldHeader, accountEvent, ErrUnsigned},
		"a new time after an old one":    {payments.EndpointAccount, oldHeader + ",t=1777636800", accountEvent, ErrUnsigned},
		"a moment too far ahead":         {payments.EndpointAccount, signedAt(testNow.Add(webhook.DefaultTolerance+time.Second), "whsec_account_new", accountEvent), accountEvent, ErrStale},
		"from the end of time":           {payments.EndpointAccount, signedAt(time.Unix(1<<62, 0), "whsec_account_new", accountEvent), accountEvent, ErrStale},
		"an empty body":                  {payments.EndpointAccount, signed(""), "", ErrEmpty},
		"a huge body":                    {payments.EndpointAccount, good, strings.Repeat(" ", payments.MaxEvent+1), ErrOversized},
		"the other endpoint's":           {payments.EndpointAccount, signedAt(testNow, "whsec_connect", connectEvent), connectEvent, ErrWrongEndpoint},
		"the other endpoint's, too":      {payments.EndpointConnect, good, accountEvent, ErrWrongEndpoint},
		"a payee's, as the platform's":   {payments.EndpointAccount, signed(connectEvent), connectEvent, ErrWrongEndpoint},
		"the platform's, as a payee's":   {payments.EndpointConnect, signedAt(testNow, "whsec_connect", accountEvent), accountEvent, ErrWrongEndpoint},
		"an endpoint that there is not":  {"", good, accountEvent, ErrWrongEndpoint},
		"live money in the simulator":    {payments.EndpointAccount, signed(live), live, payments.ErrOtherMode},
		"no JSON":                        {payments.EndpointAccount, signed("{"), "{", ErrUnreadable},
		"no event":                       {payments.EndpointAccount, signed(`{"object":"refund","id":"re_1"}`), `{"object":"refund","id":"re_1"}`, ErrUnreadable},
		"null":                           {payments.EndpointAccount, signed("null"), "null", ErrUnreadable},
		"an event without object":        {payments.EndpointAccount, signed(`{"object":"event","id":"evt_1","type":"a.b"}`), `{"object":"event","id":"evt_1","type":"a.b"}`, ErrUnreadable},
		"an id with a path in it":        {payments.EndpointAccount, signed(strings.Replace(accountEvent, "re_1", "../x", 1)), strings.Replace(accountEvent, "re_1", "../x", 1), ErrUnreadable},
		"an event whose id is a message": {payments.EndpointAccount, signed(strings.Replace(accountEvent, "evt_1", "evt 1", 1)), strings.Replace(accountEvent, "evt_1", "evt 1", 1), ErrUnreadable},
	} {
		if hint, err := testHooks.Parse(c.endpoint, c.header, []byte(c.body), testNow); !errors.Is(err, c.want) || hint != (payments.Hint{}) {
			t.Errorf("%s: %v, %v", name, hint, err)
		}
	}
}

// While a secret is replaced Stripe signs with both.
func TestEventSignedWithSeveralSecretsIsTaken(t *testing.T) {
	t.Parallel()
	header := "v0=00,v1=" + strings.Repeat("00", 32) + "," + signedAt(testNow, "whsec_account_old", accountEvent) + ",v2=x"
	if _, err := testHooks.Parse(payments.EndpointAccount, header, []byte(accountEvent), testNow); err != nil {
		t.Error(err)
	}
}

// Anybody can sign with nothing.
func TestSecretThatIsMissingBelievesNobody(t *testing.T) {
	t.Parallel()
	for name, hooks := range map[string]Webhooks{
		"no secrets":      {Mode: payments.Simulator},
		"an empty secret": {Mode: payments.Simulator, Account: []payments.Secret{{}}},
	} {
		if _, err := hooks.Parse(payments.EndpointAccount, signedAt(testNow, "", accountEvent), []byte(accountEvent), testNow); !errors.Is(err, ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEventIsHeldAgainstItsMode(t *testing.T) {
	t.Parallel()
	hooks := testHooks
	hooks.Mode = payments.Live
	if _, err := hooks.Parse(payments.EndpointAccount, signedAt(testNow, "whsec_account_new", accountEvent), []byte(accountEvent), testNow); !errors.Is(err, payments.ErrOtherMode) {
		t.Error(err)
	}
	live := strings.Replace(accountEvent, `"livemode":false`, `"livemode":true`, 1)
	if hint, err := hooks.Parse(payments.EndpointAccount, signedAt(testNow, "whsec_account_new", live), []byte(live), testNow); err != nil || !hint.Live {
		t.Error(hint, err)
	}
}

func TestToleranceIsTheOperators(t *testing.T) {
	t.Parallel()
	hooks := testHooks
	hooks.Tolerance = 10 * time.Second
	for age, want := range map[time.Duration]error{10 * time.Second: nil, 11 * time.Second: ErrStale, -11 * time.Second: ErrStale} {
		header := signedAt(testNow.Add(-age), "whsec_account_new", accountEvent)
		if _, err := hooks.Parse(payments.EndpointAccount, header, []byte(accountEvent), testNow); !errors.Is(err, want) {
			t.Errorf("%s old: %v", age, err)
		}
	}
}

func TestWebhooksAreConfiguredWithSecretsOfTheirOwn(t *testing.T) {
	t.Parallel()
	if err := testHooks.Check(); err != nil {
		t.Error(err)
	}
	secret := func(s string) []payments.Secret { return []payments.Secret{payments.NewSecret(s)} }
	for problem, hooks := range map[string]Webhooks{
		"ESCROW_STRIPE_WEBHOOK_SECRET is missing":         {Mode: payments.Test, Connect: secret("whsec_c")},
		"ESCROW_STRIPE_CONNECT_WEBHOOK_SECRET is missing": {Mode: payments.Test, Account: secret("whsec_a")},
		"ESCROW_STRIPE_WEBHOOK_SECRET: a secret":          {Mode: payments.Test, Account: secret("sk_test_1"), Connect: secret("whsec_c")},
		"ESCROW_STRIPE_CONNECT_WEBHOOK_SECRET: a secret":  {Mode: payments.Test, Account: secret("whsec_a"), Connect: secret("whsec_")},
		"a secret in common":                              {Mode: payments.Test, Account: secret("whsec_a"), Connect: secret("whsec_a")},
		"tolerance":                                       {Mode: payments.Test, Account: secret("whsec_a"), Connect: secret("whsec_c"), Tolerance: -1},
		"mode":                                            {Account: secret("whsec_a"), Connect: secret("whsec_c")},
	} {
		err := hooks.Check()
		if err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%q: %v", problem, err)
		}
		if err != nil && (strings.Contains(err.Error(), "sk_test_1") || strings.Contains(err.Error(), "whsec_a")) {
			t.Errorf("a secret is in %q", err)
		}
	}
}

// Whatever arrives, it is a hint that Stripe signed, or a typed error.
func FuzzWebhook(f *testing.F) {
	f.Add(signedAt(testNow, "whsec_account_new", accountEvent), []byte(accountEvent), false)
	f.Add(signedAt(testNow, "whsec_connect", connectEvent), []byte(connectEvent), true)
	f.Add("t=1,t=2,v1=00,v1=", []byte("{}"), true)
	f.Add("", []byte(`{"object":"event","id":"evt_1","type":"a","data":{"object":[]}}`), true)
	f.Fuzz(func(t *testing.T, header string, body []byte, connect bool) {
		endpoint, secret := payments.EndpointAccount, "whsec_account_new"
		if connect {
			endpoint, secret = payments.EndpointConnect, "whsec_connect"
		}
		genuine := fmt.Sprintf("t=%d,v1=%s", testNow.Unix(), hex.EncodeToString(webhook.ComputeSignature(testNow, body, secret)))
		for _, h := range []string{header, genuine} {
			hint, err := testHooks.Parse(endpoint, h, body, testNow)
			if err != nil {
				known := []error{ErrUnsigned, ErrForged, ErrWrongEndpoint, ErrStale, ErrEmpty, ErrOversized, ErrUnreadable, payments.ErrOtherMode}
				if !anyOf(err, known) || hint != (payments.Hint{}) {
					t.Fatalf("%v, %v", hint, err)
				}
				continue
			}
			if word(string(hint.ID)) == "" || word(hint.Type) == "" || word(hint.Kind) == "" || hint.Live || (hint.Account != "") != connect {
				t.Fatalf("%+v", hint)
			}
			if h == header && !signedByUs(header, body) {
				t.Fatalf("%q was taken for Stripe's", header)
			}
		}
	})
}

func anyOf(err error, known []error) bool {
	for _, k := range known {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}

// signedByUs looks for a genuine signature by itself: anywhere in the header, of any
// time that is in it.
func signedByUs(header string, body []byte) bool {
	for part := range strings.SplitSeq(header, ",") {
		var unix int64
		if _, err := fmt.Sscanf(part, "t=%d", &unix); err != nil {
			continue
		}
		for _, secret := range []string{"whsec_account_new", "whsec_account_old", "whsec_connect"} {
			mac := hex.EncodeToString(webhook.ComputeSignature(time.Unix(unix, 0), body, secret))
			if bytes.Contains(bytes.ToLower([]byte(header)), []byte(mac)) {
				return true
			}
		}
	}
	return false
}
