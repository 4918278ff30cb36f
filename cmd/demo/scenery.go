package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atclient"

	"github.com/stratosfund/stratosfund/escrow"
	"github.com/stratosfund/stratosfund/escrow/payee"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// scenery is what the stories share that really happen: who plays, and where everything
// is. They happen at the same time, so what one of them prints at once stays together.
type scenery struct {
	*cast
	network *atmosphere.Network
	broker  *broker
	forge   *forge
	appview *url.URL
	dataDir string
	out     io.Writer
}

// say prints what happened, as a remark of a shell, and commands that show it.
func (s *scenery) say(happened string, shown ...string) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n# %s  %s\n", time.Now().Format(time.TimeOnly), strings.ReplaceAll(happened, "\n", " "))
	for _, command := range shown {
		fmt.Fprintln(&b, command)
	}
	fmt.Fprint(s.out, b.String())
}

// At whom a query goes.
func ofAppView(query string) string { return fmt.Sprintf(`curl "$API/%s"`, query) }
func ofEscrow(query string) string  { return fmt.Sprintf(`curl "$HELD/fund.stratos.escrow.%s"`, query) }

// asSomebody goes through somebody's PDS, which adds the token.
func asSomebody(who *atmosphere.Account, query string) string {
	return fmt.Sprintf(`curl -H "Authorization: Bearer $(login %s)" -H "atproto-proxy: $ESCROW" "$PDS/fund.stratos.escrow.%s"`, who.Handle, query)
}

// asking is somebody who asks the escrow through their PDS.
func (s *scenery) asking(who *atmosphere.Account) *atclient.APIClient {
	return who.Client.WithService(s.broker.account.DID.String() + "#" + escrow.ServiceID)
}

// public is anybody who asks the escrow.
func (s *scenery) public() *atclient.APIClient { return atclient.NewAPIClient(s.broker.url) }

// payable makes somebody one whom the processor can pay.
func (s *scenery) payable(ctx context.Context, who *atmosphere.Account) error {
	ready := func() (bool, error) {
		got, err := stratos.EscrowGetPayoutAccount(ctx, s.asking(who))
		if err != nil {
			return false, err
		}
		return got.Account.Status == "ready", nil
	}
	done, err := ready()
	if api, ok := errors.AsType[*atclient.APIError](err); err != nil && (!ok || api.Name != "PayoutAccountNotFound") {
		return fmt.Errorf("ask whether %s can be paid: %w", who.Handle, err)
	}
	if done {
		return nil
	}
	if err := s.onboard(ctx, who); err != nil {
		return fmt.Errorf("make %s payable: %w", who.Handle, err)
	}
	return eventually(ctx, who.Handle.String()+" can be paid", ready)
}

func (s *scenery) onboard(ctx context.Context, who *atmosphere.Account) error {
	begun, err := stratos.EscrowCreatePayoutAccount(ctx, s.asking(who), &stratos.EscrowCreatePayoutAccount_Input{
		Country: ref("US"), ReturnUri: s.broker.url + payee.ReturnPath,
	})
	if err != nil {
		return err
	}
	b, err := newBrowser()
	if err != nil {
		return err
	}
	if err := b.open(ctx, begun.Url); err != nil {
		return err
	}
	return b.submit(ctx, choice{"result", "complete"})
}

// checkout asks the escrow where to pay for a record about a proposal. Right after a start,
// or after the record was written, it may not know yet what it has to.
func (s *scenery) checkout(ctx context.Context, by *atmosphere.Account, subject, proposal comatproto.RepoStrongRef) (offer *stratos.EscrowCreateCheckout_Output, err error) {
	back := s.appview.JoinPath("xrpc", "fund.stratos.feature.getProposal")
	back.RawQuery = url.Values{"uri": {proposal.Uri}}.Encode()
	var refused error
	err = eventually(ctx, "the escrow lets "+by.Handle.String()+" pay", func() (bool, error) {
		offer, refused = stratos.EscrowCreateCheckout(ctx, s.asking(by), &stratos.EscrowCreateCheckout_Input{Subject: subject, ReturnUri: back.String()})
		api, ok := errors.AsType[*atclient.APIError](refused)
		again := ok && (api.Name == "ProcessorUnavailable" || api.Name == "SubjectUnproven" || api.Name == "FloatExhausted" || api.Name == "DevelopmentNotFound")
		return refused == nil || !again, refused
	})
	if err == nil {
		err = refused
	}
	return offer, err
}

// pays goes all the way from a pledge or donation to its receipt.
func (s *scenery) pays(ctx context.Context, by *atmosphere.Account, subject, proposal comatproto.RepoStrongRef, card, becomes string) error {
	offer, err := s.checkout(ctx, by, subject, proposal)
	if err != nil {
		return err
	}
	if err := pay(ctx, offer.Url, card); err != nil {
		return fmt.Errorf("pay for %s: %w", subject.Uri, err)
	}
	return eventually(ctx, "what "+by.Handle.String()+" paid is "+becomes, func() (bool, error) {
		got, err := stratos.EscrowGetPayment(ctx, s.asking(by), offer.Payment)
		return err == nil && got.Payment.Status == becomes, err
	})
}

// The cards that people choose on the simulator's page.
const (
	cardPays        = "4242424242424242"
	cardAsks3DS     = "4000002500003155"
	cardRefundTakes = "4000000000007726"
)

// pay does what a person does: agrees to the terms on the escrow's page, pays on the
// processor's, and comes back.
func pay(ctx context.Context, address, card string) error {
	b, err := newBrowser()
	if err != nil {
		return err
	}
	if err := b.open(ctx, address); err != nil {
		return err
	}
	home := b.at.Host
	if err := b.submit(ctx, choice{name: "terms"}); err != nil {
		return err
	}
	if err := b.submit(ctx, choice{"card", card}); err != nil {
		return err
	}
	if card == cardAsks3DS {
		if err := b.submit(ctx, choice{"result", "succeed"}); err != nil {
			return err
		}
	}
	if b.at.Host != home {
		return fmt.Errorf("the payer is not back, but at %s: %q", b.at, b.heading())
	}
	return nil
}

func usd(amount int64) string { return money.Money{Amount: amount, Currency: "USD"}.String() }
