package bench

import (
	"fmt"
	"net/url"
	"strings"
)

// pageLength is how many items the lists are asked for.
const pageLength = 50

// mostPages of a list are asked for, so many that what the service keeps of the first
// is gone when they come again: as much as three times its bound.
const mostPages = 800

// draws is how many questions are drawn of a kind that has many, and searches how many
// are of a kind that takes long.
const (
	draws    = 10_000
	searches = 2_000
)

// kind is a method with questions as its clients ask them.
type kind struct {
	name    string
	targets []string // drawn by popularity: the popular ones come again
	// paged: the answers are pages of a list that goes on. What cold asks for are the
	// pages that follow.
	paged bool
	pages []string
	// firstPage: it is among those whose answers should cost no more than twice
	// what an echo handler takes.
	firstPage bool
	search    bool
}

func kinds(d *dataset, seed uint64) []kind {
	r := random(seed, kindQuestions, 0)
	proposals := kind{name: "getProposal", firstPage: true}
	for range draws {
		uri := d.Popular[zipf(r, len(d.Popular))].URI
		proposals.targets = append(proposals.targets, "/xrpc/fund.stratos.feature.getProposal?uri="+url.QueryEscape(uri.String()))
	}
	out := []kind{proposals}
	sorts := []string{"hot", "new", "estimated", "pledged", "closing"}
	for _, sort := range sorts {
		out = append(out, kind{
			name: "listProposals " + sort, firstPage: true, paged: true,
			targets: []string{fmt.Sprintf("/xrpc/fund.stratos.feature.listProposals?sort=%s&limit=%d", sort, pageLength)},
		})
	}
	// All words of the data are in most of its texts: there is no harder query.
	common := func() string {
		q := []string{pick(r, words)}
		for range r.IntN(3) {
			q = append(q, pick(r, words))
		}
		return url.QueryEscape(strings.Join(q, " "))
	}
	search := kind{name: "searchProposals", search: true}
	sorted := kind{name: "searchProposals sorted", search: true}
	narrowed := kind{name: "searchProposals narrowed", search: true}
	similar := kind{name: "searchSimilar", search: true}
	projects := kind{name: "listProjects words", search: true}
	for n := range searches {
		search.targets = append(search.targets, fmt.Sprintf("/xrpc/fund.stratos.feature.searchProposals?q=%s&limit=%d", common(), pageLength))
		sorted.targets = append(sorted.targets,
			fmt.Sprintf("/xrpc/fund.stratos.feature.searchProposals?q=%s&limit=%d&sort=%s", common(), pageLength, sorts[n%len(sorts)]))
		narrowed.targets = append(narrowed.targets,
			fmt.Sprintf("/xrpc/fund.stratos.feature.searchProposals?q=%s&limit=%d&stage=development", common(), pageLength))
		similar.targets = append(similar.targets, fmt.Sprintf("/xrpc/fund.stratos.feature.searchSimilar?title=%s", common()))
		projects.targets = append(projects.targets, fmt.Sprintf("/xrpc/fund.stratos.project.listProjects?q=%s&limit=%d", common(), pageLength))
	}
	return append(out, search, sorted, narrowed, similar, projects)
}

// warm is the n-th question where questions come again.
func (k *kind) warm(n int64) string { return k.targets[n%int64(len(k.targets))] }

// again is the n-th question where none comes twice, but what they are about does: it
// has a parameter that the service does not know and therefore ignores.
func (k *kind) again(n int64) string { return fmt.Sprintf("%s&again=%d", k.warm(n), n) }

// cold is the n-th question where none comes twice, and of lists none is about what
// another one was about a short while ago.
func (k *kind) cold(n int64) string {
	if len(k.pages) == 0 {
		return k.again(n)
	}
	return fmt.Sprintf("%s&again=%d", k.pages[n%int64(len(k.pages))], n)
}

// distinct are the questions, once each.
func (k *kind) distinct() []string {
	seen := map[string]bool{}
	var out []string
	for _, t := range k.targets {
		if !seen[t] {
			seen[t] = true
			out = append(out, t)
		}
	}
	return out
}
