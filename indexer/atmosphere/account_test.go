package atmosphere_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
)

func TestCreatingAnAccountTwiceLogsIn(t *testing.T) {
	t.Parallel()
	n := atmospheretest.Shared(t)
	first := atmospheretest.NewAccount(t, n, "twice")
	second, err := n.CreateAccount(t.Context(), syntax.Handle(strings.ToUpper(first.Handle.String())))
	if err != nil {
		t.Fatal(err)
	}
	if first.DID != second.DID {
		t.Errorf("two accounts for one handle: %s and %s", first.DID, second.DID)
	}
	if _, err := n.CreateAccount(t.Context(), first.Handle, atmosphere.WithPassword("another")); err == nil {
		t.Error("logged in with a wrong password")
	}
	if _, err := n.CreateAccount(t.Context(), "no handle"); err == nil {
		t.Error("accepted what is not a handle")
	}
}

func TestRecoveryKeyComesBeforeThePDS(t *testing.T) {
	t.Parallel()
	n := atmospheretest.Shared(t)
	private, err := atcrypto.GeneratePrivateKeyK256()
	if err != nil {
		t.Fatal(err)
	}
	public, err := private.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	a := atmospheretest.NewAccount(t, n, "recovery", atmosphere.WithRecoveryKey(public.DIDKey()))
	var data struct {
		RotationKeys []string `json:"rotationKeys"`
	}
	if err := json.Unmarshal(get(t, n.PLCURL()+"/"+a.DID.String()+"/data"), &data); err != nil {
		t.Fatal(err)
	}
	if slices.Index(data.RotationKeys, public.DIDKey()) != 0 || len(data.RotationKeys) != 2 {
		t.Errorf("rotation keys %q, want %s and the PDS's", data.RotationKeys, public.DIDKey())
	}
}

func TestAdminMayTakeAnAccountDown(t *testing.T) {
	t.Parallel()
	n := atmospheretest.Shared(t)
	a := atmospheretest.NewAccount(t, n, "spammer")
	err := n.Admin().Post(t.Context(), "com.atproto.admin.updateSubjectStatus", map[string]any{
		"subject":  map[string]any{"$type": "com.atproto.admin.defs#repoRef", "did": a.DID},
		"takedown": map[string]any{"applied": true},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.CreateRecord(t.Context(), proposal, darkMode("Buy now")); err == nil {
		t.Error("an account that was taken down wrote a record")
	}
}
