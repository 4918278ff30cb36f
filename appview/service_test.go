package appview_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// patience is how long a test waits for a fact before it fails.
const patience = 20 * time.Second

// startAppView runs a whole AppView that follows the network's PDS.
func startAppView(t testing.TB, network *atmosphere.Network) *atclient.APIClient {
	t.Helper()
	return startAppViewWith(t, network, "")
}

func startAppViewWith(t testing.TB, network *atmosphere.Network, metricsBind string) *atclient.APIClient {
	t.Helper()
	service, err := appview.Build(t.Context(), appview.Config{
		Bind:        "127.0.0.1:0",
		DatabaseURL: "sqlite://" + filepath.Join(t.TempDir(), "appview.db"),
		RelayURLs:   []string{network.PDSURL()},
		PLCURL:      network.PLCURL(),
		PublicURL:   "http://localhost:8080",
		MetricsBind: metricsBind,
		Version:     "test",
	}, appview.Options{
		Log: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelError})), Clock: time.Now,
		Transport: network.Transport(), CheckOutput: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, service.Close()); err != nil {
			t.Errorf("the AppView ended with: %v", err)
		}
	})
	return atclient.NewAPIClient("http://" + service.Addr().String())
}

func TestWithoutPagesThereIsTheAPIAlone(t *testing.T) {
	t.Parallel()
	for _, web := range []bool{false, true} {
		folder := t.TempDir()
		service, err := appview.Build(t.Context(), appview.Config{
			Bind: "127.0.0.1:0", DatabaseURL: "sqlite://" + filepath.Join(folder, "appview.db"), PublicURL: "http://localhost:8080", Version: "test",
			RelayURLs: []string{"http://127.0.0.1:1"}, PLCURL: "http://127.0.0.1:1", Web: web, // nobody is there
		}, appview.Options{Log: slog.New(slog.DiscardHandler), Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- service.Run(ctx) }()
		for path, page := range map[string]bool{
			"/": true, "/about": true, "/sign-in": true, "/oauth/client-metadata.json": true, "/feed.atom": true,
			"/xrpc/fund.stratos.feature.listProposals": false, "/.well-known/did.json": false,
		} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+service.Addr().String()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultTransport.RoundTrip(req) // which follows nobody to the public address
			if err != nil {
				t.Fatal(err)
			}
			if err := resp.Body.Close(); err != nil {
				t.Fatal(err)
			}
			if there := web || !page; there != (resp.StatusCode < http.StatusBadRequest) || !there && resp.StatusCode != http.StatusNotFound {
				t.Errorf("with pages %t, %s answers %d", web, path, resp.StatusCode)
			}
		}
		stop()
		if err := errors.Join(<-ended, service.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(folder, "sessions.db")); (err == nil) != web {
			t.Errorf("with pages %t, the database of sessions: %v", web, err)
		}
	}
}

// testWriter logs to a test.
type testWriter struct{ t interface{ Log(...any) } }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(string(b))
	return len(b), nil
}

// eventually polls until the fact holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("still not so after %s: %s", patience, what)
		case <-tick.C:
		}
	}
}

func now() string { return time.Now().UTC().Format(syntax.AtprotoDatetimeLayout) }

func mustCreate(t testing.TB, by *atmosphere.Account, collection syntax.NSID, record any) comatproto.RepoStrongRef {
	t.Helper()
	uri, cid, err := by.CreateRecord(t.Context(), collection, record)
	if err != nil {
		t.Fatal(err)
	}
	return comatproto.RepoStrongRef{Uri: uri.String(), Cid: cid}
}

func proposalFor(subject stratos.FeatureProposal_Subject, title string, tags ...string) *stratos.FeatureProposal {
	return &stratos.FeatureProposal{
		LexiconTypeID: "fund.stratos.feature.proposal",
		Title:         title, Description: "What it should do.", Subject: subject, Tags: tags, CreatedAt: now(),
	}
}

func aboutURI(uri string) stratos.FeatureProposal_Subject {
	return stratos.FeatureProposal_Subject{FeatureProposal_UriSubject: &stratos.FeatureProposal_UriSubject{Uri: uri}}
}

func aboutProject(uri string) stratos.FeatureProposal_Subject {
	return stratos.FeatureProposal_Subject{FeatureProposal_ProjectSubject: &stratos.FeatureProposal_ProjectSubject{Project: uri}}
}

func estimateOf(proposal comatproto.RepoStrongRef, amount int64, currency string) *stratos.FeatureEstimate {
	return &stratos.FeatureEstimate{
		LexiconTypeID: "fund.stratos.feature.estimate",
		Proposal:      proposal, Value: stratos.Defs_Money{Amount: amount, Currency: currency}, CreatedAt: now(),
	}
}

func getProposal(t testing.TB, client *atclient.APIClient, uri string) *stratos.FeatureDefs_ProposalView {
	t.Helper()
	out, err := stratos.FeatureGetProposal(t.Context(), client, uri)
	if apiErr, ok := errors.AsType[*atclient.APIError](err); ok && apiErr.Name == "ProposalNotFound" {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return &out.Proposal
}

func TestProposalWrittenToARealPDSAppearsVerbatimWithItsAuthorsHandle(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	author := atmospheretest.NewAccount(t, network, "author")
	client := startAppView(t, network)

	written := proposalFor(aboutURI("https://example.org/tool"), "Dark mode", "ui")
	ref := mustCreate(t, author, lexicons.CollectionProposal, written)

	var view *stratos.FeatureDefs_ProposalView
	eventually(t, "the proposal is shown with its author's handle", func() bool {
		view = getProposal(t, client, ref.Uri)
		return view != nil && view.Author.Handle == author.Handle.String()
	})
	if view.Cid != ref.Cid || view.Stage != "proposed" || view.Author.Did != author.DID.String() {
		t.Errorf("got cid %s stage %s by %s, want %s proposed %s", view.Cid, view.Stage, view.Author.Did, ref.Cid, author.DID)
	}
	var stored stratos.FeatureProposal
	if err := json.Unmarshal(view.Record, &stored); err != nil {
		t.Fatal(err)
	}
	if stored.Title != written.Title || stored.Subject.FeatureProposal_UriSubject.Uri != "https://example.org/tool" {
		t.Errorf("the record came back as %s", view.Record)
	}
	byHandle := getProposal(t, client, "at://"+author.Handle.String()+"/fund.stratos.feature.proposal/"+syntax.ATURI(ref.Uri).RecordKey().String())
	if byHandle == nil || byHandle.Uri != ref.Uri {
		t.Error("an at-uri with the handle does not lead to the proposal")
	}
}

func TestEditsAndDeletesFollowTheRepo(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	author, backer := atmospheretest.NewAccount(t, network, "author"), atmospheretest.NewAccount(t, network, "backer")
	client := startAppView(t, network)
	ref := mustCreate(t, author, lexicons.CollectionProposal, proposalFor(aboutURI("https://example.org/"), "First title"))
	estimate := mustCreate(t, backer, lexicons.CollectionEstimate, estimateOf(ref, 90_000, "USD"))

	estimated := func() int64 {
		view := getProposal(t, client, ref.Uri)
		if view == nil {
			return -1
		}
		for _, f := range view.Funding {
			if f.Currency == "USD" {
				return f.Estimated
			}
		}
		return 0
	}
	eventually(t, "the estimate counts up to the cap", func() bool { return estimated() == 2500 })

	edited := proposalFor(aboutURI("https://example.org/"), "Second title")
	if _, _, err := author.PutRecord(t.Context(), lexicons.CollectionProposal, syntax.ATURI(ref.Uri).RecordKey(), edited); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the edit is shown", func() bool {
		view := getProposal(t, client, ref.Uri)
		return view != nil && view.Cid != ref.Cid
	})
	if err := backer.DeleteRecord(t.Context(), syntax.ATURI(estimate.Uri)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the deleted estimate is gone", func() bool { return estimated() == 0 })
	if err := author.DeleteRecord(t.Context(), syntax.ATURI(ref.Uri)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the deleted proposal is gone", func() bool { return getProposal(t, client, ref.Uri) == nil })
}

func TestARecordOfTheWrongShapeIsKeptOutAndTheNextOneComesThrough(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	author := atmospheretest.NewAccount(t, network, "author")
	client := startAppView(t, network)

	bad := map[string]any{"$type": "fund.stratos.feature.proposal", "title": 7, "createdAt": now()}
	badRef := mustCreate(t, author, lexicons.CollectionProposal, bad)
	good := mustCreate(t, author, lexicons.CollectionProposal, proposalFor(aboutURI("https://example.org/"), "Well formed"))
	eventually(t, "the valid proposal is shown", func() bool { return getProposal(t, client, good.Uri) != nil })
	if getProposal(t, client, badRef.Uri) != nil {
		t.Error("a record that the lexicon refuses is shown")
	}
}

func TestADevelopersAnswerAndAttemptMoveTheStageAndAStrangersDoNot(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	dev, stranger := atmospheretest.NewAccount(t, network, "dev"), atmospheretest.NewAccount(t, network, "stranger")
	client := startAppView(t, network)
	project, _, err := dev.PutRecord(t.Context(), lexicons.CollectionProject, "tool", &stratos.ProjectProfile{
		LexiconTypeID: "fund.stratos.project.profile", Name: "Tool", CreatedAt: now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ref := mustCreate(t, stranger, lexicons.CollectionProposal, proposalFor(aboutProject(project.String()), "Folders"))
	stage := func() string {
		if view := getProposal(t, client, ref.Uri); view != nil {
			return view.Stage
		}
		return ""
	}
	development := func() *stratos.WorkDevelopment {
		return &stratos.WorkDevelopment{
			LexiconTypeID: "fund.stratos.work.development", Proposal: ref, Title: "Folders", Summary: "All of it.",
			Currency: "USD", Goal: &stratos.Defs_Money{Amount: 50_000, Currency: "USD"}, Escrow: dev.DID.String(), CreatedAt: now(),
		}
	}
	mustCreate(t, stranger, lexicons.CollectionDevelopment, development())
	mustCreate(t, dev, lexicons.CollectionResponse, &stratos.WorkResponse{
		LexiconTypeID: "fund.stratos.work.response", Proposal: ref, Answer: "declined", CreatedAt: now(),
	})
	eventually(t, "the developer's answer declines", func() bool { return stage() == "declined" })
	mustCreate(t, dev, lexicons.CollectionDevelopment, development())
	eventually(t, "the developer's attempt is development", func() bool { return stage() == "development" })

	view := getProposal(t, client, ref.Uri)
	if len(view.Attempts) != 1 || view.Attempt == nil || view.Attempt.Author.Did != dev.DID.String() {
		t.Errorf("got %d attempts, want the developer's alone", len(view.Attempts))
	}
	if view.Project == nil || view.Project.Name != "Tool" {
		t.Errorf("got project %v, want Tool", view.Project)
	}
	if view.Next == nil || view.Next.Event != "expires" {
		t.Errorf("got next %v, want when the attempt expires", view.Next)
	}
}

func TestAnAccountThatGoesAndComesBackIsHiddenAndShownAgain(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	author := atmospheretest.NewAccount(t, network, "author")
	client := startAppView(t, network)
	ref := mustCreate(t, author, lexicons.CollectionProposal, proposalFor(aboutURI("https://example.org/"), "Mine"))
	eventually(t, "the proposal is shown", func() bool { return getProposal(t, client, ref.Uri) != nil })

	if err := comatproto.ServerDeactivateAccount(t.Context(), author.Client, &comatproto.ServerDeactivateAccount_Input{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the proposal of a deactivated account is hidden", func() bool { return getProposal(t, client, ref.Uri) == nil })
	if err := comatproto.ServerActivateAccount(t.Context(), author.Client); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the proposal is shown again", func() bool { return getProposal(t, client, ref.Uri) != nil })
}

func TestListsPageThroughEverythingOnce(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	author := atmospheretest.NewAccount(t, network, "author")
	client := startAppView(t, network)
	want := map[string]bool{}
	for range 7 {
		want[mustCreate(t, author, lexicons.CollectionProposal, proposalFor(aboutURI("https://example.org/"), "One of many", "Paged")).Uri] = true
	}
	for _, sort := range []string{"hot", "new", "estimated", "pledged", "closing"} {
		eventually(t, "all are listed by "+sort, func() bool {
			got := map[string]bool{}
			for cursor, limit := "", int64(3); ; {
				out, err := stratos.FeatureListProposals(t.Context(), client, author.DID.String(), "", "", cursor, &limit, "", sort, []string{"proposed"}, "", "paged")
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range out.Proposals {
					if got[p.Uri] {
						t.Fatalf("%s came twice", p.Uri)
					}
					got[p.Uri] = true
				}
				if out.Cursor == nil {
					return len(got) == len(want)
				}
				cursor = *out.Cursor
			}
		})
	}
}

func TestTheDIDDocumentNamesTheService(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	client := startAppView(t, network)
	resp, err := http.Get(client.Host + "/.well-known/did.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var doc struct {
		ID      string `json:"id"`
		Service []struct {
			ID, Type, ServiceEndpoint string
		} `json:"service"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	if doc.ID != "did:web:localhost%3A8080" || len(doc.Service) != 1 || doc.Service[0].ID != "#stratos_appview" {
		t.Errorf("the DID document is %+v", doc)
	}
}
