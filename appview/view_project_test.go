package appview

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func TestR4_ClaimViewShowsWhatHoldsNow(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	stamp, method, why := datetime(at), "host", "nobody answers"
	claims := []store.ProjectClaim{
		{URI: "https://a.example", State: store.ClaimRefuted, CheckedAt: at, Reason: why},
		{URI: "https://b.example", State: store.ClaimUnchecked},
		{URI: "https://it.example", State: store.ClaimVerified, Method: store.ClaimByHost, VerifiedAt: at, ExpiresAt: at.Add(time.Hour), CheckedAt: at, Reason: why},
	}
	type view = stratos.ProjectDefs_ClaimView
	for _, c := range []struct {
		now  time.Time
		want view
	}{
		{at, view{Uri: "http://www.it.example/#top", Verified: true, Method: &method, VerifiedAt: &stamp, CheckedAt: &stamp}},
		{at.Add(time.Hour), view{Uri: "http://www.it.example/#top", CheckedAt: &stamp, Message: &why}},
		{at, view{Uri: "https://a.example", CheckedAt: &stamp, Message: &why}},
		{at, view{Uri: "https://b.example/"}},
		{at, view{Uri: "https://unknown.example/"}},
	} {
		got, err := claimView(c.want.Uri, claims, c.now)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("at %s (-want +got):\n%s", c.now, diff)
		}
	}
}
