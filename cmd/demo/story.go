package main

import (
	"context"
	"fmt"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// cast are the people of the demo.
type cast struct {
	maya                 *atmosphere.Account // a developer
	ana, ben, chloe, emi *atmosphere.Account // backers
	// stages is where each proposal stands once the whole story is indexed.
	stages map[string]string
	// inDevelopment is the proposal with the most to see.
	inDevelopment string
}

// password is everybody's, so that the printed commands can be typed.
const password = "demo-password"

// tell writes the sample data. Told again it changes nothing: every record has
// its key, and what is there stays.
func tell(ctx context.Context, network *atmosphere.Network) (*cast, error) {
	c := &cast{}
	for _, who := range []struct {
		account **atmosphere.Account
		handle  syntax.Handle
	}{
		{&c.maya, "maya-builds.test"}, {&c.ana, "ana-backs.test"}, {&c.ben, "ben-backs.test"},
		{&c.chloe, "chloe-backs.test"}, {&c.emi, "emi-backs.test"},
	} {
		account, err := network.CreateAccount(ctx, who.handle, atmosphere.WithPassword(password))
		if err != nil {
			return nil, fmt.Errorf("create the account %s: %w", who.handle, err)
		}
		*who.account = account
	}
	t := &teller{now: time.Now().UTC()}
	t.all(ctx, c)
	return c, t.err
}

// teller writes records until the first failure.
type teller struct {
	now time.Time
	seq int
	err error
}

func (t *teller) all(ctx context.Context, c *cast) {
	project := t.put(ctx, c.maya, lexicons.CollectionProject, "skylight", &stratos.ProjectProfile{
		LexiconTypeID: "fund.stratos.project.profile",
		Name:          "Skylight",
		Description:   ref("A calm client for the Atmosphere."),
		License:       ref("MIT"),
		CreatedAt:     t.ago(30 * 24 * time.Hour),
	})

	folders := t.propose(ctx, c.ana, "Folders for bookmarks",
		"I save hundreds of posts and find none of them again. Folders, with a search inside, would do.",
		stratos.FeatureProposal_Subject{FeatureProposal_ProjectSubject: &stratos.FeatureProposal_ProjectSubject{Project: project.Uri}},
		9*24*time.Hour, "bookmarks", "search")
	offline := t.propose(ctx, c.ben, "Read offline",
		"Keep the last day of my timeline on the phone, for the train.",
		stratos.FeatureProposal_Subject{FeatureProposal_ProjectSubject: &stratos.FeatureProposal_ProjectSubject{Project: project.Uri}},
		5*24*time.Hour, "offline", "mobile")
	guide := t.propose(ctx, c.chloe, "A guide to hosting your own PDS",
		"Written for people who have a Raspberry Pi and a free evening.",
		stratos.FeatureProposal_Subject{FeatureProposal_AccountSubject: &stratos.FeatureProposal_AccountSubject{Did: c.maya.DID.String()}},
		3*24*time.Hour, "documentation")
	export := t.propose(ctx, c.emi, "Export to CSV",
		"The developers have never heard of us: this one is about a repository by its address alone.",
		stratos.FeatureProposal_Subject{FeatureProposal_UriSubject: &stratos.FeatureProposal_UriSubject{Uri: "https://git.example.org/tools/atlas"}},
		24*time.Hour, "export")

	t.estimate(ctx, c.ana, folders, 2000, "USD")
	t.estimate(ctx, c.ben, folders, 1500, "USD")
	t.estimate(ctx, c.chloe, folders, 90000, "USD") // counts up to the cap of 25.00
	t.estimate(ctx, c.emi, folders, 1800, "EUR")
	t.estimate(ctx, c.ben, offline, 2500, "USD")
	t.estimate(ctx, c.emi, offline, 3000, "JPY")
	t.estimate(ctx, c.ana, export, 500, "USD")

	c.inDevelopment = folders.Uri
	c.stages = map[string]string{
		folders.Uri: "development", offline.Uri: "proposed", guide.Uri: "declined", export.Uri: "proposed",
	}
	t.put(ctx, c.maya, lexicons.CollectionDevelopment, t.key(), &stratos.WorkDevelopment{
		LexiconTypeID: "fund.stratos.work.development",
		Proposal:      *folders,
		Title:         "Bookmark folders with search",
		Summary:       "Folders, nested once, with a search over the text of what is saved.",
		Currency:      "USD",
		Goal:          &stratos.Defs_Money{Amount: 40000, Currency: "USD"},
		Escrow:        c.maya.DID.String(), // no escrow runs in this demo; nothing is held
		CreatedAt:     t.ago(2 * 24 * time.Hour),
	})
	t.put(ctx, c.maya, lexicons.CollectionResponse, t.key(), &stratos.WorkResponse{
		LexiconTypeID: "fund.stratos.work.response",
		Proposal:      *guide,
		Answer:        "declined",
		Statement:     ref("The official documentation has one now, and it is good."),
		CreatedAt:     t.ago(24 * time.Hour),
	})
}

func (t *teller) propose(ctx context.Context, by *atmosphere.Account, title, description string, subject stratos.FeatureProposal_Subject, age time.Duration, tags ...string) *comatproto.RepoStrongRef {
	return t.put(ctx, by, lexicons.CollectionProposal, t.key(), &stratos.FeatureProposal{
		LexiconTypeID: "fund.stratos.feature.proposal",
		Title:         title,
		Description:   description,
		Subject:       subject,
		Tags:          tags,
		CreatedAt:     t.ago(age),
	})
}

func (t *teller) estimate(ctx context.Context, by *atmosphere.Account, proposal *comatproto.RepoStrongRef, amount int64, currency string) {
	t.put(ctx, by, lexicons.CollectionEstimate, t.key(), &stratos.FeatureEstimate{
		LexiconTypeID: "fund.stratos.feature.estimate",
		Proposal:      *proposal,
		Value:         stratos.Defs_Money{Amount: amount, Currency: currency},
		CreatedAt:     t.ago(time.Hour),
	})
}

// put writes a record unless one is there under the key, and refers to it.
func (t *teller) put(ctx context.Context, by *atmosphere.Account, collection syntax.NSID, rkey syntax.RecordKey, record lexicons.Record) *comatproto.RepoStrongRef {
	if t.err != nil {
		return &comatproto.RepoStrongRef{}
	}
	uri := syntax.ATURI("at://" + by.DID.String() + "/" + collection.String() + "/" + rkey.String())
	var there map[string]any
	if cid, err := by.GetRecord(ctx, uri, &there); err == nil {
		return &comatproto.RepoStrongRef{Uri: uri.String(), Cid: cid}
	}
	written, cid, err := by.PutRecord(ctx, collection, rkey, record)
	if err != nil {
		t.err = fmt.Errorf("write %s: %w", uri, err)
	}
	return &comatproto.RepoStrongRef{Uri: written.String(), Cid: cid}
}

// storyEpoch dates the keys of the demo's records, which are the same each time.
var storyEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (t *teller) key() syntax.RecordKey {
	t.seq++
	return syntax.RecordKey(syntax.NewTIDFromTime(storyEpoch.Add(time.Duration(t.seq)*time.Second), 0))
}

func (t *teller) ago(age time.Duration) string {
	return t.now.Add(-age).Format(syntax.AtprotoDatetimeLayout)
}

func ref[T any](v T) *T { return &v }
