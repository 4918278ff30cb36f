package indexer

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/indexer/claims"
	"github.com/stratosfund/stratosfund/indexer/reposync"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
)

// metrics of an index. Labels come from closed sets.
type metrics struct {
	frames  *prometheus.CounterVec
	changes *prometheus.CounterVec
	dropped *prometheus.CounterVec
	invalid *prometheus.CounterVec
	resyncs *prometheus.CounterVec
	sweeps  *prometheus.CounterVec
	claims  *prometheus.CounterVec
	verify  prometheus.Histogram
	apply   prometheus.Histogram
	lag     prometheus.Gauge
	behind  prometheus.Gauge
	cursor  prometheus.Gauge
	queue   prometheus.Gauge
}

// droppedMalformed labels frames that could not be parsed.
const droppedMalformed = "malformed-frame"

// Outcomes of fetching a repository whole, and of asking where one is.
const (
	resyncDone        = "done"
	resyncFailed      = "failed"
	resyncUnavailable = "unavailable"

	sweepSame   = "same"
	sweepMissed = "missed"
	sweepFailed = "failed"
)

// newMetrics registers the metrics; with a nil registry nobody reads them.
func newMetrics(registry prometheus.Registerer, st *store.Store) *metrics {
	if registry == nil {
		registry = prometheus.NewRegistry()
	}
	r := registrar{registry}
	m := &metrics{
		frames:  r.counter("frames_total", "Frames of the firehose by kind.", "kind"),
		changes: r.counter("changes_total", "Changes given to the store by kind and outcome.", "kind", "outcome"),
		dropped: r.counter("dropped_total", "Messages that were not believed, by reason.", "reason"),
		invalid: r.counter("invalid_records_total", "Proven records that are kept out of the views, by reason.", "reason"),
		resyncs: r.counter("resyncs_total", "Whole repositories fetched, by outcome.", "outcome"),
		sweeps:  r.counter("sweeps_total", "Repositories whose PDS was asked where they are, by outcome.", "outcome"),
		claims:  r.counter("claims_checked_total", "Claims on addresses that were checked, by outcome.", "outcome"),
		verify:  r.histogram("verify_seconds", "Time to prove one event, waiting for its key included."),
		apply:   r.histogram("apply_seconds", "Time to apply one batch, commit included."),
		lag:     r.gauge("lag_seconds", "Age of the last applied event when it was applied."),
		behind:  r.gauge("lag_sequence", "How far the cursor is behind the last frame that was read."),
		cursor:  r.gauge("cursor", "Sequence number of the last applied event."),
		queue:   r.gauge("queue_length", "Events between the wire and the store."),
	}
	registry.MustRegister(&repoCollector{store: st})
	m.known()
	return m
}

// known makes every member of a closed set be there from the start, so that a
// rate can be taken over its first event.
func (m *metrics) known() {
	for _, reason := range reposync.DropReasons() {
		m.dropped.WithLabelValues(string(reason))
	}
	m.dropped.WithLabelValues(droppedMalformed)
	for _, reason := range lexicons.Reasons() {
		m.invalid.WithLabelValues(string(reason))
	}
	for _, outcome := range []string{resyncDone, resyncFailed, resyncUnavailable} {
		m.resyncs.WithLabelValues(outcome)
	}
	for _, outcome := range []string{sweepSame, sweepMissed, sweepFailed} {
		m.sweeps.WithLabelValues(outcome)
	}
	for _, outcome := range claims.Outcomes() {
		m.claims.WithLabelValues(string(outcome))
	}
	for _, kind := range store.ChangeKinds() {
		for _, outcome := range store.Outcomes() {
			m.changes.WithLabelValues(string(kind), string(outcome))
		}
	}
}

type registrar struct{ prometheus.Registerer }

func (r registrar) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "stratos", Subsystem: "indexer", Name: name, Help: help}, labels)
	r.MustRegister(c)
	return c
}

func (r registrar) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "stratos", Subsystem: "indexer", Name: name, Help: help})
	r.MustRegister(g)
	return g
}

func (r registrar) histogram(name, help string) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: "stratos", Subsystem: "indexer", Name: name, Help: help,
		Buckets: prometheus.ExponentialBuckets(50e-6, 2, 18), // 50 µs to 6.5 s
	})
	r.MustRegister(h)
	return h
}

// repoCollector counts repositories by state when somebody looks.
type repoCollector struct{ store *store.Store }

var reposDesc = prometheus.NewDesc("stratos_indexer_repos", "Repositories by state; hidden ones by status.", []string{"state"}, nil)

// Describe implements prometheus.Collector.
func (c *repoCollector) Describe(ch chan<- *prometheus.Desc) { ch <- reposDesc }

// Collect implements prometheus.Collector. A store that cannot be read gives no
// numbers rather than wrong ones.
func (c *repoCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	counts, err := c.store.RepoCounts(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(reposDesc, err)
		return
	}
	for state, n := range counts {
		ch <- prometheus.MustNewConstMetric(reposDesc, prometheus.GaugeValue, float64(n), state)
	}
}
