package web

import (
	"slices"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// stage is where a proposal stands, for people.
type stage struct {
	ID   string
	Name string
	// Can is what people can do now, in a sentence.
	Can string
	// Tone is how it is coloured: calm, work, open, check, stop, done or over.
	Tone string
	// Step is the one of the way that it is on.
	Step int
	// Stopped is whether it goes on from there.
	Stopped bool
}

// The steps of the way from an idea to open source.
const (
	stepIdea = iota
	stepWork
	stepPreview
	stepRelease
	stepVerification
	stepPaid
	steps
)

var stepNames = [steps]string{"Proposed", "In development", "Public preview", "Release", "Verification", "Paid out"}

var stages = map[lifecycle.Stage]stage{
	lifecycle.StageProposed: {Name: "Proposed", Tone: "calm", Step: stepIdea,
		Can: "Say what it would be worth to you. It costs nothing, and tells developers what to build next."},
	lifecycle.StageDeclined: {Name: "Declined", Tone: "over", Step: stepIdea, Stopped: true,
		Can: "The developers answered that they will not build it. They may change their answer."},
	lifecycle.StageDevelopment: {Name: "In development", Tone: "work", Step: stepWork,
		Can: "Somebody works on it. Say what it would be worth to you, or support the work with a donation."},
	lifecycle.StagePreview: {Name: "Public preview", Tone: "open", Step: stepPreview,
		Can: "It works, and anybody can try it. Pledge for its release: the money is held, and comes back if the code does not."},
	lifecycle.StageReleasing: {Name: "Waiting for release", Tone: "check", Step: stepRelease,
		Can: "The pot is final. The developer releases the code, or everybody gets their money back."},
	lifecycle.StageVerification: {Name: "Verification", Tone: "check", Step: stepVerification,
		Can: "The code is public. Copy it, try it, and say whether it is what the preview showed."},
	lifecycle.StageDisputed: {Name: "Disputed", Tone: "stop", Step: stepVerification,
		Can: "A backer disputes the release. Nothing is paid out until the escrow has ruled."},
	lifecycle.StageSettling: {Name: "Paying out", Tone: "done", Step: stepPaid,
		Can: "The release was verified. The money is on its way to the developers."},
	lifecycle.StageCompleted: {Name: "Completed", Tone: "done", Step: stepPaid,
		Can: "It is open source, and its developers were paid. Fork it."},
	lifecycle.StageCancelled: {Name: "Not released", Tone: "over", Step: stepRelease, Stopped: true,
		Can: "The attempt ended without a release, so every pledge goes or went back. Somebody else may try."},
}

// stageOf is a stage that this site knows; one of a newer AppView is shown by its name.
func stageOf(id string) stage {
	s, ok := stages[lifecycle.Stage(id)]
	if !ok {
		s = stage{Name: plain(id), Tone: "calm"}
	}
	s.ID = id
	return s
}

// StageName is a stage as pages name it.
func StageName(id string) string { return stageOf(id).Name }

// tab is a part of the board.
type tab struct {
	Name   string
	Stages []lifecycle.Stage
}

// tabs are all stages, in the order of the way.
var tabs = []tab{
	{"Ideas", []lifecycle.Stage{lifecycle.StageProposed}},
	{"In development", []lifecycle.Stage{lifecycle.StageDevelopment}},
	{"Preview", []lifecycle.Stage{lifecycle.StagePreview}},
	{"Verifying", []lifecycle.Stage{lifecycle.StageReleasing, lifecycle.StageVerification, lifecycle.StageDisputed, lifecycle.StageSettling}},
	{"Completed", []lifecycle.Stage{lifecycle.StageCompleted}},
	{"Closed", []lifecycle.Stage{lifecycle.StageCancelled, lifecycle.StageDeclined}},
}

// is tells whether a query asks for exactly the tab.
func (t tab) is(asked []string) bool {
	return len(asked) == len(t.Stages) && !slices.ContainsFunc(t.Stages, func(s lifecycle.Stage) bool {
		return !slices.Contains(asked, string(s))
	})
}

// next is what the clock brings.
type next struct {
	Short    string // Preview closes
	Sentence string
	At       *moment
}

// nextNames say what comes next where there is little room.
var nextNames = map[lifecycle.NextEvent]string{
	lifecycle.NextPreviewExpected:  "Preview expected",
	lifecycle.NextPreviewOpens:     "Preview opens",
	lifecycle.NextPreviewCloses:    "Pledging ends",
	lifecycle.NextReleaseDue:       "Release due",
	lifecycle.NextChecksFinish:     "Checks end",
	lifecycle.NextVerificationEnds: "Verification ends",
	lifecycle.NextRulingDue:        "Ruling due",
	lifecycle.NextPayout:           "Payout due",
	lifecycle.NextRefund:           "Refunds due",
	lifecycle.NextFinalDate:        "Final date",
	lifecycle.NextAttemptLapses:    "Attempt lapses",
}

func (s *Site) nextOf(n *stratos.FeatureDefs_Next) *next {
	if n == nil {
		return nil
	}
	out := &next{Short: nextNames[lifecycle.NextEvent(n.Event)], At: s.maybe(n.At)}
	if n.Description != nil {
		out.Sentence = *n.Description
	}
	if out.Short == "" {
		out.Short = plain(n.Event)
	}
	return out
}
