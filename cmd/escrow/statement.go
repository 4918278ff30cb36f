package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/escrow/admin"
	"github.com/stratosfund/stratosfund/escrow/audit"
	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// statementCommand has the running service state what it owes.
func statementCommand() *cli.Command {
	return &cli.Command{
		Name:  "statement",
		Usage: "let the running escrow state now what it owes, and not only once a day",
		Flags: serviceFlags(),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			answer, err := ask(ctx, cmd, "statement", admin.StatementInput{})
			if err != nil {
				return err
			}
			return say(cmd, answer)
		},
	}
}

// verifyStatementCommand needs nothing of an escrow but its DID.
func verifyStatementCommand() *cli.Command {
	return &cli.Command{
		Name:  "verify-statement",
		Usage: "check a statement of any escrow from public records alone",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "did", Sources: cli.EnvVars("ESCROW_DID"), Usage: "the escrow's account; that of --statement when empty"},
			&cli.StringFlag{Name: "statement", Usage: "the at:// address of a statement; the newest when empty"},
			&cli.BoolFlag{Name: "all", Usage: "check every statement up to it, and not only it and the one before"},
			&cli.StringSliceFlag{Name: "pledge", Usage: "the at:// address of a pledge or donation whose receipt must be counted; may be given more than once"},
			&cli.StringFlag{Name: "save", Usage: "write the statement to this new file, to compare the ledger with it: escrow ledger verify --against FILE"},
			&cli.StringFlag{
				Name: "plc-url", Sources: cli.EnvVars("ESCROW_PLC_URL"), Value: "https://plc.directory",
				Usage: "the directory of did:plc; with one on this machine all servers may be on this machine",
			},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			question, err := questionFrom(cmd)
			if err != nil {
				return err
			}
			public := indexer.Config{PLCURL: cmd.String("plc-url"), RelayURLs: []string{cmd.String("plc-url")}, UserAgent: "stratosfund-escrow/" + version}
			pds, err := indexer.NewAsker(public, nil)
			if err != nil {
				return fmt.Errorf("plc-url: %w", err)
			}
			report, err := audit.New(indexer.NewDirectory(public, nil), pds, time.Now).Audit(ctx, question)
			if err != nil {
				return err
			}
			printAudit(cmd.Root().Writer, report)
			if n := len(report.Findings); n > 0 {
				return fmt.Errorf("the statement does not hold: %d findings", n)
			}
			return saveStatement(cmd.String("save"), report)
		},
	}
}

// questionFrom reads what is to be checked.
func questionFrom(cmd *cli.Command) (q audit.Question, err error) {
	did := cmd.String("did")
	if raw := cmd.String("statement"); raw != "" {
		uri, err := syntax.ParseATURI(raw)
		if err != nil || uri.Collection() != lexicons.CollectionStatement || uri.RecordKey() == "" {
			return q, fmt.Errorf("statement: %q is no address of a statement", raw)
		}
		if author := uri.Authority().String(); did == "" || !cmd.IsSet("did") {
			did = author
		} else if author != did {
			return q, fmt.Errorf("statement: %s is not a statement of %s", uri, did)
		}
		q.Statement = uri.RecordKey()
	}
	if q.Escrow, err = syntax.ParseDID(did); err != nil {
		return q, fmt.Errorf("did: whose statement? %q: %w", did, err)
	}
	for _, raw := range cmd.StringSlice("pledge") {
		uri, err := syntax.ParseATURI(raw)
		if err != nil {
			return q, fmt.Errorf("pledge: %q: %w", raw, err)
		}
		q.Receipts = append(q.Receipts, lexicons.DerivedKey(uri))
	}
	q.All = cmd.Bool("all")
	return q, nil
}

// printAudit says what holds, and no more.
func printAudit(w io.Writer, r *audit.Report) {
	s := r.Statement
	fmt.Fprintf(w, "%s\nversion %s, for %s, with entry %d of the ledger, %s\n", r.Ref.Uri, r.Ref.Cid, s.AsOf, s.LedgerHead.Sequence, s.LedgerHead.Hash)
	if s.Test != nil && *s.Test {
		fmt.Fprintln(w, "Test: no real money is in it.")
	}
	for _, f := range r.Findings {
		fmt.Fprintf(w, "WRONG: %s.\n", f)
	}
	if len(r.Findings) == 0 {
		printProven(w, r)
	}
	for _, i := range r.Included {
		fmt.Fprintf(w, "Counted: receipt %s is leaf %d of %d: %s, of %d %s %d are owed, %d released, %d refunded.\n",
			i.Leaf.Key, i.Proof.Index+1, i.Proof.Leaves, i.Leaf.Status, i.Leaf.Value, i.Leaf.Currency, i.Leaf.Owed, i.Leaf.Released, i.Leaf.Refunded)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, o := range s.Owed {
		fmt.Fprintf(t, "owed\t%d %s\t%d receipts\t%s\n", o.Amount, o.Currency, o.Receipts, o.Development)
	}
	for _, line := range []struct {
		name   string
		totals []stratos.Defs_Total
	}{{"owed without a receipt", s.Unreceipted}, {"released so far", s.Released}, {"refunded so far", s.Refunded}} {
		for _, total := range line.totals {
			fmt.Fprintf(t, "%s\t%d %s\n", line.name, total.Amount, total.Currency)
		}
	}
	printWord(t, s)
	_ = t.Flush() // as the lines above: whoever reads has gone
}

// printProven says what was found to hold.
func printProven(w io.Writer, r *audit.Report) {
	fmt.Fprintf(w, "The repository is signed by the account's key, at %s.\n", r.Rev)
	fmt.Fprintf(w, "All %d receipts that were begun before are counted, as they were then; the root and the sums follow from them.\n", r.Statement.Receipts)
	if n := r.Statement.Unpublished; n != nil && *n > 0 {
		fmt.Fprintf(w, "It says that %d receipts were not published yet as it counts them.\n", *n)
	}
	switch {
	case r.Chain == 1:
		fmt.Fprintln(w, "It is the first statement.")
	case r.Checked == r.Chain:
		fmt.Fprintf(w, "No receipt of any of the %d statements before it was left out by the next.\n", r.Chain-1)
	default:
		fmt.Fprintf(w, "No receipt of the statement before it was left out, and it follows %d statements without a gap.\n", r.Chain-1)
	}
	fmt.Fprintln(w, "Not proven: that the processor holds what follows, and that nobody paid without a receipt; a payer has the acknowledgement for that.")
}

// printWord says what nobody but the operator can know.
func printWord(t io.Writer, s stratos.EscrowStatement) {
	word := func(name string, list []stratos.Defs_Balance) {
		for _, b := range list {
			fmt.Fprintf(t, "the operator's word: %s\t%d %s\n", name, b.Amount, b.Currency)
		}
	}
	word("their own", s.Float)
	if s.Processor == nil {
		return
	}
	at := ""
	if s.Processor.At != nil {
		at = " at " + *s.Processor.At
	}
	word("available"+at, s.Processor.Available)
	word("pending"+at, s.Processor.Pending)
	word("held back"+at, s.Processor.Reserved)
	for _, u := range s.Unmatched {
		fmt.Fprintf(t, "the operator's word: %d movements unmatched\t%d %s\n", u.Count, u.Amount, u.Currency)
	}
}

// saveStatement writes a statement that holds to a new file.
func saveStatement(file string, r *audit.Report) error {
	if file == "" {
		return nil
	}
	b, err := json.MarshalIndent(r.Statement, "", "  ")
	if err != nil {
		return fmt.Errorf("save: %w", err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("save: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	return errors.Join(err, f.Close())
}
