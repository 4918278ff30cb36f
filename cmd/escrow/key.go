package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/escrow/checkout"
)

// newKeyCommand makes the key of acknowledgements.
func newKeyCommand() *cli.Command {
	return &cli.Command{
		Name:  "new-key",
		Usage: "make a key to sign acknowledgements with",
		Action: func(_ context.Context, cmd *cli.Command) error {
			secret, public, err := checkout.NewKey()
			if err != nil {
				return err
			}
			out := cmd.Root().Writer
			fmt.Fprintf(out, "ESCROW_ACKNOWLEDGEMENT_KEY=%s\n", secret)
			fmt.Fprintf(out, "# Keep it secret. For the DID document, as the verification method %s:\n# %s\n", checkout.KeyID, public)
			return nil
		},
	}
}
