package oracle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/atmosphere/simulated"
)

// person has an account, and a browser.
type person struct {
	*simulated.Account
	name string
}

// askFor is how long a person waits for the escrow: less than a busy machine can take, so
// that some answers are lost.
const askFor = 10 * time.Second

// tokenLife is how long a service token is good.
const tokenLife = time.Minute

// refusal is an answer of the escrow that is an error. A status of 502 says that nobody
// was there.
type refusal struct {
	status int
	name   string // as the lexicon has it; empty when the answer was not one
	text   string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("oracle: status %d %s: %s", r.status, r.name, r.text)
}

// xrpc calls a method of the escrow as the person; input is nil for a query.
func (w *World) xrpc(ctx context.Context, p *person, method syntax.NSID, params url.Values, input, output any) error {
	verb, body := http.MethodGet, io.Reader(nil)
	if input != nil {
		raw, err := json.Marshal(input)
		if err != nil {
			return fmt.Errorf("oracle: call %s: %w", method, err)
		}
		verb, body = http.MethodPost, bytes.NewReader(raw)
	}
	address := publicURL + "/xrpc/" + method.String()
	if len(params) > 0 {
		address += "?" + params.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, verb, address, body)
	if err != nil {
		return fmt.Errorf("oracle: call %s: %w", method, err)
	}
	req.Header.Set("Content-Type", "application/json")
	if p != nil {
		w.tokens++
		token, err := p.Token(w.escrow.account.DID, method, tokenLife, fmt.Sprintf("%d-%d", w.seed, w.tokens))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := w.browser.Do(req)
	if err != nil {
		return fmt.Errorf("oracle: call %s: %w", method, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("oracle: call %s: %w", method, err)
	}
	if resp.StatusCode != http.StatusOK {
		var refused struct{ Error, Message string }
		_ = json.Unmarshal(raw, &refused) // what does not parse leaves the name empty
		return &refusal{resp.StatusCode, refused.Error, refused.Message}
	}
	if err := json.Unmarshal(raw, output); err != nil {
		return fmt.Errorf("oracle: call %s: %w", method, err)
	}
	return nil
}

// page is what a browser was shown, or where it was sent.
type page struct {
	status   int
	location string
	body     string
}

// visit opens a page, or submits its form when there are values.
func (w *World) visit(ctx context.Context, address string, form url.Values) (page, error) {
	verb, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		verb, body = http.MethodPost, bytes.NewReader([]byte(form.Encode()))
	}
	req, err := http.NewRequestWithContext(ctx, verb, address, body)
	if err != nil {
		return page{}, fmt.Errorf("oracle: visit %s: %w", address, err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", publicURL)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := w.browser.Do(req)
	if err != nil {
		return page{}, fmt.Errorf("oracle: visit %s: %w", address, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return page{}, fmt.Errorf("oracle: visit %s: %w", address, err)
	}
	return page{resp.StatusCode, resp.Header.Get("Location"), string(raw)}, nil
}
