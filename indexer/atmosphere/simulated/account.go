package simulated

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/atdata"
	_ "github.com/bluesky-social/indigo/atproto/auth" // teaches the JWT library to sign with keys of accounts
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/bluesky-social/indigo/events"
	"github.com/golang-jwt/jwt/v5"
)

// Account is somebody with a repository at the network's PDS.
type Account struct {
	*Repository
	Handle syntax.Handle

	net      *Network
	password string
	sessions map[string]*session // by refresh token
	services []Service
	methods  []Method
	// older is the repository before its last commit.
	older []byte
}

// Service is one in a DID document.
type Service struct {
	ID       string `json:"id"` // with #
	Type     string `json:"type"`
	Endpoint string `json:"serviceEndpoint"`
}

// Method is a verification method in a DID document: a key beside the account's own.
type Method struct {
	ID        string // with #
	Multibase string
}

// Allow lets the owner log in with the password.
func (a *Account) Allow(password string) {
	a.net.mu.Lock()
	defer a.net.mu.Unlock()
	a.password = password
}

// Explain adds to the account's DID document.
func (a *Account) Explain(services []Service, methods []Method) {
	a.net.mu.Lock()
	defer a.net.mu.Unlock()
	a.services, a.methods = append(a.services, services...), append(a.methods, methods...)
}

func (a *Account) document() map[string]any {
	pub, err := a.Key.PublicKey()
	if err != nil {
		panic(err) // every key has one
	}
	methods := []map[string]any{}
	for _, m := range append([]Method{{"#atproto", pub.Multibase()}}, a.methods...) {
		methods = append(methods, map[string]any{"id": a.DID.String() + m.ID, "type": "Multikey", "controller": a.DID, "publicKeyMultibase": m.Multibase})
	}
	return map[string]any{
		"id": a.DID, "alsoKnownAs": []string{"at://" + a.Handle.String()}, "verificationMethod": methods,
		"service": append([]Service{{"#atproto_pds", "AtprotoPersonalDataServer", a.net.pds.URL}}, a.services...),
	}
}

// Put writes a record, and returns how others refer to it.
func (a *Account) Put(collection syntax.NSID, rkey syntax.RecordKey, record map[string]any) (syntax.ATURI, syntax.CID, error) {
	value, err := encode(collection, record)
	if err != nil {
		return "", "", err
	}
	path := collection.String() + "/" + rkey.String()
	a.net.mu.Lock()
	defer a.net.mu.Unlock()
	if err := a.commit(Edit{path, value}); err != nil {
		return "", "", err
	}
	return syntax.ATURI("at://" + a.DID.String() + "/" + path), syntax.CID(BlockOf(value).CID.String()), nil
}

// Delete deletes a record, if it is there.
func (a *Account) Delete(collection syntax.NSID, rkey syntax.RecordKey) error {
	a.net.mu.Lock()
	defer a.net.mu.Unlock()
	path := collection.String() + "/" + rkey.String()
	if _, there := a.Record(path); !there {
		return nil
	}
	return a.commit(Edit{Path: path})
}

// Overwrite is another client that writes over a record; false when there is none.
func (a *Account) Overwrite(path string, record map[string]any) (bool, error) {
	value, err := encode(syntax.ATURI("at://"+a.DID.String()+"/"+path).Collection(), record)
	if err != nil {
		return false, err
	}
	a.net.mu.Lock()
	defer a.net.mu.Unlock()
	if _, there := a.Record(path); !there {
		return false, nil
	}
	a.net.fired[FaultOverwritten]++
	return true, a.commit(Edit{path, value})
}

// Contents returns the records of a collection by their paths, as DAG-CBOR.
func (a *Account) Contents(collection syntax.NSID) map[string][]byte {
	a.net.mu.Lock()
	defer a.net.mu.Unlock()
	out := map[string][]byte{}
	for _, path := range a.Paths(collection) {
		block, _ := a.Record(path)
		out[path] = block.Data
	}
	return out
}

// Newest is the rev of the repository's newest commit.
func (a *Account) Newest() syntax.TID {
	a.net.mu.Lock()
	defer a.net.mu.Unlock()
	return a.Rev
}

// commit changes the repository and tells the relay. The network's lock is held.
func (a *Account) commit(edits ...Edit) error {
	if a.Rev != "" {
		a.older = MakeCAR(a.Commit.CID, a.Snapshot()...)
	}
	msg, err := a.Apply(a.net.clock(), edits...)
	if err != nil {
		return err
	}
	a.net.tell(&events.XRPCStreamEvent{RepoCommit: msg})
	return nil
}

// Token is a service token: the account asks the service for one method.
func (a *Account) Token(audience syntax.DID, method syntax.NSID, life time.Duration, id string) (string, error) {
	a.net.mu.Lock()
	now, key := a.net.clock(), a.Key
	a.net.mu.Unlock()
	token := jwt.NewWithClaims(jwt.GetSigningMethod("ES256K"), jwt.MapClaims{
		"iss": a.DID.String(), "aud": audience.String(), "lxm": method.String(), "jti": id,
		"iat": now.Unix(), "exp": now.Add(life).Unix(),
	})
	signed, err := token.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("simulated: sign a token of %s: %w", a.DID, err)
	}
	return signed, nil
}

func encode(collection syntax.NSID, record map[string]any) ([]byte, error) {
	asJSON, err := json.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("simulated: encode a record of %s: %w", collection, err)
	}
	return fromJSON(collection, asJSON)
}

// fromJSON makes DAG-CBOR of a record; its $type may be left out.
func fromJSON(collection syntax.NSID, asJSON []byte) ([]byte, error) {
	data, err := atdata.UnmarshalJSON(asJSON)
	if err != nil {
		return nil, fmt.Errorf("simulated: read a record of %s: %w", collection, err)
	}
	switch data["$type"] {
	case nil:
		data["$type"] = collection.String()
	case collection.String():
	default:
		return nil, fmt.Errorf("simulated: a record of %s says it is of %v", collection, data["$type"])
	}
	value, err := atdata.MarshalCBOR(data)
	if err != nil {
		return nil, fmt.Errorf("simulated: encode a record of %s: %w", collection, err)
	}
	return value, nil
}

// secret is text that nobody outside guesses, and the same in each run.
func secret(parts ...any) string {
	hash := sha256.Sum256([]byte(fmt.Sprint(parts...)))
	return hex.EncodeToString(hash[:16])
}
