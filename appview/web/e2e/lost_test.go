package e2e

import (
	"crypto/rand"
	"strings"
	"testing"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/chromedp/chromedp"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// written puts a record into somebody's repository, past the site.
func written(t *testing.T, by *atmosphere.Account, key syntax.RecordKey, record lexicons.Record) comatproto.RepoStrongRef {
	t.Helper()
	uri, cid, err := by.PutRecord(t.Context(), record.NSID(), key, record)
	if err != nil {
		t.Fatal(err)
	}
	return comatproto.RepoStrongRef{Uri: uri.String(), Cid: cid}
}

// typing is somebody who has filled in a form, and who has one way to go wrong.
type typing struct {
	*Browser
	site   *site
	author *atmosphere.Account
	title  string // like that of no other test: similar ones would be shown first
}

const typedText = "Ring so that *I* hear it."

// typed opens the form of a proposal, and fills it in.
func typed(t *testing.T) *typing {
	t.Helper()
	b := New(t)
	s := newSite(t)
	author := atmospheretest.NewAccount(t, s.network, "ana")
	b.Open(s.page("/propose"))
	b.SignIn(author.Handle.String(), author.Password)
	w := &typing{b, s, author, rand.Text()}
	w.fill()
	return w
}

func (w *typing) fill() {
	w.Fill("The feature in a few words", w.title)
	w.Fill("For which project", "https://bells.example/")
	w.Fill("What it should do", typedText)
}

func (w *typing) send() { w.t.Helper(); w.Press("Sign the proposal") }

// hasAll wants everything that was typed to be in the form.
func (w *typing) hasAll() {
	w.t.Helper()
	for label, want := range map[string]string{
		"The feature in a few words": w.title, "For which project": "https://bells.example/", "What it should do": typedText,
	} {
		if got := w.Value(label); got != want {
			w.t.Errorf("%s: what was typed became %q", label, got)
		}
	}
}

func (w *typing) hasWritten(t *testing.T, n int) {
	t.Helper()
	if got := len(recordsOf[stratos.FeatureProposal](t, w.author, lexicons.CollectionProposal)); got != n {
		t.Errorf("%d proposals are written, not %d", got, n)
	}
}

// goesOn sends the form, which arrives.
func (w *typing) goesOn(t *testing.T) {
	t.Helper()
	w.send()
	w.Reach("/p/")
	w.See(w.title)
	w.hasWritten(t, 1)
}

func TestOfflineAFormIsNotSentAndStays(t *testing.T) {
	w := typed(t)
	w.PressOffline("Sign the proposal")
	w.hasAll()
	w.Inspect("offline")
	w.hasWritten(t, 0)
	w.goesOn(t)
}

func TestAFormWhoseAnswerIsLostComesBackAndIsWrittenOnce(t *testing.T) {
	w := typed(t)
	form := w.At()
	w.LoseAnswers(true)
	w.send()
	w.SeeLost()
	w.hasWritten(t, 1)
	w.LoseAnswers(false)
	w.Open(form)
	w.See("What you typed is here again")
	w.hasAll()
	w.Inspect("answer-lost")
	w.goesOn(t)
	w.Go("/propose")
	if got := w.Value("What it should do"); got != "" {
		t.Errorf("the next proposal begins with %q", got)
	}
}

func TestWhatWasTypedIsGoneOnceItsAuthorSignedOut(t *testing.T) {
	w := typed(t)
	form := w.At()
	w.LoseAnswers(true)
	w.send()
	w.SeeLost()
	w.LoseAnswers(false)
	w.Open(strings.TrimSuffix(form, "/propose") + "/about")
	w.Press("Sign out")
	w.See("Sign in")
	var gone bool
	w.do("look for what is left", chromedp.Evaluate(`sessionStorage.length === 0`, &gone))
	if !gone {
		t.Error("who comes next to the same browser can find it")
	}
}

func TestASiteThatStartsAnewLosesNothing(t *testing.T) {
	w := typed(t)
	w.site.stop()
	w.send()
	w.See("You are not connected, or this service does not answer, so nothing was sent.")
	w.hasAll()
	w.site.start(t)
	w.goesOn(t)
}

func TestAHostThatIsDownLosesNothing(t *testing.T) {
	w := typed(t)
	w.site.road.way.Store(wayCut)
	w.send()
	w.See("Your host does not answer. It is safe to send this again in a minute")
	w.hasAll()
	w.Inspect("host-down")
	w.hasWritten(t, 0)
	w.site.road.way.Store(wayOpen)
	w.goesOn(t)
}

func TestWhatAHostWroteBeforeItsAnswerWasLostIsWrittenOnce(t *testing.T) {
	w := typed(t)
	w.site.road.way.Store(wayBack)
	w.send()
	w.See("it is written once, even if it was written already")
	w.hasAll()
	w.hasWritten(t, 1)
	w.site.road.way.Store(wayOpen)
	w.goesOn(t)
}

func TestWhatAHostRefusesIsSaidInItsWords(t *testing.T) {
	w := typed(t)
	w.site.road.way.Store(wayRefused)
	w.send()
	w.See("Your host refused it, so nothing was written. It says: The account is over its quota.")
	w.hasAll()
	w.Inspect("host-refused")
	w.hasWritten(t, 0)
	w.site.road.way.Store(wayOpen)
	w.goesOn(t)
}

// forLin is a proposal for somebody's account, which the site shows.
func forLin(t *testing.T, b *Browser, s *site, lin, by *atmosphere.Account) (ref comatproto.RepoStrongRef, path string) {
	t.Helper()
	ref = written(t, by, "3mbellsbells2", &stratos.FeatureProposal{
		LexiconTypeID: lexicons.CollectionProposal.String(), Title: "Bells at noon", Description: "Ring at noon.",
		Subject:   stratos.FeatureProposal_Subject{FeatureProposal_AccountSubject: &stratos.FeatureProposal_AccountSubject{Did: lin.DID.String()}},
		CreatedAt: syntax.DatetimeNow().String(),
	})
	path = "/p/" + by.DID.String() + "/3mbellsbells2"
	b.Open(s.page(path))
	b.SeeAfterReload("Bells at noon")
	return ref, path
}

func TestAStageThatChangedMeanwhileLosesNothing(t *testing.T) {
	b := New(t)
	s := newSite(t)
	ana, ben, lin := atmospheretest.NewAccount(t, s.network, "ana"), atmospheretest.NewAccount(t, s.network, "ben"), atmospheretest.NewAccount(t, s.network, "lin")
	ref, path := forLin(t, b, s, lin, ana)
	b.Go(path + "/estimate")
	b.SignIn(ben.Handle.String(), ben.Password)
	b.Fill("Amount", "12.50")
	written(t, lin, "3mbellsbells3", &stratos.WorkResponse{
		LexiconTypeID: lexicons.CollectionResponse.String(), Proposal: ref, Answer: "declined", CreatedAt: syntax.DatetimeNow().String(),
	})
	other := New(t)
	other.Open(s.page(path))
	other.SeeAfterReload("Declined")
	b.Press("Sign the estimate")
	b.See("This is not possible any more, so nothing was written.")
	if got := b.Value("Amount"); got != "12.50" {
		t.Errorf("what was typed became %q", got)
	}
	b.Inspect("stage-changed")
	if got := len(recordsOf[stratos.FeatureEstimate](t, ben, lexicons.CollectionEstimate)); got != 0 {
		t.Errorf("%d estimates are written", got)
	}
}

func TestAProposalThatChangedMeanwhileIsShownBeforeItIsSentAgain(t *testing.T) {
	b := New(t)
	s := newSite(t)
	ana, ben, lin := atmospheretest.NewAccount(t, s.network, "ana"), atmospheretest.NewAccount(t, s.network, "ben"), atmospheretest.NewAccount(t, s.network, "lin")
	ref, path := forLin(t, b, s, lin, ana)
	b.Go(path + "/estimate")
	b.SignIn(ben.Handle.String(), ben.Password)
	b.Fill("Amount", "7")
	written(t, ana, "3mbellsbells2", &stratos.FeatureProposal{
		LexiconTypeID: lexicons.CollectionProposal.String(), Title: "Bells at midnight", Description: "Ring at midnight.",
		Subject:   stratos.FeatureProposal_Subject{FeatureProposal_AccountSubject: &stratos.FeatureProposal_AccountSubject{Did: lin.DID.String()}},
		CreatedAt: syntax.DatetimeNow().String(),
	})
	other := New(t)
	other.Open(s.page(path))
	other.SeeAfterReload("Bells at midnight")
	b.Press("Sign the estimate")
	b.See("What this is about was changed while you typed, so nothing was written.")
	b.See("Bells at midnight")
	if got := b.Value("Amount"); got != "7" {
		t.Errorf("what was typed became %q", got)
	}
	b.Inspect("changed-meanwhile")
	b.Press("Sign the estimate")
	b.Arrive(path)
	b.See("$7")
	got := recordsOf[stratos.FeatureEstimate](t, ben, lexicons.CollectionEstimate)
	if len(got) != 1 || got[0].Proposal.Cid == ref.Cid {
		t.Errorf("the estimates are %+v, not one of the version that was seen", got)
	}
}

func TestR2_WhatIsOverTheCapIsSaidToCountUpToIt(t *testing.T) {
	b := New(t)
	s := newSite(t)
	ana, ben, lin := atmospheretest.NewAccount(t, s.network, "ana"), atmospheretest.NewAccount(t, s.network, "ben"), atmospheretest.NewAccount(t, s.network, "lin")
	_, path := forLin(t, b, s, lin, ana)
	b.Go(path + "/estimate")
	b.SignIn(ben.Handle.String(), ben.Password)
	b.See("Yours count up to")
	b.Fill("Amount", "900")
	b.Press("Sign the estimate")
	b.Arrive(path)
	b.See("counts up to $25")
	b.Inspect("over-the-cap")
}
