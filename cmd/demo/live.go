package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const (
	// previewLasts is how long one can pledge in the live story, and previewLeft what has to
	// be left of that when the demo is started again; with less, another one begins.
	previewLasts = 12 * time.Hour
	previewLeft  = 2 * time.Hour
	// floatOf is what the escrow's operator puts in for the processor's fees.
	floatOf = 100_000
)

// live is a story that happens while somebody looks: the escrow is real, and only the
// money is not. Told again after a restart it goes on where it was.
type live struct {
	*scenery
	began time.Time

	proposal, development comatproto.RepoStrongRef
}

// play is the story once the escrow knows of its float.
func (l *live) play(ctx context.Context) error {
	for _, scene := range []func(context.Context) error{l.onboarding, l.opening, l.held, l.takenBack, l.unpaid} {
		if err := scene(ctx); err != nil {
			return err
		}
	}
	return l.end()
}

// begin finds out which story it is, and whether it goes on.
func (l *live) begin(ctx context.Context) error {
	m := l.broker.memory
	if now := time.Now().UTC().Truncate(time.Millisecond); m.BeganAt.IsZero() || now.After(m.BeganAt.Add(previewLasts-previewLeft)) {
		control := simulator.Control{URL: l.broker.processor.URL()}
		if _, err := control.TopUp(ctx, floatOf, "usd"); err != nil {
			return err
		}
		m.BeganAt = now
		if err := m.keep(); err != nil {
			return err
		}
	}
	l.began = m.BeganAt
	l.proposal.Uri = l.uri(l.emi, lexicons.CollectionProposal, 0)
	l.development.Uri = l.uri(l.lin, lexicons.CollectionDevelopment, 1)
	return nil
}

// key is that of the n-th record.
func (l *live) key(n int) syntax.RecordKey {
	return syntax.RecordKey(syntax.NewTIDFromTime(l.began.Add(time.Duration(n)*time.Second), 0))
}

func (l *live) uri(of *atmosphere.Account, collection syntax.NSID, n int) string {
	return "at://" + of.DID.String() + "/" + collection.String() + "/" + l.key(n).String()
}

// write writes the n-th record; one that is there already makes no commit.
func (l *live) write(ctx context.Context, by *atmosphere.Account, n int, record lexicons.Record) (comatproto.RepoStrongRef, error) {
	return pds{}.put(ctx, by, l.key(n), record)
}

// introduce prints what the commands below use. All that the story prints can be typed:
// what is said are remarks of a shell.
func (l *live) introduce() {
	fmt.Fprintf(l.out, `
# Now for real, with play money: an escrow holds what people pay at a simulated payment
# processor. What is said here happens now, and the lines below each step show it.

PDS=%s/xrpc
HELD=%s/xrpc
ESCROW=%s#%s
PROPOSAL=%s
DEVELOPMENT=%s
login() { curl -s $PDS/com.atproto.server.createSession -H 'Content-Type: application/json' \
  -d '{"identifier":"'$1'","password":"%s"}' | sed 's/.*"accessJwt":"\([^"]*\)".*/\1/'; }
`, l.network.PDSURL(), l.broker.url, l.broker.account.DID, escrow.ServiceID, l.proposal.Uri, l.development.Uri, password)
}

// float waits for the operator's money: without it nobody may pay.
func (l *live) float(ctx context.Context) error {
	err := eventually(ctx, "the escrow hears of its float", func() (bool, error) {
		var health escrow.Health
		err := l.public().Get(ctx, "_health", nil, &health)
		return health.Sequence > 0, err
	})
	if err != nil {
		return err
	}
	l.say("The operator has put "+usd(floatOf)+" in, which pay the processor's fees: so everybody can be refunded in full.", `curl "$HELD/_health"`)
	return nil
}

// onboarding makes the developer one whom the processor can pay.
func (l *live) onboarding(ctx context.Context) error {
	if err := l.payable(ctx, l.lin); err != nil {
		return err
	}
	l.say(l.lin.Handle.String()+" has gone through the processor's questions, and can be paid.", asSomebody(l.lin, "getPayoutAccount"))
	return nil
}

// opening announces the work and its preview, and waits for the escrow's campaign.
func (l *live) opening(ctx context.Context) error {
	if err := l.announce(ctx); err != nil {
		return err
	}
	err := eventually(ctx, "the campaign opens", func() (bool, error) {
		_, err := stratos.EscrowGetCampaign(ctx, l.public(), l.development.Uri)
		return err == nil, err
	})
	if err != nil {
		return err
	}
	err = eventually(ctx, "the AppView shows the preview", func() (bool, error) {
		out, err := stratos.FeatureGetProposals(ctx, atclient.NewAPIClient(l.appview.String()), []string{l.proposal.Uri})
		return err == nil && len(out.Proposals) == 1 && out.Proposals[0].Stage == string(lifecycle.StagePreview), err
	})
	if err != nil {
		return err
	}
	l.say(fmt.Sprintf("%s shows a preview of %q until %s, and the escrow has opened its campaign.", l.lin.Handle, liveTitle, l.closesAt().Local().Format("15:04")),
		ofEscrow("getCampaign?development=$DEVELOPMENT"), ofAppView("fund.stratos.feature.getProposal?uri=$PROPOSAL"))
	return nil
}

const liveTitle = "Maps of the night sky"

func (l *live) closesAt() time.Time { return l.began.Add(previewLasts) }

func (l *live) announce(ctx context.Context) (err error) {
	at := stamp(l.began)
	l.proposal, err = l.write(ctx, l.emi, 0, &stratos.FeatureProposal{
		LexiconTypeID: lexicons.CollectionProposal.String(), Title: liveTitle, Description: "Who posts while others sleep, as stars.",
		Subject: forAccount(l.lin), Tags: []string{"maps"}, Langs: []string{"en"}, CreatedAt: at,
	})
	if err != nil {
		return err
	}
	l.development, err = l.write(ctx, l.lin, 1, &stratos.WorkDevelopment{
		LexiconTypeID: lexicons.CollectionDevelopment.String(), Proposal: l.proposal, Title: "Night maps", Summary: "A map that turns with the clock.",
		Currency: "USD", Goal: &stratos.Defs_Money{Amount: 10_000, Currency: "USD"}, Escrow: l.broker.account.DID.String(), CreatedAt: at,
	})
	if err != nil {
		return err
	}
	_, err = l.write(ctx, l.lin, 1, &stratos.WorkPreview{
		LexiconTypeID: lexicons.CollectionPreview.String(), Development: l.development, Uri: l.forge.preview(liveTitle),
		Instructions: "Draw a map and choose *Night*.", OpensAt: at, ClosesAt: stamp(l.closesAt()), CreatedAt: at,
	})
	return err
}

// held is a pledge that is really paid, on the escrow's page and then on the processor's.
func (l *live) held(ctx context.Context) error {
	pledge, err := l.paid(ctx, l.ana, 2, 2500, cardAsks3DS)
	if err != nil {
		return err
	}
	status := lifecycle.ReceiptHeld
	err = eventually(ctx, "the AppView shows that the pledge is held", func() (bool, error) {
		status, err = l.shown(ctx, pledge)
		return status != lifecycle.StatusPending, err
	})
	if err != nil {
		return err
	}
	l.say(fmt.Sprintf("%s pledged %s and paid by card. The receipt is published, and the AppView says: %s.", l.ana.Handle, usd(2500), status),
		ofAppView("fund.stratos.feature.listPledges?uri=$PROPOSAL"), ofEscrow("listReceipts?development=$DEVELOPMENT"))
	return nil
}

// shown is what the AppView says of a pledge.
func (l *live) shown(ctx context.Context, pledge string) (lifecycle.ReceiptStatus, error) {
	out, err := stratos.FeatureListPledges(ctx, atclient.NewAPIClient(l.appview.String()), "", nil, l.proposal.Uri)
	if err != nil {
		return "", err
	}
	for _, p := range out.Pledges {
		if p.Uri == pledge {
			return lifecycle.ReceiptStatus(p.Status), nil
		}
	}
	return lifecycle.StatusPending, nil
}

// takenBack is a pledge that is paid, and whose record is deleted then.
func (l *live) takenBack(ctx context.Context) error {
	const amount = 1800
	pledge, err := l.paid(ctx, l.ben, 3, amount, cardRefundTakes)
	if err != nil {
		return err
	}
	if err := l.ben.DeleteRecord(ctx, syntax.ATURI(pledge)); err != nil {
		return err
	}
	var funding stratos.FeatureDefs_Funding
	goesBack := func(enough func() bool) func() (bool, error) {
		return func() (bool, error) {
			out, err := stratos.FeatureGetFunding(ctx, atclient.NewAPIClient(l.appview.String()), l.proposal.Uri)
			if err != nil || len(out.Funding) != 1 {
				return false, err
			}
			funding = out.Funding[0]
			return enough(), nil
		}
	}
	err = eventually(ctx, "the AppView shows that the pledge goes back", goesBack(func() bool { return funding.Refunding+funding.Refunded >= amount }))
	if err != nil {
		return err
	}
	if funding.Refunding >= amount {
		l.say(fmt.Sprintf("%s paid %s, and then deleted the pledge. The AppView says: refunding.", l.ben.Handle, usd(amount)),
			ofAppView("fund.stratos.feature.getFunding?uri=$PROPOSAL"))
	}
	err = eventually(ctx, "the AppView shows that the pledge is refunded", goesBack(func() bool { return funding.Refunded >= amount }))
	if err != nil {
		return err
	}
	l.say(fmt.Sprintf("The bank has given %s to %s. The AppView says: refunded.", usd(amount), l.ben.Handle),
		ofAppView("fund.stratos.feature.getTimeline?uri=$PROPOSAL"), ofEscrow("listReceipts?status=refunded&payer="+l.ben.Handle.String()))
	return nil
}

// unpaid is a pledge that waits for whoever sits at the keyboard.
func (l *live) unpaid(ctx context.Context) error {
	const amount = 1200
	pledge, err := l.pledge(ctx, l.tomas, 4, amount)
	if err != nil {
		return err
	}
	offer, err := l.checkout(ctx, l.tomas, pledge, l.proposal)
	if api, ok := errors.AsType[*atclient.APIError](err); ok && api.Name == "AlreadyPaid" {
		l.say(l.tomas.Handle.String()+"'s pledge was paid before.", ofAppView("fund.stratos.feature.listPledges?uri=$PROPOSAL"))
		return nil
	}
	if err != nil {
		return err
	}
	l.say(fmt.Sprintf("%s pledged %s and has not paid. Do it, in a browser, within an hour: %s", l.tomas.Handle, usd(amount), offer.Url),
		asSomebody(l.tomas, "getPayment?payment="+offer.Payment))
	return nil
}

// end prints how the operator looks at all of it, and where everything is.
func (l *live) end() error {
	_, err := fmt.Fprintf(l.out, `
# What the escrow's operator asks: do the processor and the ledger agree, is the ledger
# whole, what is under way?

bin/escrow reconcile --service-url %[1]s --admin-password %[2]s
bin/escrow ledger verify --database-url %[3]s
bin/escrow status --database-url %[3]s

# The PDS is %[4]s, the PLC directory %[5]s, the escrow %[1]s,
# the payment processor %[6]s, the developers' code and previews %[8]s
# (their certificate: %[9]s).
# The logs and all data are in %[7]s.
# Everybody's password is %[2]s. Ctrl-C ends everything.
`, l.broker.url, password, l.broker.database, l.network.PDSURL(), l.network.PLCURL(), l.broker.processor.URL(), l.dataDir,
		l.forge.url, l.forge.ca)
	return err
}

// paid is a pledge that was paid, now or before a restart, and its uri.
func (l *live) paid(ctx context.Context, by *atmosphere.Account, n int, amount int64, card string) (pledge string, err error) {
	uri := l.uri(by, lexicons.CollectionPledge, n)
	before, err := stratos.EscrowListReceipts(ctx, l.public(), "", l.development.Uri, nil, by.DID.String(), "")
	if err != nil {
		return "", fmt.Errorf("ask what %s paid: %w", by.Handle, err)
	}
	if len(before.Receipts) > 0 {
		return uri, nil
	}
	subject, err := l.pledge(ctx, by, n, amount)
	if err != nil {
		return "", err
	}
	return uri, l.pays(ctx, by, subject, l.proposal, card, string(lifecycle.ReceiptHeld))
}

func (l *live) pledge(ctx context.Context, by *atmosphere.Account, n int, amount int64) (comatproto.RepoStrongRef, error) {
	return l.write(ctx, by, n, &stratos.FeaturePledge{
		LexiconTypeID: lexicons.CollectionPledge.String(), Proposal: l.proposal, Development: l.development,
		Value: stratos.Defs_Money{Amount: amount, Currency: "USD"}, Escrow: l.broker.account.DID.String(), CreatedAt: stamp(l.began),
	})
}
