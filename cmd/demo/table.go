package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/simulator"
)

// row is what became of an attempt, and who says so: the escrow's campaign and receipts,
// the payment processor, which knows whom it paid, and whoever checks the escrow's statement.
type row struct {
	attempt, shows      string
	pledged, ending     string
	paid, receipts      string
	countedInAStatement string
}

// tableTitle begins the table.
const tableTitle = "What became of the attempts"

// print prints what became of all attempts, as remarks of a shell.
func (o *outcomes) print(ctx context.Context) error {
	rows := []row{{"attempt", "what it shows", "pledged", "outcome", "paid to", "receipts", "statement verified"}}
	sent, err := o.transfers(ctx)
	if err != nil {
		return err
	}
	counted, err := o.counted(ctx)
	if err != nil {
		return err
	}
	for _, a := range o.attempts {
		r, err := a.row(ctx, sent, counted)
		if err != nil {
			return fmt.Errorf("sum up %q: %w", a.title, err)
		}
		rows = append(rows, r)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n# %s, with play money. Paid is what the processor has transferred; the rest is the fee.\n#\n", tableTitle)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(t, "# %s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.attempt, r.shows, r.pledged, r.ending, r.paid, r.receipts, r.countedInAStatement)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\n%s\nbin/escrow verify-statement --did %s --plc-url %s --all\n",
		ofEscrow("listReceipts?development="+o.attempts[0].development.Uri), o.broker.account.DID, o.network.PLCURL())
	_, err = fmt.Fprint(o.out, b.String())
	return err
}

func (o *outcome) row(ctx context.Context, sent transferred, counted inStatement) (row, error) {
	view, c, err := o.campaign(ctx)
	if err != nil {
		return row{}, err
	}
	r := row{attempt: o.title, shows: o.label, ending: howItEnded(c), pledged: "nothing"}
	if c.Pot != nil {
		r.pledged = usd(c.Pot.Amount)
	}
	var paid, receipts []string
	for _, p := range c.Payees {
		if p.Account == nil {
			continue
		}
		if amount := sent[to{payments.GroupOf(syntax.ATURI(o.development.Uri)), *p.Account}]; amount > 0 {
			paid = append(paid, fmt.Sprintf("%s %s", o.nameOf(p.Did), usd(amount)))
		}
	}
	for _, counted := range view.Receipts {
		receipts = append(receipts, fmt.Sprintf("%d %s", counted.Count, counted.Status))
	}
	r.paid = cmp.Or(strings.Join(paid, ", "), "nobody")
	r.receipts = cmp.Or(strings.Join(receipts, ", "), "none")
	r.countedInAStatement = fmt.Sprintf("yes, counts %d", counted[o])
	return r, nil
}

// nameOf is a developer's, who is paid under a DID.
func (s *scenery) nameOf(did string) string {
	for _, developer := range s.developers() {
		if developer.DID.String() == did {
			return developer.Handle.String()
		}
	}
	return did
}

// to is an account at the processor that is paid for an attempt.
type to struct {
	attempt payments.Group
	account string
}

// transferred is how much went where, less what came back.
type transferred map[to]int64

// transfers asks the processor what it has paid out.
func (o *outcomes) transfers(ctx context.Context) (transferred, error) {
	truth, err := simulator.Control{URL: o.broker.processor.URL()}.Truth(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the processor whom it paid: %w", err)
	}
	sums := transferred{}
	for _, raw := range truth.Accounts[truth.Platform].Objects["transfer"] {
		var t simulator.Transfer
		if err := json.Unmarshal(raw, &t); err != nil {
			return nil, fmt.Errorf("ask the processor whom it paid: %w", err)
		}
		if t.TransferGroup != nil {
			sums[to{payments.Group(*t.TransferGroup), t.Destination}] += t.Amount - t.AmountReversed
		}
	}
	return sums, nil
}
