package atmosphere

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
)

// maxOperation bounds what the directory says of a DID; an operation has 7,500 bytes at
// most.
const maxOperation = 16 << 10

// operationCID is how operations name the one before them.
var operationCID = cid.NewPrefixV1(cid.DagCBOR, multihash.SHA2_256)

// Addition is what an account's DID document is to have besides what the PDS needs.
type Addition struct {
	// Services are addresses by their fragments; their types stand beside them.
	Services map[string]Service
	// Keys are public keys, as did:key, by their fragments.
	Keys map[string]string
}

// Service is one of a DID document.
type Service struct {
	Type, Endpoint string
}

// Amend puts an addition into the account's DID document, in place of what has the same
// fragments there, by a PLC operation. The rotation key that signs it is one of the
// account's: see WithRecoveryKey. What is there already makes no operation.
func (n *Network) Amend(ctx context.Context, a *Account, rotation atcrypto.PrivateKey, add Addition) error {
	last, err := n.lastOperation(ctx, a.DID)
	if err != nil {
		return err
	}
	next, err := amended(last, add)
	if err != nil {
		return fmt.Errorf("atmosphere: amend %s: %w", a.DID, err)
	}
	if next == nil {
		return nil
	}
	if err := sign(next, rotation); err != nil {
		return fmt.Errorf("atmosphere: amend %s: %w", a.DID, err)
	}
	// By the PDS, which tells the network.
	if err := a.Client.Post(ctx, "com.atproto.identity.submitPlcOperation", map[string]any{"operation": next}, nil); err != nil {
		return fmt.Errorf("atmosphere: amend %s: %w", a.DID, err)
	}
	return nil
}

// lastOperation is the one that the DID document stands for.
func (n *Network) lastOperation(ctx context.Context, did syntax.DID) (map[string]any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.plc+"/"+did.String()+"/log/last", nil)
	if err != nil {
		return nil, fmt.Errorf("atmosphere: ask for the last operation of %s: %w", did, err)
	}
	resp, err := n.transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("atmosphere: ask for the last operation of %s: %w", did, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxOperation))
	if err != nil {
		return nil, fmt.Errorf("atmosphere: ask for the last operation of %s: %w", did, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("atmosphere: ask for the last operation of %s: status %d: %.200q", did, resp.StatusCode, body)
	}
	operation, err := atdata.UnmarshalJSON(body)
	if err != nil {
		return nil, fmt.Errorf("atmosphere: read the last operation of %s: %w", did, err)
	}
	return operation, nil
}

// amended is the unsigned operation after the last one, or nil when that has it all.
func amended(last map[string]any, add Addition) (map[string]any, error) {
	services, err := with(last, "services", add.Services, func(s Service) any {
		return map[string]any{"type": s.Type, "endpoint": s.Endpoint}
	})
	if err != nil {
		return nil, err
	}
	keys, err := with(last, "verificationMethods", add.Keys, func(key string) any { return key })
	if err != nil {
		return nil, err
	}
	if reflect.DeepEqual(services, last["services"]) && reflect.DeepEqual(keys, last["verificationMethods"]) {
		return nil, nil
	}
	encoded, err := atdata.MarshalCBOR(last)
	if err != nil {
		return nil, fmt.Errorf("encode the last operation: %w", err)
	}
	prev, err := operationCID.Sum(encoded)
	if err != nil {
		return nil, fmt.Errorf("name the last operation: %w", err)
	}
	return map[string]any{
		"type": "plc_operation", "prev": prev.String(),
		"rotationKeys": last["rotationKeys"], "alsoKnownAs": last["alsoKnownAs"],
		"services": services, "verificationMethods": keys,
	}, nil
}

// with is a copy of one of the operation's maps, with more in it.
func with[V any](operation map[string]any, name string, more map[string]V, encode func(V) any) (map[string]any, error) {
	before, ok := operation[name].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the last operation has no %s", name)
	}
	after := maps.Clone(before)
	for fragment, value := range more {
		after[fragment] = encode(value)
	}
	return after, nil
}

func sign(operation map[string]any, key atcrypto.PrivateKey) error {
	unsigned, err := atdata.MarshalCBOR(operation)
	if err != nil {
		return fmt.Errorf("encode the operation: %w", err)
	}
	signature, err := key.HashAndSign(unsigned)
	if err != nil {
		return fmt.Errorf("sign the operation: %w", err)
	}
	operation["sig"] = base64.RawURLEncoding.EncodeToString(signature)
	return nil
}
