package outgoing

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/escrow/intent"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// outcomes of an order.
const (
	outcomeSent    = "sent"
	outcomeLater   = "later"
	outcomeRefused = "refused"
	outcomeStopped = "stopped"
)

type metrics struct {
	orders    *prometheus.CounterVec
	due       prometheus.Gauge
	returned  prometheus.Gauge
	open      prometheus.Gauge
	oldest    prometheus.Gauge
	following prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "stratos_escrow_" + name, Help: help})
	}
	m := &metrics{
		orders: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stratos_escrow_orders_total", Help: "Orders to the payment processor, by kind and outcome.",
		}, []string{"kind", "outcome"}),
		due:       gauge("refunds_due", "Holds of which something is to go back to the payer."),
		returned:  gauge("refunds_returned", "Holds of which a refund came back: owed until somebody claims it."),
		open:      gauge("intents_open", "Intents that are neither done nor refused."),
		oldest:    gauge("intents_oldest_timestamp_seconds", "When the oldest open intent was noted; 0 for none."),
		following: gauge("following", "Objects at the processor that are looked at until they are settled."),
	}
	if registry != nil {
		registry.MustRegister(m.orders, m.due, m.returned, m.open, m.oldest, m.following)
	}
	return m
}

func (m *metrics) sent(kind intent.Kind, outcome string) {
	m.orders.WithLabelValues(string(kind), outcome).Inc()
}

// count sets the gauges.
func (s *Sender) count(ctx context.Context) error {
	return s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		due, returned, err := ledger.RefundsOwed(ctx, q)
		if err != nil {
			return err
		}
		open, err := intent.Open(ctx, q)
		if err != nil {
			return err
		}
		var following int64
		if err := q.QueryRowContext(ctx, `SELECT count(*) FROM follow`).Scan(&following); err != nil {
			return fmt.Errorf("outgoing: count what is followed: %w", err)
		}
		s.metrics.due.Set(float64(due))
		s.metrics.returned.Set(float64(returned))
		s.metrics.open.Set(float64(open.Intents))
		s.metrics.oldest.Set(0)
		if open.Intents > 0 {
			s.metrics.oldest.Set(float64(open.Oldest.Unix()))
		}
		s.metrics.following.Set(float64(following))
		return nil
	})
}
