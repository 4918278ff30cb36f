package repo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

const (
	// callTimeout bounds one call of the PDS.
	callTimeout = 30 * time.Second
	// maxAnswer bounds an answer in bytes; a page of records is the largest.
	maxAnswer = 16 << 20
	// pageSize is how many records the PDS lists at most.
	pageSize = 100
)

// Login is how the escrow gets into its account.
type Login struct {
	// DID is whose repository it must be.
	DID syntax.DID
	// Identifier is the account's handle or DID.
	Identifier string
	// Password is an app password.
	Password payments.Secret
	// Host says where the account's PDS is. It is asked at each login, before each
	// comparison, and when the repository cannot be read, because accounts move.
	Host func(context.Context) (string, error)
}

// account is the escrow's account at its PDS. It belongs to one goroutine.
type account struct {
	login  Login
	pace   *pace
	client *atclient.APIClient // nil while logged out
}

// session logs in if need be.
func (a *account) session(ctx context.Context) (*atclient.APIClient, error) {
	if a.client != nil {
		return a.client, nil
	}
	host, err := a.login.Host(ctx)
	if err != nil {
		return nil, fmt.Errorf("repo: find the PDS: %w", err)
	}
	client, err := atclient.LoginWithPasswordHost(ctx, host, a.login.Identifier, a.login.Password.Reveal(), "", nil)
	if err != nil {
		return nil, fmt.Errorf("repo: log in at %s: %w", host, err)
	}
	if *client.AccountDID != a.login.DID {
		return nil, &ForeignAccountError{Have: *client.AccountDID, Want: a.login.DID}
	}
	client.Client = &http.Client{
		Transport:     bounded{a.pace},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	a.client = client
	return client, nil
}

// follow ends the session at a PDS that the account has left. That one does not have to: it
// may know nothing of the account any more, or go on as if it were still there.
func (a *account) follow(ctx context.Context) error {
	if a.client == nil {
		return nil
	}
	host, err := a.login.Host(ctx)
	if err != nil {
		return fmt.Errorf("repo: find the PDS: %w", err)
	}
	if host != a.client.Host {
		a.client = nil
	}
	return nil
}

// bounded cuts off answers that are larger than any that we ask for.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	}
	return resp, err
}

// call runs fn with a session. A session that the PDS knows no more is given up, so
// that the next call logs in again.
func (a *account) call(ctx context.Context, fn func(context.Context, *atclient.APIClient) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	client, err := a.session(ctx)
	if err != nil {
		return err
	}
	if err = fn(ctx, client); loggedOut(err) {
		a.client = nil
	}
	return err
}

// put writes a record in place of what is there, which must be the one with the CID
// before; an empty one stands for none. The error may be one that [swapped] knows.
// Fresh says that it made a commit: some PDSs look at the condition only if the record
// is not there already.
func (a *account) put(ctx context.Context, r *record, before syntax.CID) (fresh bool, err error) {
	err = a.call(ctx, func(ctx context.Context, client *atclient.APIClient) error {
		if r.blob != nil {
			if err := upload(ctx, client, r.blob, r.blobType); err != nil {
				return fmt.Errorf("repo: upload what %s %s refers to: %w", r.collection, r.rkey, err)
			}
		}
		input := map[string]any{
			"repo": a.login.DID, "collection": r.collection, "rkey": r.rkey, "record": r.data,
			"swapRecord": nil, // only if there is none
		}
		if before != "" {
			input["swapRecord"] = before
		}
		var out struct {
			CID    syntax.CID      `json:"cid"`
			Commit json.RawMessage `json:"commit"`
		}
		if err := client.Post(ctx, "com.atproto.repo.putRecord", input, &out); err != nil {
			return fmt.Errorf("repo: write %s %s: %w", r.collection, r.rkey, err)
		}
		if out.CID != r.cid {
			return fmt.Errorf("repo: write %s %s: the PDS made %s of %s", r.collection, r.rkey, out.CID, r.cid)
		}
		fresh = out.Commit != nil
		return nil
	})
	return fresh, err
}

// upload sends a blob, to which a record is about to refer by its hash.
func upload(ctx context.Context, client *atclient.APIClient, blob []byte, kind string) error {
	req := atclient.NewAPIRequest(http.MethodPost, "com.atproto.repo.uploadBlob", bytes.NewReader(blob))
	req.Headers.Set("Content-Type", kind)
	resp, err := client.Do(ctx, req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refusal(resp)
	}
	return nil
}

// blob fetches what a record refers to by its hash, and not much more than so many bytes.
func (a *account) blob(ctx context.Context, c syntax.CID, size int64) (content []byte, err error) {
	err = a.call(ctx, func(ctx context.Context, client *atclient.APIClient) error {
		req := atclient.NewAPIRequest(http.MethodGet, "com.atproto.sync.getBlob", nil)
		req.QueryParams = url.Values{"did": {a.login.DID.String()}, "cid": {c.String()}}
		resp, err := client.Do(ctx, req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return refusal(resp)
		}
		content, err = io.ReadAll(io.LimitReader(resp.Body, size+1))
		return err
	})
	return content, err
}

// refusal is what an answer other than 200 says.
func refusal(resp *http.Response) error {
	var body atclient.ErrorBody
	// What does not parse leaves the name empty, and the status says enough.
	_ = json.NewDecoder(resp.Body).Decode(&body)
	return body.APIError(resp.StatusCode)
}

// get returns the CID of what is under a key; an empty one when nothing is.
func (a *account) get(ctx context.Context, collection syntax.NSID, rkey syntax.RecordKey) (held syntax.CID, err error) {
	err = a.call(ctx, func(ctx context.Context, client *atclient.APIClient) error {
		var out struct {
			CID syntax.CID `json:"cid"`
		}
		err := client.Get(ctx, "com.atproto.repo.getRecord", map[string]any{"repo": a.login.DID.String(), "collection": collection.String(), "rkey": rkey.String()}, &out)
		if e, ok := errors.AsType[*atclient.APIError](err); ok && e.Name == "RecordNotFound" {
			return nil
		}
		if err != nil {
			return fmt.Errorf("repo: read %s %s: %w", collection, rkey, err)
		}
		held = out.CID
		return nil
	})
	return held, err
}

// list calls each with every record of a collection: its key, its CID and its JSON.
func (a *account) list(ctx context.Context, collection syntax.NSID, each func(syntax.RecordKey, syntax.CID, json.RawMessage)) error {
	for cursor := ""; ; {
		var out struct {
			Cursor  string `json:"cursor"`
			Records []struct {
				URI syntax.ATURI `json:"uri"`
				CID syntax.CID   `json:"cid"`

				Value json.RawMessage `json:"value"`
			} `json:"records"`
		}
		err := a.call(ctx, func(ctx context.Context, client *atclient.APIClient) error {
			return client.Get(ctx, "com.atproto.repo.listRecords", map[string]any{
				"repo": a.login.DID.String(), "collection": collection.String(), "limit": pageSize, "cursor": cursor,
			}, &out)
		})
		if err != nil {
			return fmt.Errorf("repo: list %s: %w", collection, err)
		}
		for _, r := range out.Records {
			each(r.URI.RecordKey(), r.CID, r.Value)
		}
		if out.Cursor == "" || out.Cursor == cursor || len(out.Records) == 0 {
			return nil
		}
		cursor = out.Cursor
	}
}

// swapped reports that something else was there than a write said.
func swapped(err error) bool {
	e, ok := errors.AsType[*atclient.APIError](err)
	return ok && e.Name == "InvalidSwap"
}

// loggedOut reports that the session is not good any more.
func loggedOut(err error) bool {
	e, ok := errors.AsType[*atclient.APIError](err)
	return ok && (e.StatusCode == http.StatusUnauthorized ||
		slices.Contains([]string{"ExpiredToken", "InvalidToken", "AuthMissing", "AccountTakedown"}, e.Name))
}

// refused reports that the PDS looked at a record and does not take it: all others may
// go on. Anything else that went wrong is about the PDS, the way to it, or our account
// there.
func refused(err error) bool {
	e, ok := errors.AsType[*atclient.APIError](err)
	return ok && e.StatusCode >= 400 && e.StatusCode < 500 && e.StatusCode != http.StatusTooManyRequests && !loggedOut(err)
}

// broke reports that the PDS failed by itself, which may be because of the record.
func broke(err error) bool {
	e, ok := errors.AsType[*atclient.APIError](err)
	return ok && e.StatusCode >= 500
}
