package main

import (
	"context"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
)

// cast are the people of the demo.
type cast struct {
	maya, omar, lin             *atmosphere.Account // developers
	ana, ben, chloe, emi, tomas *atmosphere.Account // backers
	// escrow and stranger are accounts that play escrows. The demo's AppView trusts
	// the first.
	escrow, stranger *atmosphere.Account
}

// developers are those who are paid.
func (c *cast) developers() []*atmosphere.Account {
	return []*atmosphere.Account{c.maya, c.omar, c.lin}
}

// password is everybody's, so that the printed commands can be typed.
const password = "demo-password"

// assemble makes the accounts, or logs in where they exist.
func assemble(ctx context.Context, network *atmosphere.Network) (*cast, error) {
	c := &cast{}
	for _, who := range []struct {
		account **atmosphere.Account
		handle  syntax.Handle
	}{
		{&c.maya, "maya-builds.test"}, {&c.omar, "omar-builds.test"}, {&c.lin, "lin-builds.test"},
		{&c.ana, "ana-backs.test"}, {&c.ben, "ben-backs.test"}, {&c.chloe, "chloe-backs.test"},
		{&c.emi, "emi-backs.test"}, {&c.tomas, "tomas-backs.test"},
		{&c.escrow, "plays-escrow.test"}, {&c.stranger, "other-escrow.test"},
	} {
		account, err := network.CreateAccount(ctx, who.handle, atmosphere.WithPassword(password))
		if err != nil {
			return nil, fmt.Errorf("create the account %s: %w", who.handle, err)
		}
		*who.account = account
	}
	return c, nil
}
