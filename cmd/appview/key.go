package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/appview/web/session"
)

// newKeyCommand makes a key of the pages' OAuth client.
func newKeyCommand() *cli.Command {
	return &cli.Command{
		Name:  "new-key",
		Usage: "make a key that proves the pages to the hosts of those who sign in",
		Action: func(_ context.Context, cmd *cli.Command) error {
			secret, err := session.NewKey()
			if err != nil {
				return err
			}
			out := cmd.Root().Writer
			fmt.Fprintf(out, "APPVIEW_OAUTH_KEYS=%s\n", secret)
			fmt.Fprintln(out, "# Keep it secret. Put a new one before the old one, after a comma, and take the old one")
			fmt.Fprintln(out, "# away when nobody who signed in with it is signed in any more: in two weeks.")
			return nil
		},
	}
}
