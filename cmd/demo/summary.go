package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

const (
	patience  = 30 * time.Second
	pollEvery = 2 * time.Millisecond
	// measureKey is the key of the record that is written to be waited for.
	measureKey = syntax.RecordKey("3mbd35zzzzz22")
)

// summarize waits until the AppView shows the story, and says what there is to
// see. All that it prints of the records was asked of the AppView.
func summarize(ctx context.Context, w io.Writer, base *url.URL, network *atmosphere.Network, c *cast, logName string) error {
	client := atclient.NewAPIClient(base.String())
	var list *stratos.FeatureListProposals_Output
	err := until(ctx, func() (bool, error) {
		var err error
		list, err = listNew(ctx, client)
		return err == nil && c.told(list), err
	})
	if err != nil {
		return fmt.Errorf("wait for the AppView to show the records: %w", err)
	}
	took, err := measure(ctx, client, c)
	if err != nil {
		return fmt.Errorf("measure how fast a record is visible: %w", err)
	}
	if list, err = listNew(ctx, client); err != nil {
		return fmt.Errorf("list the proposals: %w", err)
	}
	fmt.Fprintf(w, "\nStratosFund is running.\n\n")
	if err := printProposals(w, list); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nA record that was just written to the PDS was in the AppView %d ms later.\n", took.Milliseconds())
	printAddresses(w, base, network, c.inDevelopment, logName)
	printByHand(w, base, network, c.ana)
	fmt.Fprintf(w, "\nEverybody's password is %s. Ctrl-C ends everything.\n", password)
	return nil
}

func listNew(ctx context.Context, client *atclient.APIClient) (*stratos.FeatureListProposals_Output, error) {
	return stratos.FeatureListProposals(ctx, client, "", "", "", "", nil, "", "new", nil, "", "")
}

// told reports whether the list shows the whole story, handles included.
func (c *cast) told(list *stratos.FeatureListProposals_Output) bool {
	found := 0
	for _, p := range list.Proposals {
		if p.Author.Handle == syntax.HandleInvalid.String() {
			return false
		}
		if stage, ok := c.stages[p.Uri]; ok {
			if p.Stage != stage {
				return false
			}
			found++
		}
	}
	return found == len(c.stages)
}

// until polls until done says so, for as long as a person would wait.
func until(ctx context.Context, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
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
		case <-time.After(pollEvery):
		}
	}
}

// measure writes an estimate and waits until it is in the AppView.
func measure(ctx context.Context, client *atclient.APIClient, c *cast) (time.Duration, error) {
	var proposal map[string]any
	proposalCID, err := c.chloe.GetRecord(ctx, syntax.ATURI(c.inDevelopment), &proposal)
	if err != nil {
		return 0, err
	}
	_, cid, err := c.maya.PutRecord(ctx, lexicons.CollectionEstimate, measureKey, &stratos.FeatureEstimate{
		LexiconTypeID: "fund.stratos.feature.estimate",
		Proposal:      comatproto.RepoStrongRef{Uri: c.inDevelopment, Cid: proposalCID},
		Value:         stratos.Defs_Money{Amount: 1000, Currency: "USD"},
		CreatedAt:     time.Now().UTC().Format(syntax.AtprotoDatetimeLayout),
	})
	if err != nil {
		return 0, err
	}
	began := time.Now()
	err = until(ctx, func() (bool, error) {
		out, err := stratos.FeatureListEstimates(ctx, client, "", "", nil, c.inDevelopment)
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

func printProposals(w io.Writer, list *stratos.FeatureListProposals_Output) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "  PROPOSAL\tBY\tFOR\tSTAGE\tESTIMATED")
	for _, p := range list.Proposals {
		var record struct {
			Title   string `json:"title"`
			Subject struct {
				URI string `json:"uri"`
			} `json:"subject"`
		}
		if err := json.Unmarshal(p.Record, &record); err != nil {
			return fmt.Errorf("read the proposal %s: %w", p.Uri, err)
		}
		subject := record.Subject.URI
		switch {
		case p.Project != nil:
			subject = p.Project.Name
		case p.Account != nil:
			subject = "@" + p.Account.Handle
		}
		fmt.Fprintf(t, "  %s\t@%s\t%s\t%s\t%s\n", record.Title, p.Author.Handle, subject, p.Stage, estimated(p.Funding))
	}
	return t.Flush()
}

// estimated says what people would pay, by currency.
func estimated(funding []stratos.FeatureDefs_Funding) string {
	var parts []string
	for _, f := range funding {
		if f.Estimators > 0 {
			amount := money.Money{Amount: f.Estimated, Currency: money.Currency(f.Currency)}
			parts = append(parts, fmt.Sprintf("%s by %d", amount, f.Estimators))
		}
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}

func printAddresses(w io.Writer, base *url.URL, network *atmosphere.Network, proposal, logName string) {
	api := func(method, query string) string { return base.JoinPath("xrpc", method).String() + query }
	fmt.Fprintf(w, `
Open or curl:
  %s
  %s
  %s
  %s
  %s
  %s

The PDS is %s, the PLC directory %s, the AppView's log %s.
`,
		api("fund.stratos.feature.listProposals", "?sort=estimated"),
		api("fund.stratos.feature.getProposal", "?uri="+proposal),
		api("fund.stratos.feature.listEstimates", "?uri="+proposal),
		api("fund.stratos.project.listProjects", ""),
		api("fund.stratos.actor.getStanding", "?actor=ana-backs.test&currency=USD"),
		api("_health", ""),
		network.PDSURL(), network.PLCURL(), logName)
}

// printByHand prints how to write a record with nothing but curl.
func printByHand(w io.Writer, base *url.URL, network *atmosphere.Network, as *atmosphere.Account) {
	fmt.Fprintf(w, `
Write a proposal by hand and see it:
  TOKEN=$(curl -s %[1]s/xrpc/com.atproto.server.createSession \
    -H 'Content-Type: application/json' -d '{"identifier":"%[2]s","password":"%[3]s"}' \
    | sed 's/.*"accessJwt":"\([^"]*\)".*/\1/')
  curl -s %[1]s/xrpc/com.atproto.repo.createRecord \
    -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d '{"repo":"%[2]s","collection":"fund.stratos.feature.proposal","record":{
         "title":"My own proposal","description":"Written by hand.",
         "subject":{"$type":"fund.stratos.feature.proposal#uriSubject","uri":"https://example.org/"},
         "createdAt":"'$(date -u +%%Y-%%m-%%dT%%H:%%M:%%SZ)'"}}'
  sleep 1; curl -s '%[4]s/xrpc/fund.stratos.feature.listProposals?sort=new&limit=1'
`, network.PDSURL(), as.Handle, password, base)
}
