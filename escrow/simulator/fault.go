package simulator

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Fault is a way in which the simulator misbehaves when told to.
type Fault string

// Faults of a request to the API, in the order in which they are drawn; one request
// meets at most one. "After" means that the work is done and durable.
const (
	// FaultRateLimit answers 429; nothing is done.
	FaultRateLimit Fault = "rate-limit"
	// FaultErrorBefore answers 500; nothing is done.
	FaultErrorBefore Fault = "error-before"
	// FaultCloseBefore closes the connection; nothing is done.
	FaultCloseBefore Fault = "close-before"
	// FaultErrorAfter does it and answers 500, now and again under the same key.
	FaultErrorAfter Fault = "error-after"
	// FaultCloseAfter does it and closes the connection without an answer.
	FaultCloseAfter Fault = "close-after"
	// FaultTruncateAfter does it and breaks off in the middle of the answer.
	FaultTruncateAfter Fault = "truncate-after"
	// FaultHangAfter does it and says nothing until the client gives up.
	FaultHangAfter Fault = "hang-after"
	// FaultCloseLate closes the connection, and does it only once the same was ordered again
	// and done, within the hour: whoever asks before that finds nothing, and only the key
	// tells that both orders are one.
	FaultCloseLate Fault = "close-late"
)

// Faults of a delivery of a webhook.
const (
	// FaultWebhookLost never delivers it.
	FaultWebhookLost Fault = "webhook-lost"
	// FaultWebhookDuplicate delivers it twice.
	FaultWebhookDuplicate Fault = "webhook-duplicate"
	// FaultWebhookLate delivers it some time later, after others that happened later.
	FaultWebhookLate Fault = "webhook-late"
)

// Faults of the world beyond the API.
const (
	// FaultRefundPending lets a refund be pending for some time before it succeeds.
	FaultRefundPending Fault = "refund-pending"
	// FaultRefundFails lets a refund fail weeks after it succeeded.
	FaultRefundFails Fault = "refund-fails"
	// FaultDispute lets the payer dispute a charge within the next months.
	FaultDispute Fault = "dispute"
	// FaultDisputeWon lets a dispute be won before its evidence is due.
	FaultDisputeWon Fault = "dispute-won"
	// FaultInquiry makes an inquiry of a dispute: no funds are withdrawn.
	FaultInquiry Fault = "inquiry"
	// FaultFraudWarning lets the card's issuer report a charge within the next weeks.
	FaultFraudWarning Fault = "fraud-warning"
	// FaultRestrict restricts the destination of a transfer for a day.
	FaultRestrict Fault = "restrict"
)

var requestFaults = []Fault{
	FaultRateLimit, FaultErrorBefore, FaultCloseBefore, FaultErrorAfter, FaultCloseAfter, FaultTruncateAfter, FaultHangAfter, FaultCloseLate,
}

// AllFaults lists each fault once.
var AllFaults = slices.Concat(requestFaults, []Fault{
	FaultWebhookLost, FaultWebhookDuplicate, FaultWebhookLate,
	FaultRefundPending, FaultRefundFails, FaultDispute, FaultDisputeWon, FaultInquiry, FaultFraudWarning, FaultRestrict,
})

// Faults says how the simulator misbehaves.
type Faults struct {
	// Seed decides together with what is asked, and how often it was asked before.
	Seed uint64 `json:"seed"`
	// Probability of each fault, from 0 to 1. Absent is 0.
	Probability map[Fault]float64 `json:"probability"`
	// Next are faults that happen once each, at the first occasion that fits, before
	// anything is left to chance.
	Next []NextFault `json:"next"`
}

// NextFault is a fault that happens for certain, once.
type NextFault struct {
	Fault Fault `json:"fault"`
	// On is the route, as "POST /v1/refunds", or for a webhook the event's type. Empty
	// is any.
	On string `json:"on"`
}

// Validate says what is wrong with the faults, or nothing.
func (f Faults) Validate() error {
	for fault, p := range f.Probability {
		if !slices.Contains(AllFaults, fault) {
			return fmt.Errorf("simulator: unknown fault %q", fault)
		}
		if !(p >= 0 && p <= 1) {
			return fmt.Errorf("simulator: fault %s: probability %v is not between 0 and 1", fault, p)
		}
	}
	for _, next := range f.Next {
		if !slices.Contains(AllFaults, next.Fault) {
			return fmt.Errorf("simulator: unknown fault %q", next.Fault)
		}
	}
	return nil
}

// dice draws faults. What is drawn depends on the seed, the fault, the occasion and how
// often that was drawn before, so that requests at the same time do not shift one
// another's luck.
type dice struct {
	mu     sync.Mutex
	faults Faults
	starts uint64 // of the simulator on this file: a restart does not repeat the luck
	drawn  map[string]uint64
}

// set replaces the faults. The luck begins anew.
func (d *dice) set(f Faults) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f.Next = slices.Clone(f.Next)
	d.faults, d.drawn = f, map[string]uint64{}
}

func (d *dice) show() Faults {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.faults
	f.Next = slices.Clone(f.Next)
	return f
}

// luck returns the random numbers of one occasion.
func (d *dice) luck(what, on string) *rand.Rand {
	occasion := what + " " + on
	hash := fnv.New64a()
	hash.Write([]byte(occasion)) // a hash takes everything
	d.drawn[occasion]++
	return rand.New(rand.NewPCG(d.faults.Seed^hash.Sum64(), d.starts<<32+d.drawn[occasion]))
}

// strikes decides whether the fault happens now.
func (d *dice) strikes(fault Fault, on string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, next := range d.faults.Next {
		if next.Fault == fault && (next.On == "" || next.On == on) {
			d.faults.Next = slices.Delete(d.faults.Next, i, i+1)
			return true
		}
	}
	p := d.faults.Probability[fault]
	return p > 0 && d.luck(string(fault), on).Float64() < p
}

// between draws a time span for a fault, in whole seconds.
func (d *dice) between(what string, shortest, longest time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	span := int64((longest - shortest) / time.Second)
	return shortest + time.Duration(d.luck(what, "").Int64N(span+1))*time.Second
}

// request draws the fault that a request meets, "" for none.
func (d *dice) request(on string) Fault {
	for _, fault := range requestFaults {
		if d.strikes(fault, on) {
			return fault
		}
	}
	return ""
}

// fired counts a fault that happens in this transaction.
func (t *tx) fired(fault Fault) error {
	return t.exec("count fault", `INSERT INTO fired (fault, times) VALUES (?, 1) ON CONFLICT (fault) DO UPDATE SET times = times + 1`, string(fault))
}

// strikes decides whether a fault of the world happens, and counts it if so.
func (t *tx) strikes(fault Fault, on string) (bool, error) {
	if !t.server.dice.strikes(fault, on) {
		return false, nil
	}
	return true, t.fired(fault)
}
