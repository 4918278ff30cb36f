package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/auth/oauth"
	"github.com/bluesky-social/indigo/lex/util"
)

// Service returns a client that calls a service through the visitor's PDS, which adds a
// token for that method; did and fragment name the service as in its DID document. Errors
// of the service are *atclient.APIError, and its failure to answer may be one of the PDS.
func (v *Visitor) Service(did, fragment string) util.LexClient {
	return serviceClient{v, did + "#" + fragment}
}

type serviceClient struct {
	visitor *Visitor
	service string
}

// LexDo implements util.LexClient.
func (c serviceClient) LexDo(ctx context.Context, method, encoding, endpoint string, params map[string]any, body, out any) error {
	return c.visitor.call(ctx, func(ctx context.Context, pds *atclient.APIClient) error {
		return pds.WithService(c.service).LexDo(ctx, method, encoding, endpoint, params, body, out)
	})
}

// call lets fn use the visitor's PDS, alone. It goes on when the request ends: tokens that
// were renewed meanwhile have to be kept, and a record that was written should be known to
// be.
func (v *Visitor) call(ctx context.Context, fn func(context.Context, *atclient.APIClient) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askWithin)
	defer cancel()
	s := v.sessions
	done, err := s.turns.wait(ctx, v.id)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer done()
	found, err := s.store.get(ctx, v.id)
	if errors.Is(err, errUnknown) {
		return ErrEnded
	}
	if err != nil {
		return err
	}
	resumed, err := s.resume(found)
	if err != nil {
		return err
	}
	ctx, seen := withSeen(ctx)
	err = judge(fn(ctx, resumed.APIClient()), seen)
	if errors.Is(err, ErrEnded) {
		err = errors.Join(err, s.store.end(ctx, v.id))
	}
	return err
}

// resume makes the OAuth client's session of ours.
func (s *Sessions) resume(found session) (*oauth.ClientSession, error) {
	config, ok := s.client.by[found.ClientKey]
	if !ok {
		return nil, ErrEnded // the operator took the key away
	}
	key, err := atcrypto.ParsePrivateMultibase(found.Tokens.DPoPPrivateKeyMultibase)
	if err != nil {
		return nil, errors.New("session: a session's key cannot be read")
	}
	return &oauth.ClientSession{
		Client: s.http, Config: config, Data: &found.Tokens, DPoPPrivateKey: key,
		PersistSessionCallback: func(ctx context.Context, data *oauth.ClientSessionData) {
			if err := s.store.renew(ctx, found.ID, data); err != nil {
				s.log.ErrorContext(ctx, "renewed session not kept", "did", found.DID, "err", err)
			}
		},
	}, nil
}

// judge makes of a failed call what a caller can act on.
func judge(err error, seen *seen) error {
	if err == nil {
		return nil
	}
	api, ok := errors.AsType[*atclient.APIError](err)
	switch {
	case ok && api.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%w: %w", ErrEnded, err)
	case ok && api.Name == "ScopeMissingError":
		return fmt.Errorf("%w: %w", ErrNotGranted, err)
	case ok:
		return err
	case seen.refused(): // to renew the tokens
		return fmt.Errorf("%w: %w", ErrEnded, err)
	default:
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
}
