package oracle

import (
	"context"
	"slices"

	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
)

// handOver gives every project of which all streams tell other maintainers: whoever works
// on it and was none becomes one, and the others go. It is the last thing that happens, so
// nothing after it makes the index look at their proposals for another reason.
func (r *run) handOver(ctx context.Context) error {
	r.net.mu.Lock()
	r.writer.now = r.net.clock.Now()
	f := r.facts(r.writer.now)
	for _, a := range r.net.accounts {
		project, has := a.records[lexicons.CollectionProject.String()+"/"+projectKey.String()]
		silent := slices.ContainsFunc(r.voices, func(v *voice) bool { return !v.speaksFor(a) })
		if has && a.status == store.AccountActive && !silent {
			r.commit(a, edit{r.writer.project(r.newcomers(f, a), project.body["uris"])})
		}
	}
	r.net.mu.Unlock()
	return r.quiet(ctx, "when projects changed hands", r.unsettled)
}

// newcomers are those who work on proposals of an account's project, also by its claim
// on what they are about, and do not maintain it.
func (w *World) newcomers(f facts, owner *account) []fields {
	project := uri(owner.DID, lexicons.CollectionProject, projectKey)
	now, _ := f.find(lexicons.CollectionProject, project)
	out := []fields{}
	for _, d := range f.by[lexicons.CollectionDevelopment] {
		p, _ := f.find(lexicons.CollectionProposal, text(d.body, "proposal", "uri"))
		claimant, ok := f.claimed(p)
		its := text(p.body, "subject", "project") == project || ok && claimant.uri == project
		if its && d.author != owner.DID.String() &&
			!slices.Contains(dids(now.body, "maintainers"), d.author) &&
			!slices.ContainsFunc(out, func(m fields) bool { return m["did"] == d.author }) {
			out = append(out, fields{"did": d.author})
		}
	}
	return out
}
