package stripe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

// ledger serves so many movements, the newest first, in pages of at most size.
func ledger(t *testing.T, count, size int, pages *atomic.Int32) *Client {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		pages.Add(1)
		first := count
		if last := r.URL.Query().Get("starting_after"); last != "" {
			if _, err := fmt.Sscanf(last, "txn_%d", &first); err != nil {
				t.Error(err)
			}
			first--
		}
		var rows []string
		for i := first; i > max(0, first-size); i-- {
			rows = append(rows, fmt.Sprintf(`{"object":"balance_transaction","id":"txn_%d","amount":%d,"currency":"usd"}`, i, i))
		}
		_, _ = fmt.Fprintf(w, `{"object":"list","has_more":%v,"data":[%s]}`, first-size > 0, strings.Join(rows, ","))
	})
}

func TestListIsReadToItsEndPageByPage(t *testing.T) {
	t.Parallel()
	for _, count := range []int{0, 1, 99, 100, 101, 350} {
		var pages atomic.Int32
		client := ledger(t, count, perPage, &pages)
		next := count
		for m, err := range client.Movements(t.Context(), payments.MovementQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			if want := payments.MovementID(fmt.Sprint("txn_", next)); m.ID != want || m.Amount.Amount != int64(next) {
				t.Fatalf("%v instead of %s", m, want)
			}
			next--
		}
		if want := max(1, (count+perPage-1)/perPage); next != 0 || int(pages.Load()) != want {
			t.Errorf("%d of %d are missing after %d pages instead of %d", next, count, pages.Load(), want)
		}
	}
}

func TestListAsksOnlyForThePagesThatAreWanted(t *testing.T) {
	t.Parallel()
	var pages atomic.Int32
	client := ledger(t, 350, perPage, &pages)
	list := client.Movements(t.Context(), payments.MovementQuery{})
	if pages.Load() != 0 {
		t.Error("asked before anybody wanted")
	}
	for _, err := range list {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if pages.Load() != 1 {
		t.Errorf("%d pages for one object", pages.Load())
	}
}

func TestListEndsBeforeTheMovementThatIsKnown(t *testing.T) {
	t.Parallel()
	collect := func(until payments.MovementID) (ids []payments.MovementID, asked int32, err error) {
		var pages atomic.Int32
		client := ledger(t, 350, perPage, &pages)
		for m, e := range client.Movements(t.Context(), payments.MovementQuery{Until: until}) {
			if err = e; err == nil {
				ids = append(ids, m.ID)
			}
		}
		return ids, pages.Load(), err
	}
	ids, pages, err := collect("txn_248")
	if err != nil || len(ids) != 102 || !slices.Contains(ids, "txn_249") || slices.Contains(ids, "txn_248") || pages != 2 {
		t.Errorf("%d ids, %d pages, %v", len(ids), pages, err)
	}
	if ids, _, err := collect("txn_350"); err != nil || len(ids) != 0 {
		t.Error(ids, err)
	}
	// An end that never comes would be taken for everything.
	if ids, _, err := collect("txn_999"); !errors.Is(err, payments.ErrPlace) || len(ids) != 350 {
		t.Error(len(ids), err)
	}
}

func TestListThatBreaksOffSaysSo(t *testing.T) {
	t.Parallel()
	row := `{"object":"balance_transaction","id":"txn_1","amount":1,"currency":"usd"}`
	for name, second := range map[string]http.HandlerFunc{
		"an error":               answers(http.StatusInternalServerError, ""),
		"no list":                answers(http.StatusOK, `{"object":"list"`),
		"an empty page and more": answers(http.StatusOK, `{"object":"list","has_more":true,"data":[]}`),
		"the same page again":    answers(http.StatusOK, `{"object":"list","has_more":true,"data":[`+row+`]}`),
		"an object without id":   answers(http.StatusOK, `{"object":"list","has_more":false,"data":[{"object":"balance_transaction"}]}`),
		"another kind of object": answers(http.StatusOK, `{"object":"list","has_more":false,"data":[{"object":"refund","id":"re_1","amount":1,"currency":"usd"}]}`),
		"null":                   answers(http.StatusOK, `{"object":"list","has_more":false,"data":[null]}`),
		"an object, not a list":  answers(http.StatusOK, row),
	} {
		var pages atomic.Int32
		client := serve(t, func(w http.ResponseWriter, r *http.Request) {
			pages.Add(1)
			if r.URL.Query().Has("starting_after") {
				second(w, r)
				return
			}
			_, _ = fmt.Fprintf(w, `{"object":"list","has_more":true,"data":[%s]}`, row)
		})
		var errs []error
		for _, err := range client.Movements(t.Context(), payments.MovementQuery{}) {
			errs = append(errs, err)
		}
		if len(errs) < 2 || errs[0] != nil || !errors.Is(errs[len(errs)-1], payments.ErrUncertain) || pages.Load() != 2 {
			t.Errorf("%s: %v after %d pages", name, errs, pages.Load())
		}
	}
}

func TestListThatNeverEndsIsBounded(t *testing.T) {
	t.Parallel()
	pages := 0
	fetch := func(after) (page[int], error) {
		pages++
		return page[int]{[]*int{&pages}, true}, nil
	}
	var last error
	for _, err := range all(t.Context(), payments.Platform, "numbers", fetch, func(n *int) string { return fmt.Sprint(*n) }, func(n *int) (int, error) { return *n, nil }) {
		last = err
	}
	if !errors.Is(last, errEndless) || pages != maxPages {
		t.Errorf("%v after %d pages", last, pages)
	}
}

func TestListStopsWithItsContext(t *testing.T) {
	t.Parallel()
	var pages atomic.Int32
	client := ledger(t, 350, perPage, &pages)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range client.Movements(ctx, payments.MovementQuery{}) {
		last = err
		cancel()
	}
	if !errors.Is(last, context.Canceled) || pages.Load() != 1 {
		t.Errorf("%v after %d pages", last, pages.Load())
	}
}

func TestListsAreFilteredByWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	since := time.Unix(1777636800, 999_000_000)
	_, form := sent(t, `{"object":"list","data":[]}`, func(c *Client) error {
		for _, err := range c.Movements(t.Context(), payments.MovementQuery{Since: since, Source: "ch_1", Kind: payments.MovementRefund}) {
			return err
		}
		return nil
	})
	want := map[string]string{"created[gte]": "1777636800", "source": "ch_1", "type": "refund", "limit": "100"}
	for name, value := range want {
		if form.Get(name) != value {
			t.Errorf("%s is %q", name, form.Get(name))
		}
	}
	if len(form) != len(want) {
		t.Error(form)
	}
	header, form := sent(t, `{"object":"list","data":[]}`, func(c *Client) error {
		for _, err := range c.Hints(t.Context(), payments.HintQuery{Account: "acct_1", Types: []string{"refund.updated"}}) {
			return err
		}
		return nil
	})
	if form.Get("types[0]") != "refund.updated" || form.Has("created[gte]") || header.Get("Stripe-Account") != "acct_1" {
		t.Error(form, header)
	}
	for _, account := range []payments.AccountID{payments.Platform, "acct_1"} {
		header, form := sent(t, `{"object":"list","data":[]}`, func(c *Client) error {
			for _, err := range c.Disputes(t.Context(), account, payments.DisputeQuery{Charge: "ch_1", Since: since}) {
				return err
			}
			return nil
		})
		if form.Get("charge") != "ch_1" || form.Get("created[gte]") != "1777636800" || header.Get("Stripe-Account") != string(account) {
			t.Error(account, form, header)
		}
	}
}
