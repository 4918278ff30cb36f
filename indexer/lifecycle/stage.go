package lifecycle

import (
	"slices"
	"time"
)

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
	return slices.Contains(Stages(), s)
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
	// Attempt is the current attempt, or the one that decided the stage; empty
	// when there is neither.
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
	// NextPreviewExpected is when the developer expects to show a preview.
	NextPreviewExpected NextEvent = "preview-expected"
	// NextPreviewOpens is when an announced preview asks to open.
	NextPreviewOpens NextEvent = "preview-opens"
	// NextPreviewCloses is when pledging ends.
	NextPreviewCloses NextEvent = "preview-closes"
	// NextReleaseDue is the end of the release window.
	NextReleaseDue NextEvent = "release-due"
	// NextChecksFinish is until when a release must have passed its checks.
	NextChecksFinish NextEvent = "checks-finish"
	// NextVerificationEnds is when a release can be disputed no longer.
	NextVerificationEnds NextEvent = "verification-ends"
	// NextRulingDue is until when the escrow must rule on a dispute.
	NextRulingDue NextEvent = "ruling-due"
	// NextPayout is until when the payees must have their money. When it is
	// expected stands in the receipts.
	NextPayout NextEvent = "payout"
	// NextRefund is likewise for the backers.
	NextRefund NextEvent = "refund"
	// NextFinalDate is when undecided money goes back.
	NextFinalDate NextEvent = "final-date"
	// NextAttemptLapses is when an attempt nobody touched is over.
	NextAttemptLapses NextEvent = "expires"
)

// NextEvents lists them in the order in which they may come.
func NextEvents() []NextEvent {
	return []NextEvent{
		NextPreviewExpected, NextPreviewOpens, NextPreviewCloses, NextReleaseDue, NextChecksFinish,
		NextVerificationEnds, NextRulingDue, NextPayout, NextRefund, NextFinalDate, NextAttemptLapses,
	}
}
