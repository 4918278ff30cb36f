package main

import (
	"context"

	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/escrow/admin"
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
