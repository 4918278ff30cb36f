package campaign_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/checks"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/store"

	"context"
)

// TestR12_WhatADiskLostOfTheMirrorIsFetchedAgain: from the forge, as often as it takes, as
// long as people are told to clone it here.
func TestR12_WhatADiskLostOfTheMirrorIsFetchedAgain(t *testing.T) {
	t.Parallel()
	key := ledger.AttemptOf(development)
	for name, come := range map[string]func(*testing.T) *world{
		"while people look": released,
		"after the end": func(t *testing.T) *world {
			w := settling(t)
			for _, hold := range []ledger.HoldID{"h1", "h2"} {
				w.transferred(hold, ann)
				w.transferred(hold, ben)
			}
			w.pass(time.Second)
			w.wantPhase("released")
			w.clock = w.clock.Add(90*day - time.Hour)
			return w
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := come(t)
			kept := w.mirrored[key]
			w.ok(w.examiner.Recover(t.Context()))
			if w.lost() != 0 {
				t.Error("something is lost")
			}
			delete(w.mirrored, key)
			for _, answer := range []func(checks.Release) (checks.Report, error){
				func(checks.Release) (checks.Report, error) {
					return checks.Report{}, &checks.UndecidedError{Name: checks.RepositoryPublic}
				},
				fails,
			} {
				w.verdict = answer
				w.ok(w.examiner.Recover(t.Context()))
				if len(w.mirrored) != 0 || w.lost() != 1 {
					t.Errorf("the forge does not give it, the mirror holds %v, and %v are lost", w.mirrored, w.lost())
				}
			}
			w.verdict = passes
			w.ok(w.examiner.Recover(t.Context()))
			if w.mirrored[key] != kept || w.lost() != 0 {
				t.Errorf("the mirror holds %v, want %s; %v are lost", w.mirrored, kept, w.lost())
			}
			w.mirrored[key] = "something else"
			w.ok(w.examiner.Recover(t.Context()))
			if w.mirrored[key] != kept {
				t.Errorf("in its place there is %s", w.mirrored[key])
			}
			damage := errors.New("the disk is full")
			delete(w.mirrored, key)
			w.verdict = func(checks.Release) (checks.Report, error) { return checks.Report{}, damage }
			if err := w.examiner.Recover(t.Context()); !errors.Is(err, damage) {
				t.Errorf("damage of ours is %v", err)
			}
		})
	}
}

func TestR12_NothingIsFetchedAgainThatNobodyIsToldToClone(t *testing.T) {
	t.Parallel()
	w := settling(t)
	for _, hold := range []ledger.HoldID{"h1", "h2"} {
		w.transferred(hold, ann)
		w.transferred(hold, ben)
	}
	w.pass(time.Second)
	w.wantPhase("released")
	clear(w.mirrored)
	w.verdict = func(checks.Release) (checks.Report, error) {
		t.Error("it is fetched")
		return checks.Report{}, errors.New("nobody asked for it")
	}
	w.clock = w.clock.Add(90 * day)
	w.ok(w.examiner.Recover(t.Context()))
	w.ok(w.examiner.Tidy(t.Context()))

	checking := opened(t)
	checking.paid("h1", 2500)
	checking.release()
	checking.pass(time.Second)
	checking.verdict = w.verdict
	checking.ok(checking.examiner.Recover(t.Context()))
	if w.lost()+checking.lost() != 0 {
		t.Error("something is lost")
	}
}

// A restored database does not know where an accepted release was. It learns that from the
// author's record, as long as that is the accepted version, and else says that it does not.
func TestR12_ARestoredDatabaseLooksAfterTheMirrorAsFarAsItCan(t *testing.T) {
	t.Parallel()
	for _, edited := range []bool{false, true} {
		published := released(t)
		lost := published.campaign()
		w := opened(t)
		w.paid("h1", 2500)
		w.paid("h2", 1000)
		w.clock = closesAt
		w.release()
		if edited {
			w.edit("d")
		}
		w.clock = published.clock
		w.do(func(ctx context.Context, tx *store.Tx) error {
			_, err := campaign.CatchUp(ctx, tx, lost)
			return err
		})
		for range 2 {
			w.pass(time.Second)
			w.wantPhase("verifying")
			w.ok(w.examiner.Recover(t.Context()))
		}
		if got := w.mirrored[lost.Attempt]; (got == "") != edited || (w.lost() == 1) != edited {
			t.Errorf("edited since: %t; the mirror holds %q, and %v are lost", edited, got, w.lost())
		}
	}
}
