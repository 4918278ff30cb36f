package store

import (
	"fmt"
	"slices"
)

// Mode says whether an escrow's money is real.
type Mode string

// The modes.
const (
	// ModeLive: real money at the real processor.
	ModeLive Mode = "live"
	// ModeTest: the real processor, and no money.
	ModeTest Mode = "test"
	// ModeSimulator: our own stand-in for the processor.
	ModeSimulator Mode = "simulator"
)

// Modes lists all modes.
func Modes() []Mode { return []Mode{ModeLive, ModeTest, ModeSimulator} }

// ParseMode returns the mode of that name.
func ParseMode(name string) (Mode, error) {
	if !slices.Contains(Modes(), Mode(name)) {
		return "", fmt.Errorf("store: the mode is live, test or simulator, and not %.32q", name)
	}
	return Mode(name), nil
}
