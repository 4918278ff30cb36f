package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"text/tabwriter"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const (
	patience  = 2 * time.Minute
	pollEvery = 2 * time.Millisecond
	// lookEvery is how often a step that takes seconds is looked for.
	lookEvery = 50 * time.Millisecond
	// measureKey is the key of the record that is written to be waited for.
	measureKey = syntax.RecordKey("3mbd35zzzzz22")
)

// summary is what there is to see once the story was told.
type summary struct {
	base    *url.URL
	network *atmosphere.Network
	cast    *cast
	scenes  []scene
}

// print waits until the AppView shows the story, and says how to look at it. All but the
// first line can be given to a shell as it is.
func (s *summary) print(ctx context.Context, w io.Writer) error {
	client := atclient.NewAPIClient(s.base.String())
	if err := eventually(ctx, "the AppView shows the records", func() (bool, error) { return s.shown(ctx, client) }); err != nil {
		return err
	}
	took, err := s.measure(ctx, client)
	if err != nil {
		return fmt.Errorf("measure how fast a record is visible: %w", err)
	}
	fmt.Fprint(w, "\nStratosFund is running, with sample data in which an account plays the escrow. No money exists.\n\n")
	if err := s.printStages(w); err != nil {
		return err
	}
	s.printQueries(w)
	s.printByHand(w)
	_, err = fmt.Fprintf(w, "\n# A record that was just written to the PDS was in the AppView %d ms later.\n", took.Milliseconds())
	return err
}

// shown reports whether the AppView has each proposal in its stage, handles
// included.
func (s *summary) shown(ctx context.Context, client *atclient.APIClient) (bool, error) {
	var uris []string
	for _, scene := range s.scenes {
		uris = append(uris, scene.uri)
	}
	out, err := stratos.FeatureGetProposals(ctx, client, uris)
	if err != nil || len(out.Proposals) != len(s.scenes) {
		return false, err
	}
	for i, p := range out.Proposals { // in the order asked for
		if p.Stage != string(s.scenes[i].stage) || p.Author.Handle == syntax.HandleInvalid.String() {
			return false, nil
		}
	}
	return true, nil
}

// until polls until done says so, for so long at most.
func until(ctx context.Context, every, most time.Duration, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for {
		ok, err := done()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			if err == nil {
				err = ctx.Err()
			}
			return err
		case <-time.After(every):
		}
	}
}

// eventually is until, for what a person would wait for, with words for when it does not
// come.
func eventually(ctx context.Context, what string, done func() (bool, error)) error {
	if err := until(ctx, lookEvery, patience, done); err != nil {
		return fmt.Errorf("wait until %s: %w", what, err)
	}
	return nil
}

// measure writes an estimate about the last proposal and waits until it is in the
// AppView. Then everything that was written before is as well.
func (s *summary) measure(ctx context.Context, client *atclient.APIClient) (time.Duration, error) {
	about := syntax.ATURI(s.scenes[len(s.scenes)-1].uri)
	var proposal stratos.FeatureProposal
	proposalCID, err := s.cast.tomas.GetRecord(ctx, about, &proposal)
	if err != nil {
		return 0, err
	}
	_, cid, err := s.cast.tomas.PutRecord(ctx, lexicons.CollectionEstimate, measureKey, &stratos.FeatureEstimate{
		LexiconTypeID: lexicons.CollectionEstimate.String(),
		Proposal:      comatproto.RepoStrongRef{Uri: about.String(), Cid: proposalCID},
		Value:         stratos.Defs_Money{Amount: 1000, Currency: "USD"},
		CreatedAt:     stamp(time.Now()),
	})
	if err != nil {
		return 0, err
	}
	began := time.Now()
	err = until(ctx, pollEvery, patience, func() (bool, error) {
		out, err := stratos.FeatureListEstimates(ctx, client, "", "", nil, about.String())
		if err != nil {
			return false, err
		}
		for _, e := range out.Estimates {
			if e.Cid == cid {
				return true, nil
			}
		}
		return false, nil
	})
	return time.Since(began), err
}

// printStages prints where the pages are, a proposal of each stage, and how to list them
// all.
func (s *summary) printStages(w io.Writer) error {
	fmt.Fprintf(w, "# Open %s in a browser, and sign in as %s, or as anybody else here, with the password %s.\n\n", s.base, s.cast.ana.Handle, password)
	fmt.Fprintf(w, "API=%s\n\n", s.base.JoinPath("xrpc"))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, scene := range s.examples() {
		fmt.Fprintf(t, "curl \"$API/%s\"\t# %s\n", ofStage(scene), scene.title)
	}
	return t.Flush()
}

// examples are the first scenes of each stage.
func (s *summary) examples() []scene {
	var out []scene
	seen := map[string]bool{}
	for _, scene := range s.scenes {
		if !seen[string(scene.stage)] {
			seen[string(scene.stage)] = true
			out = append(out, scene)
		}
	}
	return out
}

func ofStage(s scene) string {
	return "fund.stratos.feature.listProposals?stage=" + string(s.stage)
}

// aboutOne are the queries about one proposal.
var aboutOne = []string{
	"fund.stratos.feature.getProposal", "fund.stratos.feature.getTimeline", "fund.stratos.feature.getFunding",
	"fund.stratos.feature.listEstimates", "fund.stratos.feature.listDonations", "fund.stratos.feature.listPledges",
	"fund.stratos.feature.listVerifications", "fund.stratos.feature.listDisputes",
}

// aboutAll are queries about people, projects and everything.
func (s *summary) aboutAll() []string {
	return []string{
		"fund.stratos.feature.listProposals?sort=hot",
		"fund.stratos.feature.searchProposals?q=bookmarks",
		"fund.stratos.feature.searchSimilar?title=Folder+for+my+bookmarks",
		"fund.stratos.actor.getActor?actor=" + s.cast.maya.Handle.String(),
		"fund.stratos.actor.getStanding?currency=USD&actor=" + s.cast.ana.Handle.String(),
		"fund.stratos.project.listProjects", "fund.stratos.project.listProjects?q=maps",
		"fund.stratos.getStats",
		"_health",
	}
}

func (s *summary) printQueries(w io.Writer) {
	completed := s.scenes[0]
	fmt.Fprintf(w, "\n# All about %q:\n\nURI=%s\n\n", completed.title, completed.uri)
	for _, query := range aboutOne {
		fmt.Fprintf(w, "curl \"$API/%s?uri=$URI\"\n", query)
	}
	fmt.Fprint(w, "\n# And the rest:\n\n")
	for _, query := range s.aboutAll() {
		fmt.Fprintf(w, "curl \"$API/%s\"\n", query)
	}
}

// printByHand prints how to write a record with nothing but curl.
func (s *summary) printByHand(w io.Writer) {
	fmt.Fprintf(w, `
# Write a proposal by hand and see it:

PDS=%[1]s/xrpc
TOKEN=$(curl -s $PDS/com.atproto.server.createSession \
  -H 'Content-Type: application/json' -d '{"identifier":"%[2]s","password":"%[3]s"}' \
  | sed 's/.*"accessJwt":"\([^"]*\)".*/\1/')
curl -s $PDS/com.atproto.repo.createRecord \
  -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
  -d '{"repo":"%[2]s","collection":"fund.stratos.feature.proposal","record":{
       "title":"My own proposal","description":"Written by hand.",
       "subject":{"$type":"fund.stratos.feature.proposal#uriSubject","uri":"https://example.org/"},
       "createdAt":"'$(date -u +%%Y-%%m-%%dT%%H:%%M:%%SZ)'"}}'
sleep 1; curl -s "$API/fund.stratos.feature.listProposals?sort=new&limit=1"
`, s.network.PDSURL(), s.cast.ana.Handle, password)
}
