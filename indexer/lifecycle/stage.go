package lifecycle

import "time"

// Stage is where a proposal stands in its life.
type Stage string

// The stages of a proposal, in the order in which the first that fits is taken.
const (
	StageCompleted    Stage = "completed"
	StageSettling     Stage = "settling"
	StageDisputed     Stage = "disputed"
	StageVerification Stage = "verification"
	StageReleasing    Stage = "releasing"
	StagePreview      Stage = "preview"
	StageCancelled    Stage = "cancelled"
	StageDevelopment  Stage = "development"
	StageDeclined     Stage = "declined"
	StageProposed     Stage = "proposed"
)

// Stages lists every stage in the order of precedence.
func Stages() []Stage {
	return []Stage{
		StageCompleted, StageSettling, StageDisputed, StageVerification, StageReleasing,
		StagePreview, StageCancelled, StageDevelopment, StageDeclined, StageProposed,
	}
}

// Valid reports whether s is one of the stages.
func (s Stage) Valid() bool {
	for _, known := range Stages() {
		if s == known {
			return true
		}
	}
	return false
}

const (
	// FutureTolerance is how far ahead of now a createdAt may lie (F3).
	FutureTolerance = 5 * time.Minute
	// AttemptLapse is how long an attempt without a campaign lasts after its
	// last change.
	AttemptLapse = 180 * 24 * time.Hour
)

// Beginning and End bound the time that intervals cover. They are the first
// and the last millisecond that a record's createdAt can name.
var (
	Beginning = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	End       = time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC)
)

// Interval says which stage a proposal is in from From (inclusive) until To
// (exclusive).
type Interval struct {
	From, To time.Time
	Stage    Stage
	// Attempt is the development record of the current attempt; empty when
	// there is none.
	Attempt AttemptURI
	// Next is what the clock alone will bring; nil when it brings nothing.
	Next *Next
}

// Next is what happens next without anybody acting.
type Next struct {
	Event NextEvent
	At    time.Time
}

// NextEvent names what the clock brings.
type NextEvent string

const (
	// NextPreviewOpens is when an announced preview asks to open.
	NextPreviewOpens NextEvent = "preview-opens"
	// NextAttemptLapses is when an attempt nobody touched is over.
	NextAttemptLapses NextEvent = "expires"
)
