package escrow

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/mr-tron/base58"

	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/escrow/payments"
)

func TestAcknowledgements_TheirKeyIsFoundHoweverTheDocumentWritesIt(t *testing.T) {
	t.Parallel()
	secret, _, err := checkout.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := checkout.ParseKey(payments.NewSecret(secret))
	if err != nil {
		t.Fatal(err)
	}
	public, err := atcrypto.ParsePublicMultibase(key.Multibase())
	if err != nil {
		t.Fatal(err)
	}
	another, err := atcrypto.GeneratePrivateKeyK256()
	if err != nil {
		t.Fatal(err)
	}
	others, err := another.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		written identity.VerificationMethod
		warns   bool
	}{
		"as a multikey":        {identity.VerificationMethod{Type: "Multikey", PublicKeyMultibase: key.Multibase()}, false},
		"as PLC writes it too": {identity.VerificationMethod{Type: "EcdsaSecp256k1VerificationKey2019", PublicKeyMultibase: "z" + base58.Encode(public.UncompressedBytes())}, false},
		"another":              {identity.VerificationMethod{Type: "Multikey", PublicKeyMultibase: others.Multibase()}, true},
		"none":                 {identity.VerificationMethod{}, true},
	} {
		var said bytes.Buffer
		s := &Service{log: slog.New(slog.NewTextHandler(&said, nil)), taking: taking{key: key}}
		s.checkKey(&identity.Identity{Keys: map[string]identity.VerificationMethod{checkout.KeyID: c.written}})
		if warned := said.Len() > 0; warned != c.warns {
			t.Errorf("%s: %s", name, said.String())
		}
	}
}
