package intake

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/outgoing"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/payments/stripe"
	"github.com/stratosfund/stratosfund/escrow/processortest"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

const (
	amount = 2500
	day    = 24 * time.Hour
)

type world struct {
	*processortest.World
	processor payments.Processor
	worker    *Worker
	sender    *outgoing.Sender
	endpoint  *httptest.Server
}

// newWorld hears webhooks from the simulator, which are sent when a test says so.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: processortest.New(t)}
	w.processor = w.Client
	w.restart(nil)
	mux := http.NewServeMux()
	// The worker of the moment: a restarted process listens again.
	mux.HandleFunc("POST /webhooks/stripe", func(rw http.ResponseWriter, r *http.Request) {
		w.worker.Handler(payments.EndpointAccount).ServeHTTP(rw, r)
	})
	mux.HandleFunc("POST /webhooks/stripe/connect", func(rw http.ResponseWriter, r *http.Request) {
		w.worker.Handler(payments.EndpointConnect).ServeHTTP(rw, r)
	})
	w.endpoint = httptest.NewServer(mux)
	t.Cleanup(w.endpoint.Close)
	_, err := w.Control.HoldWebhooks(t.Context())
	w.OK(err)
	return w
}

// hear lets the simulator tell from now on.
func (w *world) hear() {
	w.T.Helper()
	w.OK(w.Control.SetEndpoints(w.T.Context(),
		simulator.Endpoint{URL: w.endpoint.URL + "/webhooks/stripe", Secret: processortest.AccountSecret},
		simulator.Endpoint{URL: w.endpoint.URL + "/webhooks/stripe/connect", Secret: processortest.ConnectSecret, Connect: true}))
}

// restart is a new process.
func (w *world) restart(crash crashpoint.Hook) {
	w.sender = outgoing.New(processortest.Escrow, w.Store, w.Ledger, w.processor, outgoing.Options{Log: w.Log, Clock: w.Now})
	hooks := stripe.Webhooks{
		Mode:    payments.Simulator,
		Account: []payments.Secret{payments.NewSecret(processortest.AccountSecret)},
		Connect: []payments.Secret{payments.NewSecret(processortest.ConnectSecret)},
	}
	w.worker = New(Parts{
		Escrow: processortest.Escrow, Store: w.Store, Ledger: w.Ledger, Processor: w.processor, Outgoing: w.sender, Checkouts: w.World, Parse: hooks.ParseEvent,
	}, Options{Log: w.Log, Clock: w.Now, Crash: crash})
}

// deliver sends all webhooks that wait, and works off what they told.
func (w *world) deliver() []simulator.Delivery {
	w.T.Helper()
	list, err := w.Control.DeliverWebhooks(w.T.Context())
	w.OK(err)
	w.OK(w.worker.Drain(w.T.Context()))
	return list
}

// sync reads the lists, and works off what they hold.
func (w *world) sync(full bool) []Read {
	w.T.Helper()
	reads, err := w.worker.Sync(w.T.Context(), full)
	w.OK(err)
	w.OK(w.worker.Drain(w.T.Context()))
	return reads
}

func (w *world) send() {
	w.T.Helper()
	_, err := w.sender.Pass(w.T.Context())
	w.OK(err)
}

func (w *world) waiting() (out Waiting) {
	w.T.Helper()
	w.Read(func(ctx context.Context, q sqlite.Querier) (err error) {
		out, err = CountWaiting(ctx, q)
		return err
	})
	return out
}

// outcomes counts the hints by how they ended.
func (w *world) outcomes() map[Outcome]int {
	w.T.Helper()
	out := map[Outcome]int{}
	w.Read(func(ctx context.Context, q sqlite.Querier) error {
		rows, err := q.QueryContext(ctx, `SELECT coalesce(outcome, ''), count(*) FROM hint GROUP BY 1`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var outcome Outcome
			var n int
			if err := rows.Scan(&outcome, &n); err != nil {
				return err
			}
			out[outcome] = n
		}
		return rows.Err()
	})
	return out
}

func (w *world) halts() (reasons []halt.Reason) {
	w.T.Helper()
	w.Read(func(ctx context.Context, q sqlite.Querier) error {
		standing, err := halt.Standing(ctx, q)
		for _, h := range standing {
			reasons = append(reasons, h.Reason)
		}
		return err
	})
	return reasons
}

func (w *world) noHalt() {
	w.T.Helper()
	if halts := w.halts(); len(halts) != 0 {
		w.T.Errorf("money stands still: %v", halts)
	}
}
