package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const (
	day = 24 * time.Hour
	// freshFor is how long after its telling a story may be shown. No deadline in it
	// comes sooner than twice that, so that nothing is overdue while somebody looks.
	freshFor = 60 * time.Hour
	// serviceAge is how many days before the telling the escrow opened. Its record
	// remembers in this way when the story was told.
	serviceAge = 120
)

// storyEpoch dates the keys of the demo's records, and the terms, which are never
// edited: both are the same each time.
var storyEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// scene is a proposal, and the stage that the story leaves it in.
type scene struct {
	title string
	stage lifecycle.Stage
	uri   string
}

// repositories are where the people of the story keep their records.
type repositories interface {
	put(ctx context.Context, by *atmosphere.Account, rkey syntax.RecordKey, record lexicons.Record) (comatproto.RepoStrongRef, error)
	remove(ctx context.Context, by *atmosphere.Account, uri syntax.ATURI) error
}

// pds writes as a client does. What is there already makes no commit.
type pds struct{}

func (pds) put(ctx context.Context, by *atmosphere.Account, rkey syntax.RecordKey, record lexicons.Record) (comatproto.RepoStrongRef, error) {
	uri, cid, err := by.PutRecord(ctx, record.NSID(), rkey, record)
	return comatproto.RepoStrongRef{Uri: uri.String(), Cid: cid}, err
}

func (pds) remove(ctx context.Context, by *atmosphere.Account, uri syntax.ATURI) error {
	return by.DeleteRecord(ctx, uri)
}

// toldAt is when the story that the repositories hold was told. One that is too
// old, or was never told, is told for now.
func toldAt(ctx context.Context, c *cast, now time.Time) (time.Time, error) {
	uri := syntax.ATURI(fmt.Sprintf("at://%s/%s/self", c.escrow.DID, lexicons.CollectionService))
	var service stratos.EscrowService
	_, err := c.escrow.GetRecord(ctx, uri, &service)
	if api, ok := errors.AsType[*atclient.APIError](err); ok && api.Name == "RecordNotFound" {
		return now, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("ask when the story was told: %w", err)
	}
	opened, err := lexicons.CreatedAt(&service)
	if err != nil {
		return time.Time{}, err
	}
	told := opened.Add(serviceAge * day)
	if now.Sub(told) > freshFor {
		return now, nil
	}
	return told, nil
}

// teller writes records until the first failure. Told again for the same moment,
// the story is the same to the byte.
type teller struct {
	*cast
	write  func(by *atmosphere.Account, rkey syntax.RecordKey, record lexicons.Record) (comatproto.RepoStrongRef, error)
	remove func(by *atmosphere.Account, uri syntax.ATURI) error
	now    time.Time
	told   int // records so far
	scenes []scene
	err    error
}

// tell tells the story as of a moment.
func tell(ctx context.Context, into repositories, c *cast, now time.Time) ([]scene, error) {
	t := &teller{
		cast: c, now: now.UTC().Truncate(time.Millisecond), // as records can say it
		write: func(by *atmosphere.Account, rkey syntax.RecordKey, record lexicons.Record) (comatproto.RepoStrongRef, error) {
			return into.put(ctx, by, rkey, record)
		},
		remove: func(by *atmosphere.Account, uri syntax.ATURI) error { return into.remove(ctx, by, uri) },
	}
	t.story()
	return t.scenes, t.err
}

// put writes a record under the next key.
func (t *teller) put(by *atmosphere.Account, record lexicons.Record) comatproto.RepoStrongRef {
	return t.putAs(by, t.key(), record)
}

func (t *teller) putAs(by *atmosphere.Account, rkey syntax.RecordKey, record lexicons.Record) comatproto.RepoStrongRef {
	t.told++
	if t.err != nil {
		return comatproto.RepoStrongRef{}
	}
	ref, err := t.write(by, rkey, record)
	if err != nil {
		t.err = fmt.Errorf("write the %s %s of %s: %w", record.NSID(), rkey, by.Handle, err)
	}
	return ref
}

// takeBack deletes a record of the story.
func (t *teller) takeBack(by *atmosphere.Account, r comatproto.RepoStrongRef) {
	if t.err != nil {
		return
	}
	if err := t.remove(by, uriOf(r)); err != nil {
		t.err = fmt.Errorf("delete %s: %w", r.Uri, err)
	}
}

// key is that of the record which is told next.
func (t *teller) key() syntax.RecordKey {
	return syntax.RecordKey(syntax.NewTIDFromTime(storyEpoch.Add(time.Duration(t.told)*time.Second), 0))
}

// on is a moment so many days ago; below zero, it lies ahead. What is told later
// is some minutes later on the same day.
func (t *teller) on(daysAgo int) time.Time {
	return t.now.Add(-time.Duration(daysAgo)*day + time.Duration(t.told)*time.Minute)
}

func (t *teller) date(daysAgo int) string { return stamp(t.on(daysAgo)) }

func stamp(at time.Time) string { return at.UTC().Format(syntax.AtprotoDatetimeLayout) }

func ref[T any](v T) *T { return &v }
