package bench

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
)

// began is when the simulated network wrote its first record. It lies in the
// past of any clock that runs this, and never moves: the feed depends on it.
var began = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// timeLayout is how records and messages here write times: all as long as one
// another, so that a message's can be filled in when it is sent.
const timeLayout = "2006-01-02T15:04:05.000Z"

// ref points to a version of a record.
type ref struct {
	uri syntax.ATURI
	cid string
}

func (r ref) strong() map[string]any {
	return map[string]any{"uri": r.uri.String(), "cid": r.cid}
}

// targets are the records that others point to. They are never edited, so that
// what points to them stays meaningful.
type targets struct {
	projects     []ref
	proposals    []ref
	developments []ref
	accounts     []syntax.DID
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// text is some words, n bytes long give or take a word.
func text(r *rand.Rand, n int) string {
	words := []string{"the", "export", "should", "keep", "offline", "notes", "when", "sync", "fails", "dark", "mode",
		"and", "every", "shortcut", "would", "save", "us", "hours", "of", "work", "please", "thank", "you"}
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(pick(r, words))
		b.WriteByte(' ')
	}
	return strings.TrimSpace(b.String())
}

func (a *account) createdAt() string {
	return began.Add(time.Duration(a.revs) * time.Second).Format(timeLayout)
}

func money(r *rand.Rand) map[string]any {
	return map[string]any{"amount": int64(100 + r.IntN(20_000)), "currency": pick(r, []string{"EUR", "USD"})}
}

func (a *account) project() map[string]any {
	return map[string]any{
		"$type": lexicons.CollectionProject.String(), "name": text(a.rand, 20), "description": text(a.rand, 400),
		"tags": []any{"sync", "notes"}, "createdAt": a.createdAt(),
	}
}

func (a *account) proposal(project ref) map[string]any {
	return map[string]any{
		"$type": lexicons.CollectionProposal.String(), "title": text(a.rand, 40), "description": text(a.rand, 300+a.rand.IntN(1200)),
		"subject": map[string]any{
			"$type": lexicons.CollectionProposal.String() + "#projectSubject", "project": project.uri.String(),
		},
		"tags": []any{"ui", "night"}, "createdAt": a.createdAt(),
	}
}

func (a *account) development(proposal ref) map[string]any {
	return map[string]any{
		"$type": lexicons.CollectionDevelopment.String(), "proposal": proposal.strong(),
		"title": text(a.rand, 40), "summary": text(a.rand, 300), "currency": "EUR",
		"escrow": a.did.String(), "createdAt": a.createdAt(),
	}
}

// wish is what accounts of ours write most: an estimate, else a pledge or a
// donation.
func (a *account) wish(to *targets) (syntax.NSID, map[string]any) {
	record := map[string]any{
		"proposal": pick(a.rand, to.proposals).strong(), "value": money(a.rand), "createdAt": a.createdAt(),
	}
	if a.rand.IntN(3) == 0 {
		record["note"] = text(a.rand, 60)
	}
	collection := lexicons.CollectionEstimate
	switch n := a.rand.IntN(10); {
	case n >= 7:
		collection = lexicons.CollectionPledge
		if n == 9 {
			collection = lexicons.CollectionDonation
		}
		record["development"] = pick(a.rand, to.developments).strong()
		record["escrow"] = pick(a.rand, to.accounts).String()
	}
	record["$type"] = collection.String()
	return collection, record
}

// chatter is a record of the rest of the network.
func (a *account) chatter() (syntax.NSID, map[string]any) {
	subject := map[string]any{
		"uri": fmt.Sprintf("at://%s/app.bsky.feed.post/%s", randomDID(a.rand), a.tid()),
		"cid": "bafyreiew3tj3dw3vf5lpo56lezuvcucfxhwrwuqvxrnazseqii3w2gn42q",
	}
	record := map[string]any{"createdAt": a.createdAt()}
	var collection syntax.NSID
	switch n := a.rand.IntN(100); {
	case n < 55:
		collection = "app.bsky.feed.like"
		record["subject"] = subject
	case n < 75:
		collection = "app.bsky.feed.post"
		record["text"] = text(a.rand, 40+a.rand.IntN(240))
		record["langs"] = []any{"en"}
		if a.rand.IntN(2) == 0 {
			record["reply"] = map[string]any{"root": subject, "parent": subject}
		}
	case n < 85:
		collection = "app.bsky.feed.repost"
		record["subject"] = subject
	default:
		collection = "app.bsky.graph.follow"
		record["subject"] = randomDID(a.rand).String()
	}
	record["$type"] = collection.String()
	return collection, record
}
