package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/escrow/admin"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// ruleCommand decides a dispute.
func ruleCommand() *cli.Command {
	return &cli.Command{
		Name:      "rule",
		Usage:     "rule on a dispute, in public: upheld refunds everybody, rejected lets the clock go on",
		ArgsUsage: "DISPUTE",
		Flags: serviceFlags(
			&cli.StringFlag{Name: "outcome", Required: true, Usage: "upheld or rejected"},
			&cli.StringFlag{Name: "rationale", Required: true, Usage: "the reasons, in Markdown; they are published"},
		),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.NArg() != 1 {
				return errors.New("rule wants the at:// address of one dispute")
			}
			dispute, err := syntax.ParseATURI(cmd.Args().First())
			if err != nil {
				return fmt.Errorf("%q is no address of a dispute: %w", cmd.Args().First(), err)
			}
			answer, err := ask(ctx, cmd, "rule", admin.RuleInput{
				Dispute: dispute, Outcome: lifecycle.Outcome(cmd.String("outcome")), Rationale: cmd.String("rationale"),
			})
			if err != nil {
				return err
			}
			return say(cmd, answer)
		},
	}
}
