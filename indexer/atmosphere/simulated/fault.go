package simulated

import "maps"

// Fault is something that goes wrong at a server.
type Fault string

// Faults of a write to the PDS.
const (
	// FaultWriteFails answers 500; nothing is written.
	FaultWriteFails Fault = "pds: a write fails"
	// FaultWriteUnsaid writes and answers 500.
	FaultWriteUnsaid Fault = "pds: written, and answered 500"
	// FaultWriteLost writes and closes the connection.
	FaultWriteLost Fault = "pds: written, and the answer is lost"
	// FaultRateLimited answers 429.
	FaultRateLimited Fault = "pds: 429"
	// FaultExpired lets the access token be too old.
	FaultExpired Fault = "pds: the access token is too old"
	// FaultLoggedOut forgets the session.
	FaultLoggedOut Fault = "pds: the session is forgotten"
)

// Faults of a proof.
const (
	// FaultProofFails answers 500.
	FaultProofFails Fault = "pds: no proof"
	// FaultProofOld proves how it was before the last commit.
	FaultProofOld Fault = "pds: a proof of the past"
)

// Faults of the relay.
const (
	// FaultHangUp ends all connections of consumers.
	FaultHangUp Fault = "relay: hangs up"
	// FaultLate keeps what happens back until [Network.Release].
	FaultLate Fault = "relay: tells late"
)

// Faults of an account.
const (
	// FaultOverwritten is another client that writes a record of somebody's repository.
	FaultOverwritten Fault = "pds: somebody else writes over a record"
)

var (
	writeFaults = []Fault{FaultWriteFails, FaultWriteUnsaid, FaultWriteLost, FaultRateLimited, FaultExpired, FaultLoggedOut}
	proofFaults = []Fault{FaultProofFails, FaultProofOld}
)

// Faults lists each fault once.
func Faults() []Fault {
	return append(append([]Fault{FaultHangUp, FaultLate, FaultOverwritten}, writeFaults...), proofFaults...)
}

// Arm lets faults happen, each once, to the next requests that they fit.
func (n *Network) Arm(faults ...Fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.armed = append(n.armed, faults...)
}

// Disarm forgets faults that did not happen.
func (n *Network) Disarm() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.armed = nil
}

// Fired counts the faults that happened.
func (n *Network) Fired() map[Fault]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.fired)
}

// take uses up the first armed fault that is one of those and that fits, and counts it.
func (n *Network) take(of []Fault, fits func(Fault) bool) Fault {
	for i, f := range n.armed {
		for _, one := range of {
			if f == one && fits(f) {
				n.armed = append(n.armed[:i:i], n.armed[i+1:]...)
				n.fired[f]++
				return f
			}
		}
	}
	return ""
}

func always(Fault) bool { return true }
