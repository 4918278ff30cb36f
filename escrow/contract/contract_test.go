package contract

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

func TestViolations_SayWhatIsNotAsInTheLexicon(t *testing.T) {
	t.Parallel()
	const method syntax.NSID = "fund.stratos.escrow.getPayoutAccount"
	body := func(account string) json.RawMessage { return json.RawMessage(`{"account": ` + account + `}`) }
	checkout := Answer{Method: "fund.stratos.escrow.createCheckout", Input: map[string]any{"returnUri": "https://a.example/"}, Body: json.RawMessage(
		`{"url": "https://a.example/", "payment": "p", "acknowledgement": "a", "expiresAt": "2026-01-01T00:00:00Z"}`)}
	cases := []struct {
		name string
		Answer
		want string // empty: nothing is wrong
	}{
		{"as it should be", Answer{Method: method, Body: body(`{"did": "did:web:a.example", "status": "ready", "updatedAt": "2026-01-01T00:00:00Z"}`)}, ""},
		{"without a required field", Answer{Method: method, Body: body(`{"did": "did:web:a.example", "status": "ready"}`)}, "updatedAt"},
		{"of another type", Answer{Method: method, Body: body(`{"did": "did:web:a.example", "status": 1, "updatedAt": "2026-01-01T00:00:00Z"}`)}, "status"},
		{"an error has no body to look at", Answer{Method: method}, ""},
		{"what was given", checkout, "subject"},
	}
	var answers []Answer
	for _, c := range cases {
		answers = append(answers, c.Answer)
	}
	got, err := Violations(t.Context(), "../../lexicons", answers)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		if said := strings.Join(got[i], "; "); (said == "") != (c.want == "") || !strings.Contains(said, c.want) {
			t.Errorf("%s: %q, want %q", c.name, said, c.want)
		}
	}
}
