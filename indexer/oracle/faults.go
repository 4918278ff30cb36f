package oracle

import (
	"maps"
	"slices"
	"sync"

	"github.com/stratosfund/stratosfund/indexer/crashpoint"
)

// Fault is a way in which the world goes wrong.
type Fault string

// What upstreams do.
const (
	FaultDrop         Fault = "relay: connection dropped"
	FaultRepeat       Fault = "relay: frame repeated"
	FaultRenumber     Fault = "relay: old frame under a new number"
	FaultReplay       Fault = "relay: old commit that fits again"
	FaultWithhold     Fault = "relay: frame withheld"
	FaultHold         Fault = "relay: accounts reordered"
	FaultTruncate     Fault = "relay: frame truncated"
	FaultGarbage      Fault = "relay: garbage"
	FaultUnknown      Fault = "relay: message of an unknown kind"
	FaultRestart      Fault = "relay: new sequence"
	FaultFuture       Fault = "relay: said FutureCursor"
	FaultForget       Fault = "relay: backlog forgotten"
	FaultOutdated     Fault = "relay: said OutdatedCursor"
	FaultForgedKey    Fault = "lie: signed with another key"
	FaultForgedDelete Fault = "lie: delete without prev"
	FaultForgedPrev   Fault = "lie: wrong prevData"
	FaultForgedRepo   Fault = "lie: commit of another repo"
	FaultForgedOps    Fault = "lie: operations left out"
	FaultForgedBlock  Fault = "lie: block of a wrong hash"
	FaultForgedFuture Fault = "lie: rev from the future"
	FaultForgedSync   Fault = "lie: sync of another key"
	FaultTooBig       Fault = "lie: tooBig"
	FaultForgedStatus Fault = "lie: an account hidden or deleted"
	FaultForgedReturn Fault = "lie: a deleted account is back"
	FaultNotHosted    Fault = "lie: status of an account that the PDS does not host"
	FaultOutage       Fault = "relay: no connection accepted"
)

// What hosts of repositories and identities do.
const (
	FaultPDSError     Fault = "pds: status 500"
	FaultPDSStall     Fault = "pds: stalls"
	FaultPDSLate      Fault = "pds: answer of a moment ago"
	FaultPDSEndless   Fault = "pds: endless CAR"
	FaultPDSTruncated Fault = "pds: truncated CAR"
	FaultPDSMissing   Fault = "pds: block missing"
	FaultPDSWrongHash Fault = "pds: block of a wrong hash"
	FaultPDSForged    Fault = "pds: signed with another key"
	FaultPDSOther     Fault = "pds: another account's repo"
	FaultPDSOlder     Fault = "pds: older CAR"
	FaultSilentMove   Fault = "pds: account came and no relay heard"
	FaultPLCError     Fault = "plc: status 500"
	FaultPLCStall     Fault = "plc: stalls"
	FaultSiteDown     Fault = "web: status 503"
)

// What happens to the index.
const (
	FaultStop  Fault = "index: stopped at a random moment"
	FaultCrash Fault = "index: killed at " // and the point
)

// pdsFaults and plcFaults are armed and used up by the requests that come next.
var (
	pdsFaults = []Fault{
		FaultPDSError, FaultPDSStall, FaultPDSLate, FaultPDSTruncated, FaultPDSMissing,
		FaultPDSWrongHash, FaultPDSForged, FaultPDSOther, FaultPDSOlder, FaultPDSEndless,
	}
	plcFaults = []Fault{FaultPLCError, FaultPLCStall}
	lies      = []Fault{
		FaultForgedKey, FaultForgedDelete, FaultForgedPrev, FaultForgedRepo, FaultForgedOps,
		FaultForgedBlock, FaultForgedFuture, FaultForgedSync, FaultTooBig,
		FaultForgedStatus,
	}
)

// Faults lists all faults.
func Faults() []Fault {
	out := []Fault{
		FaultDrop, FaultRepeat, FaultRenumber, FaultReplay, FaultWithhold, FaultHold, FaultTruncate, FaultGarbage, FaultUnknown,
		FaultRestart, FaultFuture, FaultForget, FaultOutdated, FaultSilentMove, FaultForgedReturn, FaultNotHosted, FaultOutage, FaultSiteDown, FaultStop,
	}
	out = slices.Concat(out, lies, pdsFaults, plcFaults)
	for _, p := range crashpoint.Points() {
		out = append(out, FaultCrash+Fault(p))
	}
	return out
}

// Fired counts the faults that met the index. A fault that was armed and that
// nobody ran into is not one.
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

// Counts is how often each fault fired.
func (f *Fired) Counts() map[Fault]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.count)
}
