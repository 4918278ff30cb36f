package payments

import (
	"fmt"
	"slices"
)

// Mode says whose money it is: real, the processor's play money, or ours. An escrow's
// database has one for ever.
type Mode string

// The modes.
const (
	// Live is real money.
	Live Mode = "live"
	// Test is the processor's own test mode.
	Test Mode = "test"
	// Simulator is our stand-in for the processor.
	Simulator Mode = "simulator"
)

// Modes lists all modes.
func Modes() []Mode { return []Mode{Live, Test, Simulator} }

// ParseMode returns the mode of this name.
func ParseMode(name string) (Mode, error) {
	if m := Mode(name); m.Valid() {
		return m, nil
	}
	return "", fmt.Errorf("payments: the mode is live, test or simulator, not %.16q", name)
}

// Valid tells whether this is a mode at all.
func (m Mode) Valid() bool { return slices.Contains(Modes(), m) }

// Live tells whether objects of this mode are marked as real money.
func (m Mode) Live() bool { return m == Live }
