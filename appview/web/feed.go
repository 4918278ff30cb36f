package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/gorilla/feeds"
)

// feedSize is how many entries a feed has.
const feedSize = 30

func (s *Site) boardFeed(w http.ResponseWriter, r *http.Request) error {
	return s.proposalsFeed(w, r, ProposalsQuery{}, "StratosFund: new proposals", "/")
}

func (s *Site) projectFeed(w http.ResponseWriter, r *http.Request) error {
	page, err := s.projectPage(r)
	if err != nil {
		return err
	}
	return s.proposalsFeed(w, r, ProposalsQuery{Project: syntax.ATURI(page.URI)}, "StratosFund: proposals for "+page.Name, page.Path)
}

// proposalsFeed has the newest of some proposals.
func (s *Site) proposalsFeed(w http.ResponseWriter, r *http.Request, q ProposalsQuery, title, path string) error {
	q.Sort, q.Limit = "new", feedSize
	found, err := s.opts.Queries.Proposals(r.Context(), q)
	if err != nil {
		return err
	}
	entries, err := s.entriesOf(found.Proposals)
	if err != nil {
		return err
	}
	feed := s.newFeed(title, path, r.URL.Path)
	for i, e := range entries {
		item := &feeds.Item{
			Id: found.Proposals[i].Uri, Title: e.Title, Link: &feeds.Link{Href: s.base + e.Path}, Author: &feeds.Author{Name: e.Author.Name},
			Description: fmt.Sprintf("%s, for %s. %s", e.Stage.Name, e.Subject.Name, s.worth(e)),
		}
		if e.Created != nil {
			item.Created, item.Updated = e.Created.at, e.Created.at
		}
		feed.Add(item)
	}
	return sendFeed(w, feed)
}

// proposalFeed has what happened to a proposal, the latest first.
func (s *Site) proposalFeed(w http.ResponseWriter, r *http.Request) error {
	about, title, path, err := s.partOf(r)
	if err != nil {
		return err
	}
	events, err := s.latest(r.Context(), about)
	if err != nil {
		return err
	}
	feed := s.newFeed("StratosFund: "+title, path, r.URL.Path)
	for _, e := range events {
		if e.At == nil {
			continue
		}
		item := &feeds.Item{
			Id: fmt.Sprintf("%s#%s", e.uri, e.kind), Title: e.Sentence, Link: &feeds.Link{Href: s.base + path}, Created: e.At.at, Updated: e.At.at,
			Description: e.Amount,
		}
		if e.By != nil {
			item.Author = &feeds.Author{Name: e.By.Name}
		}
		feed.Add(item)
	}
	return sendFeed(w, feed)
}

// latest are the last events of a proposal, newest first. Timelines begin at the beginning,
// so it goes through all of one, which the time of an answer bounds.
func (s *Site) latest(ctx context.Context, about About) ([]event, error) {
	var last []event
	for {
		found, err := s.opts.Queries.Timeline(ctx, about)
		if err != nil {
			return nil, err
		}
		last = append(last, s.eventsOf(found.Events)...)
		last = last[max(0, len(last)-feedSize):]
		if found.Cursor == nil {
			slices.Reverse(last)
			return last, nil
		}
		about.Cursor = *found.Cursor
	}
}

func (s *Site) newFeed(title, path, self string) *feeds.Feed {
	return &feeds.Feed{Id: s.base + self, Title: title, Link: &feeds.Link{Href: s.base + path}}
}

func sendFeed(w http.ResponseWriter, feed *feeds.Feed) error {
	for _, item := range feed.Items {
		if item.Updated.After(feed.Updated) {
			feed.Updated = item.Updated
		}
	}
	text, err := feed.ToAtom()
	if err != nil {
		return fmt.Errorf("web: write a feed: %w", err)
	}
	w.Header().Set("Content-Type", "application/atom+xml; charset=utf-8")
	_, _ = w.Write([]byte(text)) // a reader that went away does not matter
	return nil
}
