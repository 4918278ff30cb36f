package halt

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// countWithin bounds how long a scrape waits for the database.
const countWithin = 5 * time.Second

// Register shows what stands still. It is counted when somebody asks, and not by a part of
// the escrow that may be standing still itself; NaN says that it cannot be.
func Register(registry prometheus.Registerer, s *store.Store) {
	for _, reason := range Reasons() {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "stratos_escrow_halts", Help: "Why money or checkouts stand still, by reason.",
			ConstLabels: prometheus.Labels{"reason": string(reason)},
		}, func() float64 { return count(s, reason) }))
	}
}

func count(s *store.Store, reason Reason) (n float64) {
	ctx, cancel := context.WithTimeout(context.Background(), countWithin)
	defer cancel()
	err := s.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		standing, err := Standing(ctx, q)
		for _, h := range standing {
			if h.Reason == reason {
				n++
			}
		}
		return err
	})
	if err != nil {
		return math.NaN()
	}
	return n
}
