package atmosphere

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Account is an account of the PDS, logged in.
type Account struct {
	DID      syntax.DID
	Handle   syntax.Handle
	Password string
	// Client acts as the account at its PDS and renews its own session.
	Client *atclient.APIClient
}

// AccountOption changes what CreateAccount asks for.
type AccountOption func(*comatproto.ServerCreateAccount_Input)

// WithPassword sets the password, for people who will type it.
func WithPassword(password string) AccountOption {
	return func(in *comatproto.ServerCreateAccount_Input) { in.Password = &password }
}

// WithRecoveryKey puts a key of the caller, a did:key, before the PDS's among the
// rotation keys of the new DID. An account that exists keeps the keys it has.
func WithRecoveryKey(key string) AccountOption {
	return func(in *comatproto.ServerCreateAccount_Input) { in.RecoveryKey = &key }
}

// CreateAccount makes an account, or logs in when the handle has one already,
// which it does after a restart. Without WithPassword the password is derived
// from the network's secrets and the handle, so a restart finds the same one.
func (n *Network) CreateAccount(ctx context.Context, handle syntax.Handle, opts ...AccountOption) (*Account, error) {
	handle, err := parseHandle(handle)
	if err != nil {
		return nil, err
	}
	email := "account@" + handle.String() // the PDS insists on one; nothing is sent
	password := n.derivePassword(handle)
	in := &comatproto.ServerCreateAccount_Input{Email: &email, Handle: handle.String(), Password: &password}
	for _, opt := range opts {
		opt(in)
	}
	switch _, err := n.Directory().ResolveHandleWellKnown(ctx, handle); {
	case err == nil:
		return n.Login(ctx, handle, *in.Password)
	case !errors.Is(err, identity.ErrHandleNotFound):
		return nil, fmt.Errorf("atmosphere: look for an account %s: %w", handle, err)
	}
	out, err := n.createAccount(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("atmosphere: create account %s: %w", handle, err)
	}
	did, err := syntax.ParseDID(out.Did)
	if err != nil {
		return nil, fmt.Errorf("atmosphere: create account %s: %w", handle, err)
	}
	client := atclient.ResumePasswordSession(atclient.PasswordSessionData{
		AccessToken:  out.AccessJwt,
		RefreshToken: out.RefreshJwt,
		AccountDID:   did,
		Host:         n.pds,
	}, nil)
	return &Account{DID: did, Handle: handle, Password: *in.Password, Client: client}, nil
}

// creations is how often an account is asked for: on a busy machine the PDS loses its
// connection to the PLC directory in the middle of it, answers 5xx, and keeps nothing.
const creations = 3

func (n *Network) createAccount(ctx context.Context, in *comatproto.ServerCreateAccount_Input) (*comatproto.ServerCreateAccount_Output, error) {
	for try := 1; ; try++ {
		out, err := comatproto.ServerCreateAccount(ctx, atclient.NewAPIClient(n.pds), in)
		refused, ok := errors.AsType[*atclient.APIError](err)
		if err == nil || try == creations || !ok || refused.StatusCode < http.StatusInternalServerError {
			return out, err
		}
	}
}

// Login opens a session for an account that exists.
func (n *Network) Login(ctx context.Context, handle syntax.Handle, password string) (*Account, error) {
	handle, err := parseHandle(handle)
	if err != nil {
		return nil, err
	}
	client, err := atclient.LoginWithPasswordHost(ctx, n.pds, handle.String(), password, "", nil)
	if err != nil {
		return nil, fmt.Errorf("atmosphere: log in as %s: %w", handle, err)
	}
	return &Account{DID: *client.AccountDID, Handle: handle, Password: password, Client: client}, nil
}

// parseHandle takes a syntax.Handle because callers write constants, which
// nobody has parsed.
func parseHandle(handle syntax.Handle) (syntax.Handle, error) {
	handle, err := syntax.ParseHandle(handle.String())
	if err != nil {
		return "", fmt.Errorf("atmosphere: %w", err)
	}
	return handle.Normalize(), nil
}

func (n *Network) derivePassword(handle syntax.Handle) string {
	mac := hmac.New(sha256.New, []byte(n.adminPassword))
	mac.Write([]byte(handle))
	return hex.EncodeToString(mac.Sum(nil))[:20]
}
