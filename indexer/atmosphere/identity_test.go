package atmosphere_test

import (
	"encoding/json"
	"testing"

	"github.com/bluesky-social/indigo/atproto/atcrypto"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
)

func TestAmendedDocumentHasWhatWasAddedAndWhatWasThere(t *testing.T) {
	t.Parallel()
	n := atmospheretest.Shared(t)
	rotation, public := newKey(t)
	_, key := newKey(t)
	a := atmospheretest.NewAccount(t, n, "amended", atmosphere.WithRecoveryKey(public))
	add := atmosphere.Addition{
		Services: map[string]atmosphere.Service{"our_service": {Type: "OurService", Endpoint: "http://localhost:8090"}},
		Keys:     map[string]string{"our_key": key},
	}
	for range 2 { // the second time there is nothing to do
		if err := n.Amend(t.Context(), a, rotation, add); err != nil {
			t.Fatal(err)
		}
	}
	var log []json.RawMessage
	if err := json.Unmarshal(get(t, n.PLCURL()+"/"+a.DID.String()+"/log"), &log); err != nil || len(log) != 2 {
		t.Errorf("%d operations, %v, want the account's and one more", len(log), err)
	}
	add.Services["our_service"] = atmosphere.Service{Type: "OurService", Endpoint: "http://localhost:8091"}
	if err := n.Amend(t.Context(), a, rotation, add); err != nil {
		t.Fatal(err)
	}
	did, err := n.Directory().LookupDID(t.Context(), a.DID)
	if err != nil {
		t.Fatal(err)
	}
	added, err := did.GetPublicKey("our_key")
	if err != nil {
		t.Fatal(err)
	}
	if did.GetServiceEndpoint("our_service") != "http://localhost:8091" || added.DIDKey() != key ||
		did.PDSEndpoint() != n.PDSURL() || did.Handle != a.Handle {
		t.Errorf("the document says %+v", did)
	}
}

func TestAmendIsForHoldersOfARotationKey(t *testing.T) {
	t.Parallel()
	n := atmospheretest.Shared(t)
	stranger, _ := newKey(t)
	a := atmospheretest.NewAccount(t, n, "unamended")
	add := atmosphere.Addition{Services: map[string]atmosphere.Service{"our_service": {Type: "OurService", Endpoint: "http://localhost:8090"}}}
	if err := n.Amend(t.Context(), a, stranger, add); err == nil {
		t.Error("a stranger changed a DID document")
	}
}

func newKey(t *testing.T) (*atcrypto.PrivateKeyK256, string) {
	t.Helper()
	private, err := atcrypto.GeneratePrivateKeyK256()
	if err != nil {
		t.Fatal(err)
	}
	key, err := private.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return private, key.DIDKey()
}
