package appview_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// as returns a client that calls one method with the account's own service token.
func as(t *testing.T, account *atmosphere.Account, api *atclient.APIClient, method string) *atclient.APIClient {
	t.Helper()
	out, err := comatproto.ServerGetServiceAuth(t.Context(), account.Client, "did:web:localhost%3A8080",
		time.Now().Add(time.Minute).Unix(), method)
	if err != nil {
		t.Fatal(err)
	}
	client := atclient.NewAPIClient(api.Host)
	client.Headers.Set("Authorization", "Bearer "+out.Token)
	return client
}

func TestAViewerSeesTheirOwnEstimateAndCapsAndThePublicNone(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	author, backer := atmospheretest.NewAccount(t, network, "author"), atmospheretest.NewAccount(t, network, "backer")
	public := startAppView(t, network)
	ref := mustCreate(t, author, lexicons.CollectionProposal, proposalFor(aboutURI("https://example.org/"), "Mine"))
	mustCreate(t, backer, lexicons.CollectionEstimate, estimateOf(ref, 100, "USD"))
	newest := mustCreate(t, backer, lexicons.CollectionEstimate, estimateOf(ref, 200, "USD"))

	const method = "fund.stratos.feature.getProposal"
	asBacker, asAuthor := as(t, backer, public, method), as(t, author, public, method)
	eventually(t, "the backer sees the newest estimate", func() bool {
		view := getProposal(t, asBacker, ref.Uri)
		return view != nil && view.Viewer != nil && view.Viewer.Estimate != nil && *view.Viewer.Estimate == newest.Uri
	})
	want := &stratos.FeatureDefs_ViewerState{
		Caps: []stratos.Defs_Total{
			{Currency: "EUR", Amount: 2500}, {Currency: "GBP", Amount: 2000}, {Currency: "JPY", Amount: 3500}, {Currency: "USD", Amount: 2500},
		},
		May: []string{"estimate"},
	}
	if diff := cmp.Diff(want, getProposal(t, asAuthor, ref.Uri).Viewer); diff != "" {
		t.Errorf("what the author is told: %s", diff)
	}
	if view := getProposal(t, public, ref.Uri); view.Viewer != nil {
		t.Errorf("the public is told %+v", view.Viewer)
	}
	// A token for one method does not work on another, not even as the public's.
	if _, err := stratos.FeatureGetFunding(t.Context(), asBacker, ref.Uri); !isUnauthorized(err, "BadJwtLexiconMethod") {
		t.Errorf("a token for another method: %v", err)
	}
}

func isUnauthorized(err error, name string) bool {
	e, ok := errors.AsType[*atclient.APIError](err)
	return ok && e.StatusCode == http.StatusUnauthorized && e.Name == name
}
