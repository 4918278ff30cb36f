package session

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func newKey() syntax.RecordKey { return syntax.RecordKey(syntax.NewTIDNow(7)) }

func proposal(title string, at time.Time) *stratos.FeatureProposal {
	return &stratos.FeatureProposal{
		LexiconTypeID: lexicons.CollectionProposal.String(), Title: title, Description: "What it should do.",
		Subject:   stratos.FeatureProposal_Subject{FeatureProposal_UriSubject: &stratos.FeatureProposal_UriSubject{Uri: "https://example.org/"}},
		CreatedAt: at.UTC().Format(syntax.AtprotoDatetimeLayout),
	}
}

func profile(name string) *stratos.ProjectProfile {
	return &stratos.ProjectProfile{
		LexiconTypeID: lexicons.CollectionProject.String(), Name: name, CreatedAt: time.Now().UTC().Format(syntax.AtprotoDatetimeLayout),
	}
}

func TestARecordIsWrittenOnceHoweverOftenItIsSent(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	b := w.browser(t)
	b.signIn(ana, Backing)
	key := newKey()
	b.as(func(ctx context.Context, v *Visitor) {
		first, err := v.Create(ctx, key, proposal("Dark mode", time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		var there stratos.FeatureProposal
		cid, err := ana.GetRecord(ctx, syntax.ATURI(first.Uri), &there)
		if err != nil || cid != first.Cid || there.Title != "Dark mode" {
			t.Errorf("the PDS has %q as %s, want %s: %v", there.Title, cid, first.Cid, err)
		}
		again, err := v.Create(ctx, key, proposal("Dark mode", time.Now().Add(time.Second)))
		if err != nil || again != first {
			t.Errorf("sent again it is %v, %v; want %v", again, err, first)
		}
		if _, err := v.Create(ctx, key, proposal("Light mode", time.Now())); !errors.Is(err, ErrKeyTaken) {
			t.Errorf("another one under its key: %v", err)
		}
	})
}

func TestWhatALostAnswerSaidIsFoundOut(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	b := w.browser(t)
	b.signIn(ana, Backing)
	lossy := &losesAnswers{next: w.wire.RoundTripper, path: "/xrpc/com.atproto.repo.createRecord"}
	w.wire.RoundTripper = lossy
	b.as(func(ctx context.Context, v *Visitor) {
		ref, err := v.Create(ctx, newKey(), proposal("Dark mode", time.Now()))
		if err != nil || ref.Uri == "" {
			t.Errorf("the record is %v, %v", ref, err)
		}
	})
	if lossy.lost == 0 {
		t.Error("no answer was lost: the test proves nothing")
	}
}

// losesAnswers lets the requests to a path arrive, and not what is said to them.
type losesAnswers struct {
	next http.RoundTripper
	path string
	lost int
}

func (l *losesAnswers) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(req)
	if err == nil && req.URL.Path == l.path && resp.StatusCode == http.StatusOK {
		l.lost++
		return nil, errors.Join(errors.New("the answer is lost"), resp.Body.Close())
	}
	return resp, err
}

func TestWhatTheLexiconsRefuseIsNotSent(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	b := w.browser(t)
	b.signIn(ana, Backing)
	b.as(func(ctx context.Context, v *Visitor) {
		_, err := v.Create(ctx, newKey(), proposal("", time.Now()))
		if _, ok := errors.AsType[*lexicons.InvalidError](err); !ok {
			t.Errorf("a proposal without a title: %v", err)
		}
		_, err = v.Create(ctx, "no-tid", proposal("Dark mode", time.Now()))
		if invalid, ok := errors.AsType[*lexicons.InvalidError](err); !ok || invalid.Reason != lexicons.ReasonRecordKey {
			t.Errorf("a key that is no TID: %v", err)
		}
	})
}

func TestARecordIsReplacedOnlyIfItIsWhatWasSeen(t *testing.T) {
	w := newWorld(t)
	lin := atmospheretest.NewAccount(t, w.network, "lin")
	b := w.browser(t)
	b.signIn(lin, Building)
	b.as(func(ctx context.Context, v *Visitor) {
		first, err := v.Put(ctx, "maps", profile("Maps"), "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Put(ctx, "maps", profile("Other maps"), ""); !errors.Is(err, ErrChanged) {
			t.Errorf("a new one in its place: %v", err)
		}
		second, err := v.Put(ctx, "maps", profile("Better maps"), first.Cid)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Put(ctx, "maps", profile("Older maps"), first.Cid); !errors.Is(err, ErrChanged) {
			t.Errorf("one in place of what is gone: %v", err)
		}
		var there stratos.ProjectProfile
		if cid, err := lin.GetRecord(ctx, syntax.ATURI(second.Uri), &there); err != nil || cid != second.Cid || there.Name != "Better maps" {
			t.Errorf("the PDS has %q, %v", there.Name, err)
		}
	})
}

func TestADeletedRecordIsGone(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	b := w.browser(t)
	b.signIn(ana, Backing)
	key := newKey()
	b.as(func(ctx context.Context, v *Visitor) {
		ref, err := v.Create(ctx, key, proposal("Dark mode", time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time, nothing is there
			if err := v.Delete(ctx, lexicons.CollectionProposal, key); err != nil {
				t.Error(err)
			}
		}
		if _, err := ana.GetRecord(ctx, syntax.ATURI(ref.Uri), &stratos.FeatureProposal{}); err == nil {
			t.Error("the record is still there")
		}
	})
}

func TestWhoCameToPayCannotBuild(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	b := w.browser(t)
	b.signIn(ana, Backing)
	b.as(func(ctx context.Context, v *Visitor) {
		if v.MayWrite(lexicons.CollectionDevelopment, ActionCreate) || !v.MayWrite(lexicons.CollectionPledge, ActionDelete) || v.MayWrite(lexicons.CollectionPledge, ActionUpdate) {
			t.Errorf("granted is %q", v.granted)
		}
		if _, err := v.Put(ctx, "maps", profile("Maps"), ""); !errors.Is(err, ErrNotGranted) {
			t.Errorf("a project: %v", err)
		}
		// The PDS would say so too.
		v.granted = scopesFor(Building)
		if _, err := v.Put(ctx, "maps", profile("Maps"), ""); !errors.Is(err, ErrNotGranted) {
			t.Errorf("a project, by the PDS: %v", err)
		}
	})
	b.signIn(ana, Building)
	b.as(func(ctx context.Context, v *Visitor) {
		if _, err := v.Put(ctx, "maps", profile("Maps"), ""); err != nil {
			t.Errorf("a project of a developer: %v", err)
		}
		// Nothing that was not asked for: no post, no profile.
		if v.MayWrite("app.bsky.feed.post", ActionCreate) {
			t.Error("the site may post")
		}
		if _, _, err := v.read(ctx, "app.bsky.actor.profile", "self"); err == nil {
			t.Error("there is a profile")
		}
	})
}

func TestEverythingThatIsAskedForIsGranted(t *testing.T) {
	w := newWorld(t)
	lin := atmospheretest.NewAccount(t, w.network, "lin")
	b := w.browser(t)
	b.signIn(lin, Building)
	b.as(func(_ context.Context, v *Visitor) {
		for _, want := range wants {
			for _, collection := range want.records {
				for _, action := range want.actions {
					if !v.MayWrite(collection, action) {
						t.Errorf("%s of %s is not granted by %q", action, collection, v.granted)
					}
				}
			}
			for _, method := range want.methods {
				if !v.MayCall(method) {
					t.Errorf("%s is not granted by %q", method, v.granted)
				}
			}
		}
	})
}

func TestManyCallsAtOnceRenewTheTokensInTurn(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	b := w.browser(t)
	b.signIn(ana, Backing)
	b.as(func(ctx context.Context, v *Visitor) {
		// An access token that the PDS does not take has to be renewed, as after an hour.
		found, err := w.store.get(ctx, v.id)
		if err != nil {
			t.Fatal(err)
		}
		before := found.Tokens.RefreshToken
		found.Tokens.AccessToken = "over"
		if err := w.store.renew(ctx, v.id, &found.Tokens); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				if _, err := v.Create(ctx, newKey(), proposal("Dark mode", time.Now())); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		found, err = w.store.get(ctx, v.id)
		if err != nil || found.Tokens.RefreshToken == before {
			t.Errorf("the tokens were not renewed: %v", err)
		}
	})
	if len(w.turns.of) != 0 {
		t.Errorf("%d turns are remembered", len(w.turns.of))
	}
}

func TestASessionThatThePDSEndedIsGone(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	b := w.browser(t)
	b.signIn(ana, Backing)
	b.as(func(ctx context.Context, v *Visitor) {
		found, err := w.store.get(ctx, v.id)
		if err != nil {
			t.Fatal(err)
		}
		resumed, err := w.resume(found)
		if err != nil {
			t.Fatal(err)
		}
		if err := resumed.RevokeSession(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Create(ctx, newKey(), proposal("Dark mode", time.Now())); !errors.Is(err, ErrEnded) {
			t.Errorf("a record of a session that was revoked: %v", err)
		}
	})
	if got := b.get("/do"); got.text != "nobody" {
		t.Errorf("the site still sees %q", got.text)
	}
}

func TestAPDSThatIsDownEndsNothing(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	b := w.browser(t)
	b.signIn(ana, Backing)
	b.as(func(ctx context.Context, v *Visitor) {
		w.wire.cutWhen(func(*http.Request) bool { return true })
		_, err := v.Create(ctx, newKey(), proposal("Dark mode", time.Now()))
		w.wire.cutWhen(nil)
		if !errors.Is(err, ErrUnreachable) {
			t.Errorf("a record while the PDS is down: %v", err)
		}
		if _, err := v.Create(ctx, newKey(), proposal("Dark mode", time.Now())); err != nil {
			t.Errorf("a record when it is up again: %v", err)
		}
	})
}

func TestAPDSThatCannotRenewRightNowEndsNothing(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	b := w.browser(t)
	b.signIn(ana, Backing)
	b.as(func(ctx context.Context, v *Visitor) {
		found, err := w.store.get(ctx, v.id)
		if err != nil {
			t.Fatal(err)
		}
		found.Tokens.AccessToken = "over"
		if err := w.store.renew(ctx, v.id, &found.Tokens); err != nil {
			t.Fatal(err)
		}
		w.wire.cutWhen(func(r *http.Request) bool { return r.URL.Path == "/oauth/token" })
		_, err = v.Create(ctx, newKey(), proposal("Dark mode", time.Now()))
		w.wire.cutWhen(nil)
		if !errors.Is(err, ErrUnreachable) {
			t.Errorf("a record while tokens cannot be renewed: %v", err)
		}
		if _, err := v.Create(ctx, newKey(), proposal("Dark mode", time.Now())); err != nil {
			t.Errorf("a record afterwards: %v", err)
		}
	})
}

func TestAServiceIsCalledInTheVisitorsName(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	b := w.browser(t)
	b.signIn(ana, Backing)
	b.as(func(ctx context.Context, v *Visitor) {
		// The PDS itself is no escrow, and says so to what was granted.
		_, err := stratos.EscrowCreateCheckout(ctx, v.Service(ana.DID.String(), "atproto_pds"), &stratos.EscrowCreateCheckout_Input{
			Subject: comatproto.RepoStrongRef{Uri: "at://" + ana.DID.String() + "/x.y.z/1", Cid: "x"}, ReturnUri: "http://127.0.0.1/",
		})
		if api, ok := errors.AsType[*atclient.APIError](err); !ok || errors.Is(err, ErrNotGranted) || errors.Is(err, ErrEnded) {
			t.Errorf("calling the escrow: %v, %v", err, api)
		}
		_, err = stratos.EscrowGetPayoutAccount(ctx, v.Service(ana.DID.String(), "atproto_pds"))
		if !errors.Is(err, ErrNotGranted) {
			t.Errorf("calling for a payout account: %v", err)
		}
	})
}

func TestAnswersOfHostsAreBounded(t *testing.T) {
	w := newWorld(t)
	if _, err := w.http.Get("http://192.0.2.1/"); err == nil || !strings.Contains(err.Error(), "without TLS") {
		t.Errorf("a host elsewhere without TLS: %v", err)
	}
	public := newHTTP(w.wire, false)
	if _, err := public.Get(w.network.PDSURL()); err == nil || !strings.Contains(err.Error(), "without TLS") {
		t.Errorf("a host of this machine, where that is not allowed: %v", err)
	}
}
