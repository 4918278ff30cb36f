package escrow

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76/webhook"
)

// TestSecurity_OnlyTheProcessorIsHeard: an event that is forged, stale or at the other
// endpoint is refused by the service itself, and nothing is kept of it.
//
// The rest of what may be tried is tested where it is refused: tokens, somebody else's
// pledge and open redirects by TestCreateCheckout_WhoAsksAndHow, commits and records of a
// PDS that lies in escrow/proof, amounts and currencies in escrow/checkout, keys, modes and
// addresses that do not belong together, and missing secrets, in cmd/escrow.
func TestSecurity_OnlyTheProcessorIsHeard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const event = `{"object":"event","id":"evt_tried","type":"topup.succeeded","livemode":false,"created":1777636800,"data":{"object":{"object":"topup","id":"tu_tried"}}}`
	signed := func(at time.Time, secret string) string {
		return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(webhook.ComputeSignature(at, []byte(event), secret)))
	}
	now := time.Now()
	good := signed(now, accountSecret)
	for _, c := range []struct {
		name, path, signature, body string
		status, kept                int
	}{
		{"unsigned", WebhookPath, "", event, http.StatusBadRequest, 0},
		{"forged", WebhookPath, signed(now, "whsec_other"), event, http.StatusBadRequest, 0},
		{"stale", WebhookPath, signed(now.Add(-time.Hour), accountSecret), event, http.StatusBadRequest, 0},
		{"of tomorrow", WebhookPath, signed(now.Add(24*time.Hour), accountSecret), event, http.StatusBadRequest, 0},
		{"changed", WebhookPath, good, strings.Replace(event, "tu_tried", "tu_other", 1), http.StatusBadRequest, 0},
		{"at the other endpoint", ConnectWebhookPath, good, event, http.StatusBadRequest, 0},
		{"good", WebhookPath, good, event, http.StatusOK, 1},
		{"replayed", WebhookPath, good, event, http.StatusOK, 1},
	} {
		r, err := http.NewRequest(http.MethodPost, w.url+c.path, strings.NewReader(c.body))
		w.ok(err)
		r.Header.Set("Stripe-Signature", c.signature)
		if resp, _ := w.browse(r); resp.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", c.name, resp.StatusCode, c.status)
		}
		if n := w.hints("evt_tried"); n != c.kept {
			t.Errorf("%s: %d events are kept, want %d", c.name, n, c.kept)
		}
	}
}
