package oracle

import (
	"maps"
	"sync"

	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/simulated"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
)

// Fault is something that goes wrong.
type Fault string

// What happens to the escrow.
const (
	FaultStop    Fault = "escrow: stopped"
	FaultKill    Fault = "escrow: killed at a random moment"
	FaultRestore Fault = "escrow: an older backup is restored"
	FaultCrash   Fault = "escrow: killed at " // and the point
)

// What banks do beyond the simulator's own faults.
const (
	FaultDispute     Fault = "bank: a dispute"
	FaultPartial     Fault = "bank: a dispute about a part"
	FaultUnheard     Fault = "bank: a dispute of what was just refunded, and nobody hears of either"
	FaultPartlyWon   Fault = "bank: a part of a dispute is given back"
	FaultEscalated   Fault = "bank: an inquiry becomes a dispute"
	FaultRefundFails Fault = "bank: a refund comes back weeks later"
	FaultWarning     Fault = "bank: an early fraud warning"
)

// What happens to webhooks beyond the simulator's own faults.
const (
	FaultWebhooksLost  Fault = "webhooks: all that wait are lost"
	FaultWebhooksAtOne Fault = "webhooks: kept, and all delivered at once"
)

// What developers, backers and the operator do that the escrow has to stand.
const (
	FaultCorrected        Fault = "developer: a release that failed is corrected"
	FaultForcePush        Fault = "developer: a force-push after the release"
	FaultVanished         Fault = "developer: the repository is hidden after the release"
	FaultTampered         Fault = "developer: frozen records are edited or deleted"
	FaultDisputed         Fault = "backer: a dispute of a release"
	FaultDisputeWithdrawn Fault = "backer: a dispute is taken back"
	FaultRuled            Fault = "operator: a ruling"
)

// What happens to the hosts of developers, and to payees.
const (
	FaultForgeDown   Fault = "forge: overloaded"
	FaultForgeCut    Fault = "forge: an answer breaks off"
	FaultPreviewDown Fault = "preview: it does not answer"
	FaultRestricted  Fault = "processor: an account is stopped for long"
)

// ofReleases begins what is wrong with a release.
const ofReleases = "developer: releases with "

// Of the other packages, with what they are about.
const (
	ofNetwork   = "network: "
	ofProcessor = "processor: "
)

// Faults lists all faults.
func Faults() []Fault {
	out := []Fault{
		FaultStop, FaultKill, FaultRestore, FaultDispute, FaultPartial, FaultUnheard, FaultPartlyWon, FaultEscalated, FaultRefundFails, FaultWarning,
		FaultWebhooksLost, FaultWebhooksAtOne,
		FaultCorrected, FaultForcePush, FaultVanished, FaultTampered, FaultDisputed, FaultDisputeWithdrawn, FaultRuled,
		FaultForgeDown, FaultForgeCut, FaultPreviewDown, FaultRestricted,
	}
	for _, f := range flaws() {
		out = append(out, ofReleases+Fault(f))
	}
	for _, f := range simulated.Faults() {
		out = append(out, Fault(ofNetwork+f))
	}
	for _, f := range simulator.AllFaults {
		out = append(out, Fault(ofProcessor+string(f)))
	}
	for _, p := range crashpoint.EscrowPoints() {
		out = append(out, FaultCrash+Fault(p))
	}
	return out
}

// Fired counts the faults that happened. One that was armed and met nobody is not one.
type Fired struct {
	mu    sync.Mutex
	count map[Fault]int
}

func newFired() *Fired { return &Fired{count: map[Fault]int{}} }

func (f *Fired) fire(what Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count[what]++
}

func (f *Fired) add(what Fault, times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count[what] += times
}

// Counts is how often each fault happened.
func (f *Fired) Counts() map[Fault]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.count)
}
