package escrow

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// TestPages_OfOnePaymentTakeNoPlacesOfOthers: a processor that does not answer, and
// somebody who loads the pages of one payment again and again.
func TestPages_OfOnePaymentTakeNoPlacesOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	subject := w.pledge(w.open(), 2500)
	out, err := stratos.EscrowCreateCheckout(t.Context(), w.viaPDS(w.backer), &stratos.EscrowCreateCheckout_Input{Subject: subject, ReturnUri: "https://app.example.org"})
	w.ok(err)
	_, page := w.get(out.Url)
	terms := url.Values{"terms": agreement.FindStringSubmatch(page)[1:]}
	if resp, _ := w.submit(out.Url, "same-origin", terms); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("agreed to, it is %d", resp.StatusCode)
	}
	w.silent.Store(true)
	t.Cleanup(func() { w.silent.Store(false) })

	// More than all places, of which so many are asked for together: what does not wait is
	// answered however slow the machine is.
	const requests, together = maxInFlight + 44, 32
	for name, c := range map[string]struct {
		method, address string
		body            string
		wait            int // how many may wait for the processor
		status          int // of the others
	}{
		"where it stands": {http.MethodGet, w.url + "/paid/" + out.Payment, "", 1, http.StatusOK},
		"the agreement":   {http.MethodPost, out.Url, terms.Encode(), 8, http.StatusServiceUnavailable},
	} {
		ctx, hangUp := context.WithCancel(t.Context())
		answers, asking := make(chan int, requests), make(chan struct{}, together)
		client := &http.Client{Transport: &http.Transport{}, CheckRedirect: browser.CheckRedirect}
		for range requests {
			r, err := http.NewRequestWithContext(ctx, c.method, c.address, strings.NewReader(c.body))
			w.ok(err)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			go func() {
				asking <- struct{}{}
				defer func() { <-asking }()
				resp, err := client.Do(r)
				if err != nil {
					answers <- 0
					return
				}
				_ = resp.Body.Close()
				answers <- resp.StatusCode
			}()
		}
		for n := range requests - c.wait {
			select {
			case status := <-answers:
				if status != c.status {
					t.Fatalf("%s: %d, want %d", name, status, c.status)
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%s: only %d of %d were answered", name, n, requests)
			}
		}
		if resp, _ := w.get(w.url + "/"); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: another page is %d", name, resp.StatusCode)
		}
		hangUp()
	}
	w.silent.Store(false)
	w.until("the pages answer again", func() bool {
		resp, _ := w.submit(out.Url, "same-origin", terms)
		return resp.StatusCode == http.StatusSeeOther
	})
}
