package intake

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
)

// Of what is not taken the first are logged, and then one now and then: all are counted.
const (
	loudFirst = 10
	loudEvery = time.Minute
)

// Handler hears the events of an endpoint. It answers 200 once an event is durable, 400
// to what is not the processor's, and 500 when the processor has to tell again.
func (w *Worker) Handler(endpoint payments.Endpoint) http.Handler {
	loud := rate.Sometimes{First: loudFirst, Interval: loudEvery} // anybody can send what is no event
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, payments.MaxEvent))
		if err != nil {
			w.metrics.heard(endpoint, heardRefused)
			http.Error(rw, "the event cannot be read", http.StatusRequestEntityTooLarge)
			return
		}
		h, err := w.Parse(endpoint, r.Header, body, w.now())
		switch {
		case errors.Is(err, payments.ErrOtherMode):
			w.metrics.heard(endpoint, heardOtherMode)
			return
		case err != nil:
			w.metrics.heard(endpoint, heardRefused)
			loud.Do(func() { w.log.Warn("an event is not taken", "endpoint", endpoint, "err", err) })
			http.Error(rw, "the event is not taken", http.StatusBadRequest)
			return
		}
		fresh, err := w.hear(r.Context(), h)
		if err != nil {
			w.log.Error("an event cannot be kept", "endpoint", endpoint, "event", h.ID, "err", err)
			http.Error(rw, "the event cannot be kept now", http.StatusInternalServerError)
			return
		}
		if fresh {
			w.metrics.heard(endpoint, heardFresh)
		} else {
			w.metrics.heard(endpoint, heardAgain)
		}
	})
}

// hear keeps an event, if anybody looks at what it is about.
func (w *Worker) hear(ctx context.Context, h payments.Hint) (fresh bool, err error) {
	err = w.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		fresh, err = keep(ctx, tx, h)
		return err
	})
	if err != nil {
		return false, err
	}
	w.stir()
	return fresh, w.crash.At(crashpoint.AfterHint)
}
