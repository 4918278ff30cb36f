package escrows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

const (
	broker  syntax.DID   = "did:plc:broker"
	attempt syntax.ATURI = "at://did:plc:bob/fund.stratos.work.development/3kdev"
)

// fake is an escrow that answers as a test wants, and counts.
type fake struct {
	asked atomic.Int64
	// answers are what it says, after a while, to the n-th question, from one on.
	answers func(ctx context.Context, n int64) (body string, err error)
}

func (f *fake) Query(ctx context.Context, server string, _ syntax.NSID, _ url.Values, _ string, read func(io.Reader) error) error {
	if server != "https://escrow.example" {
		return errors.New("somebody else was asked: " + server)
	}
	body, err := f.answers(ctx, f.asked.Add(1))
	if err != nil {
		return err
	}
	return read(strings.NewReader(body))
}

func newClient(t *testing.T, f *fake) *Client {
	t.Helper()
	directory := identity.NewMockDirectory()
	directory.Insert(identity.Identity{DID: broker, Services: map[string]identity.ServiceEndpoint{serviceID: {URL: "https://escrow.example"}}})
	c := New(directory, f, time.Now)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func said(phase string) string {
	body, err := json.Marshal(stratos.EscrowGetCampaign_Output{Campaign: stratos.EscrowDefs_CampaignView{Phase: phase, Record: json.RawMessage(`{}`)}})
	if err != nil {
		panic(err) // a view that is none
	}
	return string(body)
}

func TestAnAnswerIsKeptForAWhileAndThenToldWhileItIsAskedForAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: func(_ context.Context, n int64) (string, error) { return said(fmt.Sprint("phase ", n)), nil }}
		c := newClient(t, f)
		want := func(phase string, asked int64) {
			t.Helper()
			got, err := c.Campaign(t.Context(), broker, attempt)
			if err != nil || got.Phase != phase {
				t.Errorf("it says %+v, %v, want %s", got, err, phase)
			}
			synctest.Wait()
			if n := f.asked.Load(); n != asked {
				t.Errorf("it was asked %d times, want %d", n, asked)
			}
		}
		want("phase 1", 1)
		time.Sleep(freshFor - time.Second)
		want("phase 1", 1)
		time.Sleep(2 * time.Second)
		want("phase 1", 2) // what is known is told at once
		want("phase 2", 2)
		time.Sleep(knownFor + time.Second)
		want("phase 3", 3) // what is too old is not told
	})
}

func TestNobodyWaitsForASlowEscrowAndItsAnswerIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: func(context.Context, int64) (string, error) {
			time.Sleep(5 * time.Second)
			return said("open"), nil
		}}
		c := newClient(t, f)
		began := time.Now()
		for range 3 {
			if _, err := c.Campaign(t.Context(), broker, attempt); !errors.Is(err, ErrAway) {
				t.Errorf("it says %v", err)
			}
		}
		if waited := time.Since(began); waited > 3*patience {
			t.Errorf("they waited for %s", waited)
		}
		time.Sleep(5 * time.Second)
		if got, err := c.Campaign(t.Context(), broker, attempt); err != nil || got.Phase != "open" || f.asked.Load() != 1 {
			t.Errorf("afterwards it says %+v, %v, asked %d times", got, err, f.asked.Load())
		}
	})
}

func TestAnEscrowThatIsGoneIsAskedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: func(_ context.Context, n int64) (string, error) {
			if n == 1 || n > 4 {
				return said("open"), nil
			}
			return "", errors.New("nobody is there")
		}}
		c := newClient(t, f)
		if _, err := c.Campaign(t.Context(), broker, attempt); err != nil {
			t.Fatal(err)
		}
		time.Sleep(freshFor)
		for range 10 {
			if got, err := c.Campaign(t.Context(), broker, attempt); err != nil || got.Phase != "open" {
				t.Errorf("what it said before is lost: %v", err)
			}
			synctest.Wait()
		}
		if n := f.asked.Load(); n != 2 {
			t.Errorf("it was asked %d times", n)
		}
		time.Sleep(knownFor)
		if got, err := c.Campaign(t.Context(), broker, attempt); !errors.Is(err, ErrAway) || got != nil {
			t.Errorf("an hour later it says %+v, %v", got, err)
		}
		if _, err := c.Campaign(t.Context(), broker, attempt); !errors.Is(err, ErrAway) || f.asked.Load() != 3 {
			t.Errorf("it was asked again at once: %v", err)
		}
	})
}

func TestOnlySoManyQuestionsAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: func(ctx context.Context, _ int64) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}}
		c := newClient(t, f)
		for n := range 3 * mostAtOnce {
			if _, err := c.Campaign(t.Context(), broker, syntax.ATURI(fmt.Sprint(attempt, n))); !errors.Is(err, ErrAway) {
				t.Errorf("it says %v", err)
			}
		}
		if n := f.asked.Load(); n != mostAtOnce {
			t.Errorf("%d were asked", n)
		}
		time.Sleep(askWithin)
		synctest.Wait()
		if _, err := c.Campaign(t.Context(), broker, "at://did:plc:bob/fund.stratos.work.development/other"); !errors.Is(err, ErrAway) || f.asked.Load() != mostAtOnce+1 {
			t.Errorf("afterwards nobody is asked: %v", err)
		}
	})
}

func TestAnAnswerThatIsTooLongOrNoneIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, body := range []string{strings.Repeat(" ", maxAnswer) + said("open"), "<html>", ""} {
			c := newClient(t, &fake{answers: func(context.Context, int64) (string, error) { return body, nil }})
			if got, err := c.Campaign(t.Context(), broker, attempt); !errors.Is(err, ErrAway) {
				t.Errorf("%d bytes are %+v, %v", len(body), got, err)
			}
		}
		c := newClient(t, &fake{})
		if _, err := c.Campaign(t.Context(), "did:plc:nobody", attempt); !errors.Is(err, ErrAway) {
			t.Errorf("an account that is none: %v", err)
		}
	})
}

func TestWhatAnEscrowRefusesToSayIsToldInItsWords(t *testing.T) {
	status, body := http.StatusOK, said("open")
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/xrpc/fund.stratos.escrow.getCampaign" || r.URL.Query().Get("development") != attempt.String() {
			t.Errorf("it was asked for %s", r.URL)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // a client that went away does not matter
	}))
	defer host.Close()
	asker, err := indexer.NewAsker(indexer.Config{RelayURLs: []string{host.URL}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		status     int
		body, name string
	}{
		{http.StatusOK, said("open"), ""},
		{http.StatusBadRequest, `{"error":"CampaignNotFound","message":"a payee has not agreed"}`, "CampaignNotFound"},
		{http.StatusInternalServerError, `{"error":"InternalServerError"}`, "away"},
		{http.StatusNotFound, `<html>`, "away"},
	} {
		status, body = c.status, c.body
		directory := identity.NewMockDirectory()
		directory.Insert(identity.Identity{DID: broker, Services: map[string]identity.ServiceEndpoint{serviceID: {URL: host.URL}}})
		client := New(directory, asker, time.Now)
		q := question{broker, attempt}
		got, _, err := client.campaign(t.Context(), q)
		wire, refused := errors.AsType[*xrpc.Error](err)
		switch c.name {
		case "":
			if err != nil || got.Phase != "open" {
				t.Errorf("%d: %+v, %v", c.status, got, err)
			}
		case "away":
			if !errors.Is(err, ErrAway) {
				t.Errorf("%d: %v", c.status, err)
			}
		default:
			if !refused || wire.Name != c.name || wire.Message != "a payee has not agreed" {
				t.Errorf("%d: %v", c.status, err)
			}
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
}
