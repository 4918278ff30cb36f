package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// ledgerCommand is about the ledger as a whole.
func ledgerCommand() *cli.Command {
	return &cli.Command{
		Name:     "ledger",
		Usage:    "look after the ledger",
		Commands: []*cli.Command{verifyCommand()},
	}
}

// verifyCommand recomputes everything, also while the escrow runs.
func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:  "verify",
		Usage: "recompute the whole ledger and compare it with what it says, also while the escrow runs",
		Flags: []cli.Flag{
			databaseFlag(),
			&cli.StringSliceFlag{
				Name:  "against",
				Usage: "a file with a published statement (the JSON of a fund.stratos.escrow.statement), whose head must be in the ledger; may be given more than once",
			},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			heads, err := readHeads(cmd.StringSlice("against"))
			if err != nil {
				return err
			}
			s, err := openToRead(ctx, cmd)
			if err != nil {
				return err
			}
			defer s.Close()
			report, err := ledger.New(s.Mode()).Verify(ctx, s, heads, func(entries int64) {
				fmt.Fprintf(cmd.Root().ErrWriter, "%d entries\n", entries)
			})
			if err != nil {
				return err
			}
			return printReport(cmd, report, len(heads))
		},
	}
}

func printReport(cmd *cli.Command, r *ledger.Report, heads int) error {
	out := cmd.Root().Writer
	for _, f := range r.Findings {
		fmt.Fprintln(out, f)
	}
	if !r.Whole() {
		return fmt.Errorf("the ledger is not what it says: %d findings", r.Found)
	}
	fmt.Fprintf(out, "The ledger is whole: %d entries, %d postings, %d accounts.\n", r.Entries, r.Postings, r.Accounts)
	fmt.Fprintf(out, "Its head is %d %x.\n", r.Head.Sequence, r.Head.Hash)
	if heads == 0 {
		fmt.Fprintln(out, "Only a head that was published earlier (--against) shows that no past was made anew.")
	}
	return nil
}

func readHeads(files []string) ([]ledger.Head, error) {
	var heads []ledger.Head
	for _, file := range files {
		head, err := readHead(file)
		if err != nil {
			return nil, fmt.Errorf("read the statement %s: %w", file, err)
		}
		heads = append(heads, head)
	}
	return heads, nil
}

// readHead takes the head out of a statement. The rest is not asked for.
func readHead(file string) (ledger.Head, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return ledger.Head{}, err
	}
	var statement struct {
		Head *stratos.EscrowStatement_Head `json:"ledgerHead"`
	}
	if err := json.Unmarshal(b, &statement); err != nil {
		return ledger.Head{}, err
	}
	if statement.Head == nil {
		return ledger.Head{}, errors.New("it has no ledgerHead")
	}
	hash, err := hex.DecodeString(statement.Head.Hash)
	if err != nil || len(hash) != len(ledger.Digest{}) {
		return ledger.Head{}, fmt.Errorf("its ledgerHead has the hash %.80q, and not 32 bytes in hex", statement.Head.Hash)
	}
	return ledger.Head{Sequence: statement.Head.Sequence, Hash: ledger.Digest(hash)}, nil
}
