package appview

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/xrpc"
)

const (
	// answerBytes bounds the memory of all answers that are kept.
	answerBytes = 64 << 20
	// answerMost bounds one, its question included.
	answerMost = 1 << 20
	// answerCost is about what keeping an answer takes beside its bytes.
	answerCost = 256
)

// Answers keeps what was answered for as long as it is what would be answered
// again: until the index changes, or the clock changes what the index says (see
// [store.Era]). That holds for every method, since all of them answer from the
// index, and for one moment. Questions that come at the same time are asked once.
//
// Only the moment that a list's cursor carries may be another than without it:
// one of the same era, at which the list was the same.
type Answers struct {
	store   *store.Store
	flights singleflight.Group
	metrics *answerMetrics

	mu    sync.Mutex
	kept  *simplelru.LRU[question, *answer]
	bytes int
}

var _ xrpc.Answers = (*Answers)(nil)

type question struct {
	method syntax.NSID
	query  string
}

type answer struct {
	body []byte
	era  store.Era // the zero era: it is not to be kept
}

func (q question) size(a *answer) int { return len(q.query) + len(a.body) + answerCost }

// NewAnswers keeps nothing yet. A nil registry means no metrics.
func NewAnswers(st *store.Store, registry prometheus.Registerer) (*Answers, error) {
	a := &Answers{store: st}
	var err error
	if a.metrics, err = newAnswerMetrics(registry, a); err != nil {
		return nil, err
	}
	// The bytes bound it, not the count.
	a.kept, err = simplelru.NewLRU(math.MaxInt, func(q question, old *answer) { a.bytes -= q.size(old) })
	if err != nil {
		return nil, fmt.Errorf("appview: keep answers: %w", err)
	}
	return a, nil
}

// Answer implements [xrpc.Answers]. An error is an answer to those who asked
// together, and is not kept.
func (a *Answers) Answer(ctx context.Context, method syntax.NSID, query string, ask func(context.Context) ([]byte, error)) ([]byte, error) {
	q := question{method, query}
	if body, ok := a.recall(q); ok {
		a.metrics.count(answerKept)
		return body, nil
	}
	instant := a.store.Instant()
	if !instant.Settled() {
		a.metrics.count(answerAsked)
		return ask(ctx)
	}
	// Whoever asks after something was written must not get an answer from before
	// it, so the version is part of what is shared.
	flight := fmt.Sprintf("%s?%s %d", method, query, instant.Version())
	got, err, _ := a.flights.Do(flight, func() (any, error) {
		a.metrics.count(answerAsked)
		// One who leaves must not take the answer of the others along.
		ctx := context.WithoutCancel(ctx)
		body, err := ask(ctx)
		if err != nil {
			return nil, err
		}
		era, ok, err := a.store.EraSince(ctx, instant)
		if err != nil {
			return nil, err
		}
		if ok {
			a.keep(q, &answer{body, era})
		}
		return body, nil
	})
	if err != nil {
		return nil, err
	}
	body, ok := got.([]byte)
	if !ok {
		return nil, errNoAnswer
	}
	return body, nil
}

var errNoAnswer = errors.New("appview: an answer is of another type than was asked for")

// recall finds an answer that still holds.
func (a *Answers) recall(q question) ([]byte, bool) {
	a.mu.Lock()
	found, ok := a.kept.Get(q)
	a.mu.Unlock()
	if !ok || !a.store.During(found.era) {
		return nil, false
	}
	return found.body, true
}

func (a *Answers) keep(q question, new *answer) {
	size := q.size(new)
	if size > answerMost {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept.Remove(q) // tells what it took
	a.kept.Add(q, new)
	a.bytes += size
	for a.bytes > answerBytes {
		a.kept.RemoveOldest()
	}
}

// size is how many bytes all answers take.
func (a *Answers) size() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bytes
}

// Where an answer came from, in metrics.
const (
	answerKept  = "kept"
	answerAsked = "asked"
)

// answerMetrics counts answers; a nil one does nothing.
type answerMetrics struct{ answers *prometheus.CounterVec }

func newAnswerMetrics(registry prometheus.Registerer, a *Answers) (*answerMetrics, error) {
	if registry == nil {
		return nil, nil
	}
	m := &answerMetrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "stratos_appview_answers_total", Help: "Answers to the public, by where they came from (kept, asked).",
	}, []string{"from"})}
	bytes := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "stratos_appview_answers_bytes", Help: "Memory of the answers that are kept.",
	}, func() float64 { return float64(a.size()) })
	if err := errors.Join(registry.Register(m.answers), registry.Register(bytes)); err != nil {
		return nil, fmt.Errorf("appview: register metrics: %w", err)
	}
	return m, nil
}

func (m *answerMetrics) count(from string) {
	if m != nil {
		m.answers.WithLabelValues(from).Inc()
	}
}
