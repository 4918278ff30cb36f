package simulated

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/syntax"
)

const (
	maxJSON = 150 << 10
	maxBlob = 5 << 20
)

// session is one login of an account.
type session struct {
	access, refresh string
	expired         bool // the access token
}

func (n *Network) createSession(w http.ResponseWriter, req *http.Request) {
	var in struct{ Identifier, Password string }
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxJSON)).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "InvalidRequest")
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	a := n.account(in.Identifier)
	if a == nil || a.password == "" || a.password != in.Password {
		refuse(w, http.StatusUnauthorized, "AuthenticationRequired")
		return
	}
	n.login(w, a)
}

// login answers with a new session.
func (n *Network) login(w http.ResponseWriter, a *Account) {
	n.serial++
	s := &session{access: secret("access", a.DID, n.serial), refresh: secret("refresh", a.DID, n.serial)}
	a.sessions[s.refresh] = s
	answer(w, map[string]any{"accessJwt": s.access, "refreshJwt": s.refresh, "did": a.DID, "handle": a.Handle, "active": true})
}

func bearer(req *http.Request) string {
	return strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
}

func (n *Network) refreshSession(w http.ResponseWriter, req *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.accounts {
		if _, ok := a.sessions[bearer(req)]; ok {
			delete(a.sessions, bearer(req))
			n.login(w, a)
			return
		}
	}
	refuse(w, http.StatusUnauthorized, "InvalidToken")
}

// owned lets the owner of an account do something. What the PDS does before it fails is
// decided here; do answers, and says whether it worked.
func (n *Network) owned(do func(n *Network, a *Account, req *http.Request, body []byte) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBlob))
		if err != nil {
			refuse(w, http.StatusRequestEntityTooLarge, "PayloadTooLarge")
			return
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		a, s := n.whose(bearer(req))
		if a == nil {
			refuse(w, http.StatusUnauthorized, "InvalidToken")
			return
		}
		if s.expired {
			refuse(w, http.StatusBadRequest, "ExpiredToken")
			return
		}
		fault := n.take(writeFaults, always)
		switch fault {
		case FaultWriteFails:
			refuse(w, http.StatusInternalServerError, "InternalServerError")
			return
		case FaultRateLimited:
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusTooManyRequests, "RateLimitExceeded")
			return
		case FaultExpired:
			s.expired = true
			refuse(w, http.StatusBadRequest, "ExpiredToken")
			return
		case FaultLoggedOut:
			clear(a.sessions)
			refuse(w, http.StatusUnauthorized, "InvalidToken")
			return
		}
		out, err := do(n, a, req, body)
		var refused refusal
		switch {
		case errors.As(err, &refused):
			refuse(w, http.StatusBadRequest, string(refused))
		case err != nil:
			panic(err) // the simulation is broken
		case fault == FaultWriteUnsaid:
			refuse(w, http.StatusInternalServerError, "InternalServerError")
		case fault == FaultWriteLost:
			panic(http.ErrAbortHandler)
		default:
			answer(w, out)
		}
	}
}

// refusal is the name of an error that a client caused.
type refusal string

func (r refusal) Error() string { return "simulated: " + string(r) }

func (n *Network) whose(access string) (*Account, *session) {
	for _, a := range n.accounts {
		for _, s := range a.sessions {
			if s.access == access {
				return a, s
			}
		}
	}
	return nil, nil
}

// putRecord writes a record under a key that is given. A condition is looked at only when
// something else is there.
func putRecord(n *Network, a *Account, _ *http.Request, body []byte) (any, error) {
	var in struct {
		Repo       string
		Collection syntax.NSID
		Rkey       syntax.RecordKey
		Record     json.RawMessage
		SwapRecord json.RawMessage
	}
	if len(body) > maxJSON || json.Unmarshal(body, &in) != nil || n.account(in.Repo) != a {
		return nil, refusal("InvalidRequest")
	}
	value, err := fromJSON(in.Collection, in.Record)
	if err != nil {
		return nil, refusal("InvalidRequest")
	}
	path := in.Collection.String() + "/" + in.Rkey.String()
	now, there := a.Record(path)
	want := BlockOf(value)
	out := map[string]any{"uri": "at://" + a.DID.String() + "/" + path, "cid": want.CID.String(), "validationStatus": "unknown"}
	if there && now.CID == want.CID {
		return out, nil
	}
	if in.SwapRecord != nil {
		var swap *string // null: there must be none
		if json.Unmarshal(in.SwapRecord, &swap) != nil {
			return nil, refusal("InvalidRequest")
		}
		if there != (swap != nil) || there && now.CID.String() != *swap {
			return nil, refusal("InvalidSwap")
		}
	}
	data, err := atdata.UnmarshalCBOR(value)
	if err != nil {
		return nil, err
	}
	for _, blob := range atdata.ExtractBlobs(data) {
		if !n.blobs[blob.Ref.String()] {
			return nil, refusal("BlobNotFound")
		}
	}
	if err := a.commit(Edit{path, value}); err != nil {
		return nil, err
	}
	out["commit"] = map[string]any{"cid": a.Commit.CID.String(), "rev": a.Rev}
	return out, nil
}

func uploadBlob(n *Network, _ *Account, req *http.Request, body []byte) (any, error) {
	c := sum(blobCID, body).String()
	n.blobs[c] = true
	return map[string]any{"blob": map[string]any{
		"$type": "blob", "ref": map[string]any{"$link": c}, "mimeType": req.Header.Get("Content-Type"), "size": len(body),
	}}, nil
}
