package lifecycle

import (
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// reign is a time in which the same accounts act for a proposal's subject
// (rule 3). It lasts until the next one begins.
type reign struct {
	from  time.Time
	devs  map[syntax.DID]bool
	claim *Claim // the one by which they do; nil unless the subject is a URL
}

// reigns are in order, and the first one begins before everything.
type reigns []reign

func (r reigns) at(t time.Time) reign {
	return r[sort.Search(len(r), func(i int) bool { return r[i].from.After(t) })-1]
}

// everybody is who has authority at some time.
func (r reigns) everybody() map[syntax.DID]bool {
	out := map[syntax.DID]bool{}
	for _, one := range r {
		maps.Copy(out, one.devs)
	}
	return out
}

// reigns says whose attempts and answers count, and when (rule 3).
func (f *Facts) reigns() reigns {
	switch s := f.Proposal.Subject; {
	case s.Account != "":
		return reigns{{devs: map[syntax.DID]bool{s.Account: true}}}
	case s.Project != "":
		return f.projectReigns()
	}
	return f.claimReigns()
}

// projectReigns: the owner's authority comes from the address of the project,
// not from its record; it stands also while the record is missing.
func (f *Facts) projectReigns() reigns {
	first := reign{devs: map[syntax.DID]bool{}}
	if owner, err := f.Proposal.Subject.Project.Authority().AsDID(); err == nil {
		first.devs[owner] = true
	}
	if f.Project == nil || len(f.Project.Maintainers) == 0 {
		return reigns{first}
	}
	with := reign{from: f.Project.existsFrom(), devs: maps.Clone(first.devs)}
	for _, did := range f.Project.Maintainers {
		with.devs[did] = true
	}
	return reigns{first, with}
}

// claimReigns goes through time once, keeping the claims that hold in a heap,
// the best on top: one account may list a URL in thousands of projects.
func (f *Facts) claimReigns() reigns {
	claims := make([]*Claim, 0, len(f.Claims))
	var points []time.Time
	for i := range f.Claims {
		c := &f.Claims[i]
		if c.holdsFrom().Before(c.ExpiresAt) && c.Method.rank() > 0 {
			claims = append(claims, c)
			points = append(points, c.holdsFrom(), c.ExpiresAt)
		}
	}
	slices.SortFunc(claims, func(a, b *Claim) int { return a.holdsFrom().Compare(b.holdsFrom()) })
	slices.SortFunc(points, time.Time.Compare)

	out := reigns{{devs: map[syntax.DID]bool{}}}
	holding := newHeap((*Claim).beats)
	for _, t := range slices.CompactFunc(points, time.Time.Equal) {
		for len(claims) > 0 && !claims[0].holdsFrom().After(t) {
			holding.push(claims[0])
			claims = claims[1:]
		}
		best, ok := holding.top(func(c *Claim) bool { return t.Before(c.ExpiresAt) })
		switch last := out[len(out)-1].claim; {
		case !ok && last != nil:
			out = append(out, reign{from: t, devs: map[syntax.DID]bool{}})
		case ok && best != last:
			out = append(out, reign{from: t, devs: best.Project.team(), claim: best})
		}
	}
	return out
}

// team is the owner and the maintainers.
func (p *Project) team() map[syntax.DID]bool {
	out := map[syntax.DID]bool{p.Author: true}
	for _, did := range p.Maintainers {
		out[did] = true
	}
	return out
}
