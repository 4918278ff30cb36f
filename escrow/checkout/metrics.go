package checkout

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are nil-safe: a nil registry makes metrics that nobody reads.
type metrics struct {
	refusals *prometheus.CounterVec
	payments *prometheus.CounterVec
	misfits  prometheus.Counter
	vain     prometheus.Counter
}

// What a payment came to, beside its endings.
const (
	outcomeOffered = "offered"
	outcomePaid    = "paid"
)

func newMetrics(registry prometheus.Registerer) *metrics {
	with := promauto.With(registry)
	m := &metrics{
		refusals: with.NewCounterVec(prometheus.CounterOpts{
			Name: "escrow_checkout_refusals_total", Help: "Checkouts that were not begun, by the lexicon's name for why.",
		}, []string{"reason"}),
		payments: with.NewCounterVec(prometheus.CounterOpts{
			Name: "escrow_payments_total", Help: "Payments that were offered, paid, or ended, by kind and outcome.",
		}, []string{"kind", "outcome"}),
		misfits: with.NewCounter(prometheus.CounterOpts{
			Name: "escrow_checkout_misfits_total", Help: "Sessions whose money did not fit. Anything above zero is for a person.",
		}),
		vain: with.NewCounter(prometheus.CounterOpts{
			Name: "escrow_checkout_vain_total", Help: "Looks at a payment that found nothing out.",
		}),
	}
	for _, name := range RefusalNames() {
		m.refusals.WithLabelValues(string(name))
	}
	for _, kind := range Kinds() {
		for _, outcome := range append([]string{outcomeOffered, outcomePaid}, endingNames()...) {
			m.payments.WithLabelValues(string(kind), outcome)
		}
	}
	return m
}

func endingNames() (names []string) {
	for _, e := range Endings() {
		names = append(names, string(e))
	}
	return names
}

func (m *metrics) came(p Payment, outcome string) {
	m.payments.WithLabelValues(string(p.Kind), outcome).Inc()
}

// refused counts a refusal, and returns the error as it is.
func (m *metrics) refused(err error) error {
	if r, ok := errors.AsType[*Refusal](err); ok {
		m.refusals.WithLabelValues(string(r.Name)).Inc()
	}
	return err
}
