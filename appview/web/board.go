package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const (
	// boardSize is how many proposals a page of the board has.
	boardSize = 50
	// longestSearch is how many characters of a search are looked for.
	longestSearch = 256
	// someTags are how many of a proposal's a list shows.
	someTags = 4
)

// order is a way to sort the board.
type order struct{ ID, Name string }

var orders = []order{
	{"", "Best first"}, {sortHot, "Most active"}, {"new", "Newest"}, {"estimated", "Most wanted"}, {"pledged", "Most pledged"}, {"closing", "Closing soon"},
}

const (
	sortHot       = "hot"
	sortRelevance = "relevance"
)

// entry is a proposal in a list.
type entry struct {
	// Home is whether the list is that of its subject, which it need not name.
	Home     bool
	Title    string
	Path     string
	Author   person
	Subject  subject
	Tags     []string
	Stage    stage
	Next     *next
	Money    headline
	Created  *moment
	Estimate bool // the visitor has one
	Pledge   bool // the visitor has one
}

func (s *Site) entryOf(p stratos.FeatureDefs_ProposalViewBasic) (entry, error) {
	record, err := read[stratos.FeatureProposal](p.Record)
	if err != nil {
		return entry{}, err
	}
	e := entry{
		Title: plain(record.Title), Path: proposalPath(p.Uri, p.Author), Author: personIn(p.Author),
		Subject: subjectOf(record, p.Project, p.Account), Stage: stageOf(p.Stage), Next: s.nextOf(p.Next),
		Money: headlineOf(p.Stage, p.Funding), Created: s.momentOf(record.CreatedAt),
		Tags: record.Tags[:min(len(record.Tags), someTags)],
	}
	if v := p.Viewer; v != nil {
		e.Estimate, e.Pledge = v.Estimate != nil, len(v.Pledges) > 0
	}
	return e, nil
}

func (s *Site) entriesOf(list []stratos.FeatureDefs_ProposalViewBasic) ([]entry, error) {
	out := make([]entry, 0, len(list))
	for _, p := range list {
		e, err := s.entryOf(p)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// listing is a list of proposals, and where it goes on.
type listing struct {
	Entries []entry
	More    string // empty on the last page
	Empty   string // what to say when there are none
}

// boardPage is the list, and what narrows it.
type boardPage struct {
	Listing listing
	Tabs    []boardTab
	Orders  []order
	Query   boardQuery
	// Heading says which stages are shown.
	Heading string
	// First is whether nothing was asked for: the page introduces the site.
	First bool
	Stats stats
	JSON  string
}

type boardTab struct {
	Name    string
	Path    string
	Count   int64
	Current bool
}

// boardQuery is what the address of a board asks for.
type boardQuery struct {
	Words, Tag, Sort, Cursor string
	Stages                   []string
}

func boardQueryIn(values url.Values) boardQuery {
	q := boardQuery{
		Words: strings.TrimSpace(values.Get("q")), Tag: strings.TrimSpace(values.Get("tag")), Sort: values.Get("sort"),
		Cursor: values.Get("cursor"), Stages: values["stage"],
	}
	q.Words = shorter(q.Words, longestSearch)
	if q.Sort == sortRelevance {
		q.Sort = ""
	}
	return q
}

// values are those of an address that asks for the same.
func (q boardQuery) values() url.Values {
	v := url.Values{}
	if q.Words != "" {
		v.Set("q", q.Words)
	}
	if q.Tag != "" {
		v.Set("tag", q.Tag)
	}
	if q.Sort != "" {
		v.Set("sort", q.Sort)
	}
	if len(q.Stages) > 0 {
		v["stage"] = q.Stages
	}
	if q.Cursor != "" {
		v.Set("cursor", q.Cursor)
	}
	return v
}

// order is the one asked for; else what is searched for comes best first, and the rest as
// active as it is.
func (q boardQuery) order() string {
	switch {
	case q.Sort != "":
		return q.Sort
	case q.Words != "":
		return sortRelevance
	}
	return sortHot
}

func (q boardQuery) path() string {
	v := q.values()
	if len(v) == 0 {
		return "/"
	}
	return "/?" + v.Encode()
}

// in is the same within other stages, from the beginning.
func (q boardQuery) in(stages []string) boardQuery {
	q.Stages, q.Cursor = stages, ""
	return q
}

// WithoutTag is the same whatever the tag, from the beginning.
func (q boardQuery) WithoutTag() string {
	q.Tag, q.Cursor = "", ""
	return q.path()
}

func (q boardQuery) ask() ProposalsQuery {
	return ProposalsQuery{Words: q.Words, Tag: q.Tag, Sort: q.order(), Stages: q.Stages, Cursor: q.Cursor, Limit: boardSize}
}

func (s *Site) listingOf(r *http.Request, q boardQuery) (listing, error) {
	found, err := s.opts.Queries.Proposals(r.Context(), q.ask())
	if err != nil {
		return listing{}, err
	}
	entries, err := s.entriesOf(found.Proposals)
	if err != nil {
		return listing{}, err
	}
	out := listing{Entries: entries, Empty: "Nothing fits. Look for fewer words, or in all stages."}
	if found.Cursor != nil {
		q.Cursor = *found.Cursor
		out.More = q.path()
	}
	if len(q.values()) == 0 {
		out.Empty = "Nobody has proposed anything yet. Be the first."
	}
	return out, nil
}

// board is the first page: what people want built, and what is going on.
func (s *Site) board(w http.ResponseWriter, r *http.Request) error {
	q := boardQueryIn(r.URL.Query())
	list, err := s.listingOf(r, q)
	if err != nil {
		return err
	}
	numbers, err := s.opts.Queries.Stats(r.Context())
	if err != nil {
		return err
	}
	page := boardPage{Listing: list, Orders: orders, Query: q, Heading: headingOf(q.Stages), First: len(q.values()) == 0, Stats: statsOf(numbers)}
	page.Tabs = append(page.Tabs, boardTab{"All", q.in(nil).path(), numbers.Proposals, len(q.Stages) == 0})
	for _, t := range tabs {
		page.Tabs = append(page.Tabs, boardTab{t.Name, q.in(names(t.Stages)).path(), countIn(numbers, t), t.is(q.Stages)})
	}
	return s.render(w, r, http.StatusOK, "board", head{
		Description: "What people want built as open source, what it is worth to them, and what is being built, shown, released and paid for.",
		Path:        q.path(), Feed: "/feed.atom", FeedTitle: "New proposals", JSON: q.data(), Hidden: q.Cursor != "" || q.Words != "",
	}, page)
}

// headingOf says which stages are shown.
func headingOf(stages []string) string {
	if slices.Contains(stages, string(lifecycle.StageProposed)) {
		stages = nil
	}
	for _, t := range tabs {
		if t.is(stages) {
			return t.Name
		}
	}
	if len(stages) == 1 {
		return StageName(stages[0])
	}
	return "What should be built next"
}

// boardList is the list alone, for the script that searches while one types.
func (s *Site) boardList(w http.ResponseWriter, r *http.Request) error {
	list, err := s.listingOf(r, boardQueryIn(r.URL.Query()))
	if err != nil {
		return err
	}
	return s.send(w, http.StatusOK, "board", "listing", list)
}

// data is where the same list is as data.
func (q boardQuery) data() string {
	method, v := "fund.stratos.feature.listProposals", q.values()
	v.Set("sort", q.order())
	if q.Words != "" {
		method = "fund.stratos.feature.searchProposals"
	}
	return "/xrpc/" + method + "?" + v.Encode()
}

func names(stages []lifecycle.Stage) []string {
	out := make([]string, len(stages))
	for i, s := range stages {
		out[i] = string(s)
	}
	return out
}

func countIn(numbers *stratos.GetStats_Output, t tab) (n int64) {
	for _, c := range numbers.Stages {
		if slices.Contains(t.Stages, lifecycle.Stage(c.Stage)) {
			n += c.Count
		}
	}
	return n
}

// stats are the numbers of the whole index. Amounts in different currencies stand beside
// one another.
type stats struct {
	Backers, Developers int64
	Money, TestMoney    totals
}

type totals struct{ Estimated, Pledged, Released []string }

func statsOf(n *stratos.GetStats_Output) stats {
	return stats{n.Backers, n.Developers, totalsOf(n.Money), totalsOf(n.TestMoney)}
}

func totalsOf(all []stratos.GetStats_MoneyTotals) (t totals) {
	add := func(to *[]string, minor int64, currency string) {
		if minor > 0 {
			*to = append(*to, amount(minor, currency))
		}
	}
	for _, m := range all {
		add(&t.Estimated, m.Estimated, m.Currency)
		add(&t.Pledged, m.Pledged, m.Currency)
		add(&t.Released, m.Released, m.Currency)
	}
	return t
}
