package lifecycle_test

import (
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

func TestR13_WhatDisputesStand(t *testing.T) {
	t.Parallel()
	code := releaseURI(owner, "d")
	uri := func(who syntax.DID, rkey string) syntax.ATURI { return meta(who, "feature.dispute", rkey, 0).URI }
	held := receipt(backer, "p", 11*day, workOfOwner, 500, "held")
	x, y := dispute(backer, "x", 30*day, code), dispute(backer, "y", 31*day, code)
	type shown struct {
		URI      syntax.ATURI
		Standing bool
		Outcome  lifecycle.Outcome
	}
	stopped := func(by syntax.ATURI) part {
		return func(f *lifecycle.Facts) {
			f.Campaigns[0].Pauses = []lifecycle.Pause{{From: t0.Add(29 * day), Dispute: lifecycle.Ref{URI: by}}}
		}
	}
	tests := []struct {
		name string
		f    lifecycle.Facts
		when time.Duration
		want []shown
	}{
		{"of a holder", phased(verifying, held, x), 32 * day, []shown{{uri(backer, "x"), true, ""}}},
		{"while it is disputed", phased(disputed, held, x), 32 * day, []shown{{uri(backer, "x"), true, ""}}},
		{"dated ahead", phased(verifying, held, x), 29 * day, nil},
		{"of another, shown", phased(verifying, x), 32 * day, []shown{{uri(backer, "x"), false, ""}}},
		{"of a holder whose money went back", phased(verifying, x, receipt(backer, "p", 11*day, workOfOwner, 500, "charged-back")), 32 * day, []shown{{uri(backer, "x"), false, ""}}},
		{"the first of two", phased(verifying, held, y, x), 32 * day, []shown{{uri(backer, "y"), false, ""}, {uri(backer, "x"), true, ""}}},
		{"the one that stopped the clock", phased(verifying, held, y, x, stopped(uri(backer, "y"))), 32 * day, []shown{{uri(backer, "y"), true, ""}, {uri(backer, "x"), false, ""}}},
		{"not after one that was withdrawn", phased(verifying, held, y, stopped(uri(backer, "x"))), 32 * day, []shown{{uri(backer, "y"), false, ""}}},
		{"ruled on", phased(verifying, held, x, ruling(escrow, "r", 32*day, uri(backer, "x"), "rejected")), 32 * day, []shown{{uri(backer, "x"), false, "rejected"}}},
		{"before the ruling", phased(verifying, held, x, ruling(escrow, "r", 33*day, uri(backer, "x"), "rejected")), 32 * day, []shown{{uri(backer, "x"), true, ""}}},
		{"the first ruling", phased(verifying, held, x, ruling(escrow, "s", 32*day, uri(backer, "x"), "rejected"), ruling(escrow, "r", 31*day, uri(backer, "x"), "upheld")), 32 * day, []shown{{uri(backer, "x"), false, "upheld"}}},
		{"ruled on by another", phased(verifying, held, x, ruling(second, "r", 32*day, uri(backer, "x"), "rejected")), 32 * day, []shown{{uri(backer, "x"), true, ""}}},
		{"when it is decided", phased(settling, held, x), 32 * day, []shown{{uri(backer, "x"), false, ""}}},
		{"before a release", phased(closed, held, x), 32 * day, []shown{{uri(backer, "x"), false, ""}}},
		{"about another's release", phased(verifying, held, dispute(backer, "z", 30*day, releaseURI(stranger, "d"))), 32 * day, nil},
		{"twice the same", phased(verifying, held, x, x), 32 * day, []shown{{uri(backer, "x"), true, ""}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []shown
			for _, d := range lifecycle.DisputesAt(tt.f, t0.Add(tt.when)) {
				s := shown{URI: d.URI, Standing: d.Standing}
				if d.Ruling != nil {
					s.Outcome = d.Ruling.Outcome
				}
				got = append(got, s)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestR13_VerificationsOfBackersAreMarked(t *testing.T) {
	t.Parallel()
	for status, want := range map[lifecycle.ReceiptStatus]bool{
		"held": true, "releasing": true, "released": true, "refunding": false, "refunded": false, "charged-back": false,
	} {
		f := phased(verifying, verification(backer, "v", 30*day, releaseURI(owner, "d")), verification(stranger, "v", 29*day, releaseURI(owner, "d")),
			verification(stranger, "w", 29*day, releaseURI(stranger, "d")), receipt(backer, "p", 11*day, workOfOwner, 500, status))
		got := lifecycle.VerificationsAt(f, t0.Add(31*day))
		if len(got) != 2 || got[0].Author != backer || got[0].Backer != want || got[1].Backer {
			t.Errorf("%s: %+v", status, got)
		}
	}
}
