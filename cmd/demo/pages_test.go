package main

import (
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web/e2e"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// everyPage looks at all pages and forms that are not on the way of another story, as
// somebody signed out, a developer and a backer see them.
func everyPage(t *testing.T, s *showing) {
	b := e2e.New(t)
	b.Open(s.api.Host + "/")
	inspect := func(name, path string) {
		b.Go(path)
		b.Inspect(name)
	}
	inspect("board", "/")
	inspect("board-tag", "/?tag=maps")
	inspect("board-nothing", "/?q=zeppelin")
	inspect("about", "/about")
	inspect("how-it-works", "/how-it-works")
	inspect("api", "/api")
	inspect("nothing", "/nothing-here")
	inspect("person-developer", "/@lin-builds.test")
	inspect("person-backer", "/@ana-backs.test")
	inspect("project", "/project/maya-builds.test/skylight")
	for _, stage := range lifecycle.Stages() {
		inspect("board-"+string(stage), "/?stage="+string(stage))
		inspect("proposal-"+string(stage), pagePath(s.inStage(t, stage).Uri))
	}
	completed := syntax.ATURI(s.inStage(t, lifecycle.StageCompleted).Uri)
	inspect("timeline", pagePath(completed.String())+"/timeline")
	inspect("backers", pagePath(completed.String())+"/backers")
	inspect("record", "/at/"+strings.TrimPrefix(completed.String(), "at://"))
	b.Open(s.escrow.Host + "/")
	b.Inspect("escrow")
	b.Open(s.escrow.Host + "/nothing-here")
	b.Inspect("escrow-nothing")

	asked := map[lifecycle.Act]bool{}
	for _, who := range []string{"maya-builds.test", "ana-backs.test", "lin-builds.test", "chloe-backs.test"} {
		b := s.visit(t, who, "/me")
		b.Inspect("me-of-" + who)
		b.Go("/me/work")
		b.Inspect("work-of-" + who)
		for _, stage := range lifecycle.Stages() {
			for _, proposal := range s.allInStage(t, stage) {
				lookAtForms(b, pagePath(proposal.Uri), asked)
			}
		}
	}
	for _, act := range lifecycle.Acts() {
		if !asked[act] {
			t.Errorf("nobody could %s, so nobody has seen the form", act)
		}
	}
	maya := s.visit(t, "maya-builds.test", "/project/maya-builds.test/skylight/edit")
	maya.Inspect("project-edit")
}

// lookAtForms looks at the forms of a proposal that the visitor may send, and nobody has seen.
func lookAtForms(b *e2e.Browser, path string, seen map[lifecycle.Act]bool) {
	for _, act := range lifecycle.Acts() {
		if seen[act] {
			continue
		}
		b.Go(path + "/" + string(act))
		if seen[act] = !strings.Contains(b.Text(), "Not possible now"); seen[act] {
			b.Inspect("form-" + string(act))
		}
	}
}
