package store

import (
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

func (w *world) wantStage(uri syntax.ATURI, want lifecycle.Stage) {
	w.t.Helper()
	if got := w.state(uri); got == nil || got.Stage.Stage != want {
		w.t.Fatalf("%s: %+v, want %s", uri, got, want)
	}
}

func TestDerive_PartsOfAnAttempt(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri := proposalURI(alice, 1)
	w.put(proposal(t, alice, 1, onAccount(bob), nil), development(t, bob, 1, uri, nil))
	next := func(want lifecycle.NextEvent) {
		t.Helper()
		w.wantStage(uri, lifecycle.StageDevelopment)
		if got := w.state(uri).Stage.Next; got == nil || got.Event != want {
			t.Fatalf("next %+v, want %s", got, want)
		}
	}
	next(lifecycle.NextAttemptLapses)
	shown := preview(t, bob, 1, start.Add(time.Hour), nil)
	w.put(shown)
	next(lifecycle.NextPreviewOpens)
	w.delete(shown.URI())
	next(lifecycle.NextAttemptLapses)
	stopped := cancellation(t, bob, 1, nil)
	w.put(stopped)
	w.wantStage(uri, lifecycle.StageProposed)
	w.delete(stopped.URI())
	next(lifecycle.NextAttemptLapses)
	// The attempt may move to another proposal, with all its parts.
	other := proposalURI(alice, 2)
	w.put(stopped, proposal(t, alice, 2, onAccount(bob), nil), development(t, bob, 1, other, nil))
	w.wantStage(uri, lifecycle.StageProposed)
	w.wantStage(other, lifecycle.StageProposed)
	w.delete(stopped.URI())
	w.wantStage(other, lifecycle.StageDevelopment)
}

func TestRule3_AuthorityFollowsProjectAndAccounts(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri := proposalURI(alice, 1)
	w.put(proposal(t, alice, 1, onProject(projectURI(bob, "p")), nil))
	w.put(response(t, carol, 1, uri, "declined", nil))
	w.wantStage(uri, lifecycle.StageProposed)
	w.put(project(t, bob, "p", carol))
	w.wantStage(uri, lifecycle.StageDeclined)
	w.status(bob, AccountDeactivated) // whose project record made carol a maintainer
	w.wantStage(uri, lifecycle.StageProposed)
	w.status(bob, AccountActive)
	w.wantStage(uri, lifecycle.StageDeclined)
	w.status(carol, AccountDeactivated)
	w.wantStage(uri, lifecycle.StageProposed)
	w.status(carol, AccountActive)
	w.wantStage(uri, lifecycle.StageDeclined)
	w.delete(projectURI(bob, "p"))
	w.wantStage(uri, lifecycle.StageProposed)
	w.put(development(t, bob, 1, uri, nil)) // the owner by the project's address
	w.wantStage(uri, lifecycle.StageDevelopment)
	w.status(bob, AccountTakendown)
	w.wantStage(uri, lifecycle.StageProposed)
}
