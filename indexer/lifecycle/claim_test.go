package lifecycle_test

import (
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

func TestR4_AVerifiedClaimMakesTheProposalTheProjectsOwn(t *testing.T) {
	t.Parallel()
	const repo, host = lifecycle.ClaimByRepository, lifecycle.ClaimByHost
	const a, b syntax.DID = "did:plc:a", "did:plc:b" // stand for the projects
	d, m := develop(owner, "d", day), develop(maintainer, "d", day)
	ofOwner, ofMaintainer := lapsing(owner, "d", day+lapse), lapsing(maintainer, "d", day+lapse)
	nobody := at{Stage: proposed}
	runStages(t, []stageCase{
		{"without a claim nobody acts", facts(byURL, d), 2 * day, nobody},
		{"the owner acts", facts(byURL, d, claim(a, owner, repo, 0, 90*day)), 2 * day, ofOwner},
		{"by the host as well", facts(byURL, d, claim(a, owner, host, 0, 90*day)), 2 * day, ofOwner},
		{"by nothing else", facts(byURL, d, claim(a, owner, "word", 0, 90*day)), 2 * day, nobody},
		{"the maintainers act", facts(byURL, m, claim(a, owner, repo, 0, 90*day, maintainer)), 2 * day, ofMaintainer},
		{"a stranger does not", facts(byURL, develop(stranger, "d", day), claim(a, owner, repo, 0, 90*day)), 2 * day, nobody},
		{"not before it is verified", facts(byURL, d, claim(a, owner, repo, 3*day, 90*day)), 3*day - ms, nobody},
		{"from when it is verified", facts(byURL, d, claim(a, owner, repo, 3*day, 90*day)), 3 * day, ofOwner},
		{"until it expires", facts(byURL, d, claim(a, owner, repo, 0, 9*day)), 9*day - ms, ofOwner},
		{"not from then on", facts(byURL, d, claim(a, owner, repo, 0, 9*day)), 9 * day, nobody},
		{"a claim that ends before it begins", facts(byURL, d, claim(a, owner, repo, 9*day, 0)), 9 * day, nobody},
		{"repository beats host", facts(byURL, d, m, claim(a, owner, host, 0, 90*day), claim(b, maintainer, repo, day, 90*day)), 2 * day, ofMaintainer},
		{"host when the repository's expired", facts(byURL, d, m, claim(a, owner, host, 0, 90*day), claim(b, maintainer, repo, day, 5*day)), 5 * day, ofOwner},
		{"of two the earliest", facts(byURL, d, m, claim(a, owner, repo, day, 90*day), claim(b, maintainer, repo, 0, 90*day)), 2 * day, ofMaintainer},
		{"of two at the same time the smaller uri", facts(byURL, d, m, claim(b, maintainer, repo, 0, 90*day), claim(a, owner, repo, 0, 90*day)), 2 * day,
			ofMaintainer}, // its owner's DID is the smaller one
		{"a claim on a project's own proposal says nothing", facts(byProject, m, claim(a, maintainer, repo, 0, 90*day)), 2 * day, nobody},
		{"an answer counts as well", facts(byURL, answer(owner, "no", day, lifecycle.AnswerDeclined), claim(a, owner, repo, 0, 90*day)), 2 * day, at{Stage: declined}},
		{"an opening is not revoked when the claim expires", facts(byURL, d, claim(a, owner, repo, 0, 9*day), campaignOf(owner, "d", 5*day, open)), 10 * day,
			in(lifecycle.StagePreview, "d", lifecycle.NextPreviewCloses, 19*day)},
	})
}

func TestR4_TheClaimingProjectIsShown(t *testing.T) {
	t.Parallel()
	claimed := facts(byURL, claim("did:plc:a", owner, lifecycle.ClaimByHost, 3*day, 9*day))
	tests := []struct {
		name string
		f    lifecycle.Facts
		when int
		want syntax.ATURI
	}{
		{"the subject", facts(byProject), 0, projectURI},
		{"the subject, before its record exists", facts(byProject, project(3*day)), 2, ""},
		{"the subject, without a record", facts(byProject, noProject), 0, ""},
		{"an account has none", facts(byAccount), 0, ""},
		{"before the claim is verified", claimed, 2, ""},
		{"while it counts", claimed, 3, meta(owner, "project.profile", "a", 0).URI},
		{"when it has expired", claimed, 9, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := lifecycle.ProjectAt(tt.f, t0.AddDate(0, 0, tt.when))
			if got.URI != tt.want || ok != (tt.want != "") {
				t.Errorf("got %q, %t; want %q", got.URI, ok, tt.want)
			}
		})
	}
}
