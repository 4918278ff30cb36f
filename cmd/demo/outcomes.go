package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/go-git/go-git/v5/plumbing/object"
	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/escrow/checks"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const (
	// pledgingLasts is how long one can pledge to each attempt. Everybody of the story has
	// to have paid by then, on a slow machine too.
	pledgingLasts = time.Minute
	// endsWithin bounds how long each step of an attempt is waited for.
	endsWithin = 5 * time.Minute
	// talkEvery is how often somebody posts meanwhile.
	talkEvery = 2 * time.Second
	// watchEvery is how often is looked how far an attempt is.
	watchEvery = 500 * time.Millisecond
)

// outcomes is a story of attempts side by side, each of which ends in another way. It
// happens in the background, by the real escrow and the real clock, and is told once: what
// was interrupted the escrow brings to its end, and another telling begins.
type outcomes struct {
	*scenery
	attempts []*outcome
}

// outcome is an attempt, from the proposal to where the money ends up.
type outcome struct {
	*scenery
	began  time.Time
	number int
	told   int // records so far

	label, title string // what it shows, and what is built
	by           *atmosphere.Account
	with         *atmosphere.Account // gets a share as well; nil for nobody
	share        int64               // in basis points
	backers      []backer
	// commits: the preview commits to the tree that will be released.
	commits bool
	// licensed: the licence is there from the beginning.
	licensed bool
	// before is what happens before the preview, and decides what follows once the pot is
	// final; nil for nothing.
	before, decides func(*outcome, context.Context) error
	ends            lifecycle.Phase

	proposal, development comatproto.RepoStrongRef
	code                  revision
}

// backer pays by a card.
type backer struct {
	*atmosphere.Account
	amount int64
	card   string
}

// newOutcomes is the story that begins, or began, at a moment.
func newOutcomes(s *scenery, began time.Time) *outcomes {
	o := &outcomes{scenery: s, attempts: []*outcome{
		{
			label: "released, to two payees", title: "Maps on paper", by: s.lin, with: s.omar, share: 3000,
			backers: []backer{{s.ana, 4000, cardAsks3DS}, {s.ben, 2500, cardPays}}, commits: true, licensed: true,
			before: (*outcome).wishedFor, decides: (*outcome).verified, ends: lifecycle.PhaseReleased,
		},
		{
			label: "cancelled", title: "Maps in relief", by: s.maya,
			backers: []backer{{s.chloe, 1500, cardPays}}, commits: true, licensed: true,
			decides: (*outcome).cancelled, ends: lifecycle.PhaseRefunded,
		},
		{
			label: "lapsed", title: "Maps that sing", by: s.omar,
			backers: []backer{{s.emi, 1200, cardRefundTakes}}, commits: true, licensed: true,
			ends: lifecycle.PhaseRefunded,
		},
		{
			label: "disputed, upheld", title: "Maps by hand", by: s.maya,
			backers: []backer{{s.tomas, 2000, cardPays}, {s.ana, 1000, cardPays}}, licensed: true,
			decides: (*outcome).upheld, ends: lifecycle.PhaseRefunded,
		},
		{
			label: "disputed, rejected", title: "Maps of last year", by: s.omar,
			backers: []backer{{s.ben, 1700, cardPays}}, commits: true, licensed: true,
			decides: (*outcome).rejected, ends: lifecycle.PhaseReleased,
		},
		{
			label: "licence corrected in time", title: "Maps for trains", by: s.lin,
			backers: []backer{{s.chloe, 2200, cardPays}, {s.emi, 900, cardPays}}, commits: true,
			decides: (*outcome).corrected, ends: lifecycle.PhaseReleased,
		},
	}}
	for i, a := range o.attempts {
		a.scenery, a.began, a.number = s, began, i
		a.development.Uri = "at://" + a.by.DID.String() + "/" + lexicons.CollectionDevelopment.String() + "/" + a.key().String()
	}
	return o
}

// rememberedOutcomes is the story that was told to its end, or one that begins now.
func rememberedOutcomes(s *scenery) (*outcomes, error) {
	m := s.broker.memory
	if !m.OutcomesTold {
		m.OutcomesBeganAt = time.Now().UTC().Truncate(time.Second)
		if err := m.keep(); err != nil {
			return nil, err
		}
	}
	return newOutcomes(s, m.OutcomesBeganAt), nil
}

// sideBySide tells the story, unless it was told before. What keeps it from its end (a
// machine that slept, for instance) is said, and ends nothing else.
func (o *outcomes) sideBySide(ctx context.Context) error {
	m := o.broker.memory
	if m.OutcomesTold {
		return nil
	}
	o.say(fmt.Sprintf("In the background %d attempts begin, by terms of seconds, that end in different ways. When all have ended, a table follows.", len(o.attempts)))
	err := o.happen(ctx)
	if err == nil {
		err = o.broker.state(ctx)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		o.say(fmt.Sprintf("%s: %v. Started again, the demo tells it anew.", brokenOff, err))
		return nil
	}
	m.OutcomesTold = true
	return m.keep()
}

// brokenOff is what is said when the story comes to no end.
const brokenOff = "The story of the attempts side by side broke off"

// happen is all attempts, at the same time.
func (o *outcomes) happen(ctx context.Context) error {
	for _, developer := range o.developers() {
		if err := o.payable(ctx, developer); err != nil {
			return err
		}
	}
	all, ctx := errgroup.WithContext(ctx)
	talking, hush := context.WithCancel(ctx)
	all.Go(func() error { return o.talk(talking) })
	all.Go(func() error {
		defer hush()
		attempts, ctx := errgroup.WithContext(ctx)
		for _, a := range o.attempts {
			attempts.Go(func() error {
				if err := a.play(ctx); err != nil {
					return fmt.Errorf("%q: %w", a.title, err)
				}
				return nil
			})
		}
		return attempts.Wait()
	})
	return all.Wait()
}

// talk is what goes on all the time on a real network, and tells an escrow that it has
// missed nothing, and what time it is: somebody posts. Without that every deadline would
// come later by the calm that the escrow waits for.
func (o *outcomes) talk(ctx context.Context) error {
	for {
		post := struct {
			Text      string `json:"text"`
			CreatedAt string `json:"createdAt"`
		}{"Maps, maps, maps.", justNow()}
		_, _, err := o.ana.PutRecord(ctx, "app.bsky.feed.post", syntax.RecordKey(syntax.NewTIDFromTime(o.attempts[0].began, 0)), post)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(talkEvery):
		}
	}
}

// play is one attempt.
func (o *outcome) play(ctx context.Context) error {
	for _, scene := range []func(context.Context) error{o.announce, o.open, o.pledged, o.closed, o.decided, o.ended} {
		if err := scene(ctx); err != nil {
			return err
		}
	}
	return nil
}

// recordsAtMost is how many records one attempt has. The keys of all attempts are within
// the second in which the story began, so another telling has others.
const recordsAtMost = 100

// key is that of the development and what belongs to it.
func (o *outcome) key() syntax.RecordKey { return o.keyOf(0) }

// keyOf is that of the n-th record of this attempt.
func (o *outcome) keyOf(n int) syntax.RecordKey {
	return syntax.RecordKey(syntax.NewTIDFromTime(o.began.Add(time.Duration(o.number*recordsAtMost+n)*time.Microsecond), 1))
}

// write writes the next record, now.
func (o *outcome) write(ctx context.Context, by *atmosphere.Account, record lexicons.Record) (comatproto.RepoStrongRef, error) {
	o.told++
	return pds{}.put(ctx, by, o.keyOf(o.told), record)
}

// part writes what belongs to the development.
func (o *outcome) part(ctx context.Context, record lexicons.Record) (comatproto.RepoStrongRef, error) {
	return pds{}.put(ctx, o.by, o.key(), record)
}

func justNow() string { return stamp(time.Now()) }

// happens prints what happened to this attempt.
func (o *outcome) happens(what string, args ...any) {
	o.say(fmt.Sprintf("%q: ", o.title) + fmt.Sprintf(what, args...))
}

// announce proposes the feature and begins to work on it.
func (o *outcome) announce(ctx context.Context) (err error) {
	o.proposal, err = o.write(ctx, o.backers[0].Account, &stratos.FeatureProposal{
		LexiconTypeID: lexicons.CollectionProposal.String(), Title: o.title, Description: "An attempt that ends like this: " + o.label + ".",
		Subject: forAccount(o.by), Tags: []string{"maps"}, Langs: []string{"en"}, CreatedAt: justNow(),
	})
	if err != nil {
		return err
	}
	record := &stratos.WorkDevelopment{
		LexiconTypeID: lexicons.CollectionDevelopment.String(), Proposal: o.proposal, Title: o.title, Summary: "What the preview shows.",
		Currency: "USD", Escrow: o.broker.account.DID.String(), CreatedAt: justNow(),
	}
	if o.with != nil {
		record.Payees = []stratos.WorkDevelopment_Payee{
			{Did: o.by.DID.String(), Share: wholeShare - o.share}, {Did: o.with.DID.String(), Share: o.share},
		}
	}
	if o.development, err = o.part(ctx, record); err != nil {
		return err
	}
	if o.with != nil {
		_, err := o.write(ctx, o.with, &stratos.WorkConsent{
			LexiconTypeID: lexicons.CollectionConsent.String(), Development: o.development, CreatedAt: justNow(),
		})
		if err != nil {
			return err
		}
	}
	if o.before == nil {
		return nil
	}
	return o.before(o, ctx)
}

// wishedFor is what people can do before there is anything to see: say what it is worth to
// them, and help the developer along.
func (o *outcome) wishedFor(ctx context.Context) error {
	for _, b := range o.backers {
		_, err := o.write(ctx, b.Account, &stratos.FeatureEstimate{
			LexiconTypeID: lexicons.CollectionEstimate.String(), Proposal: o.proposal,
			Value: stratos.Defs_Money{Amount: b.amount, Currency: "USD"}, CreatedAt: justNow(),
		})
		if err != nil {
			return err
		}
	}
	const amount = 500
	donation, err := o.write(ctx, o.chloe, &stratos.FeatureDonation{
		LexiconTypeID: lexicons.CollectionDonation.String(), Proposal: o.proposal, Development: o.development,
		Value: stratos.Defs_Money{Amount: amount, Currency: "USD"}, Escrow: o.broker.account.DID.String(), CreatedAt: justNow(),
	})
	if err != nil {
		return err
	}
	if err := o.pays(ctx, o.chloe, donation, o.proposal, cardPays, string(lifecycle.ReceiptPaid)); err != nil {
		return err
	}
	o.happens("%s donated %s, straight to %s, who works on it.", o.chloe.Handle, usd(amount), o.by.Handle)
	return nil
}

// open writes the code, in private, shows it, and waits for the escrow's campaign.
func (o *outcome) open(ctx context.Context) (err error) {
	if err := o.forge.begin(o.title); err != nil {
		return err
	}
	files := []string{pageFile}
	if o.licensed {
		files = append(files, licenseFile)
	}
	if o.code, err = o.commit("Draw the map", files...); err != nil {
		return err
	}
	opens := time.Now()
	record := &stratos.WorkPreview{
		LexiconTypeID: lexicons.CollectionPreview.String(), Development: o.development, Uri: o.forge.preview(o.title),
		Instructions: "Open the page.", OpensAt: stamp(opens), ClosesAt: stamp(opens.Add(pledgingLasts)), CreatedAt: stamp(opens),
	}
	if o.commits {
		record.Commitment = &stratos.WorkPreview_Commitment{Tree: o.code.tree, Algorithm: "sha1"}
	}
	if _, err := o.part(ctx, record); err != nil {
		return err
	}
	c, err := o.until(ctx, "its campaign opens", in(lifecycle.PhaseOpen))
	if err != nil {
		return err
	}
	o.happens("%s shows a preview, and people can pledge until %s.", o.by.Handle, o.clock(c.ClosesAt))
	return nil
}

// commit adds files of the demo's code to the developer's repository.
func (o *outcome) commit(message string, names ...string) (revision, error) {
	files := map[string][]byte{}
	for _, name := range names {
		content, err := code.ReadFile("code/" + name)
		if err != nil {
			return revision{}, fmt.Errorf("read the developers' code: %w", err)
		}
		files[name] = content
	}
	author := object.Signature{Name: o.by.Handle.String(), Email: "code@" + o.by.Handle.String(), When: time.Now()}
	return o.forge.commit(o.title, message, author, files)
}

// clock is a time of a record as people read it.
func (o *outcome) clock(at string) string {
	t, err := syntax.ParseDatetimeTime(at)
	if err != nil {
		return at
	}
	return t.Local().Format(time.TimeOnly)
}

// pledged lets everybody pledge and pay.
func (o *outcome) pledged(ctx context.Context) error {
	for _, b := range o.backers {
		pledge, err := o.write(ctx, b.Account, &stratos.FeaturePledge{
			LexiconTypeID: lexicons.CollectionPledge.String(), Proposal: o.proposal, Development: o.development,
			Value: stratos.Defs_Money{Amount: b.amount, Currency: "USD"}, Escrow: o.broker.account.DID.String(), CreatedAt: justNow(),
		})
		if err != nil {
			return err
		}
		if err := o.pays(ctx, b.Account, pledge, o.proposal, b.card, string(lifecycle.ReceiptHeld)); err != nil {
			return err
		}
		o.happens("%s pledged %s, which the escrow holds.", b.Handle, usd(b.amount))
	}
	return nil
}

// closed waits for the number that the developer decides on.
func (o *outcome) closed(ctx context.Context) error {
	c, err := o.until(ctx, "pledging ends", func(c *stratos.EscrowCampaign) bool { return c.Pot != nil })
	if err != nil {
		return err
	}
	o.happens("pledging has ended, and %s are in the pot. %s releases by %s, or nobody pays.", usd(c.Pot.Amount), o.by.Handle, o.clock(c.ReleaseBy))
	return nil
}

func (o *outcome) decided(ctx context.Context) error {
	if o.decides == nil {
		return nil
	}
	return o.decides(o, ctx)
}

// cancelled is a developer to whom the pot is too small.
func (o *outcome) cancelled(ctx context.Context) error {
	_, err := o.part(ctx, &stratos.WorkCancellation{
		LexiconTypeID: lexicons.CollectionCancellation.String(), Development: o.development,
		Reason: ref("Thank you, but this does not cover the work."), CreatedAt: justNow(),
	})
	if err != nil {
		return err
	}
	o.happens("%s cancels, and gets nothing.", o.by.Handle)
	return nil
}

// release publishes the code and says where it is.
func (o *outcome) release(ctx context.Context) (comatproto.RepoStrongRef, error) {
	if err := o.forge.publish(o.title); err != nil {
		return comatproto.RepoStrongRef{}, err
	}
	return o.part(ctx, o.released(o.code))
}

func (o *outcome) released(at revision) *stratos.WorkRelease {
	return &stratos.WorkRelease{
		LexiconTypeID: lexicons.CollectionRelease.String(), Development: o.development, Repository: o.forge.repository(o.title),
		Commit: at.commit, Ref: ref(branch), License: "MIT", CreatedAt: justNow(),
	}
}

// accepted waits until the escrow has checked the release, and everybody can look at it.
func (o *outcome) accepted(ctx context.Context) error {
	c, err := o.until(ctx, "its release is accepted", func(c *stratos.EscrowCampaign) bool { return c.Mirror != nil })
	if err != nil {
		return err
	}
	o.say(fmt.Sprintf("%q: the release passed all checks. Whatever becomes of the original, everybody can clone it from the escrow; until %s people look.",
		o.title, o.clock(*c.VerificationEndsAt)),
		fmt.Sprintf("GIT_SSL_CAINFO=%s git ls-remote %s", o.forge.ca, o.forge.repository(o.title)), "git clone --quiet "+*c.Mirror)
	return nil
}

// verified is a release that somebody looks at, and finds right.
func (o *outcome) verified(ctx context.Context) error {
	release, err := o.release(ctx)
	if err != nil {
		return err
	}
	if err := o.accepted(ctx); err != nil {
		return err
	}
	_, err = o.write(ctx, o.chloe, &stratos.FeatureVerification{
		LexiconTypeID: lexicons.CollectionVerification.String(), Release: release, Matches: true,
		Statement: ref("It is what the preview showed."), CreatedAt: justNow(),
	})
	if err != nil {
		return err
	}
	o.happens("%s has built it, and says that it is what the preview showed.", o.chloe.Handle)
	return nil
}

// upheld is a release that lacks what its preview had.
func (o *outcome) upheld(ctx context.Context) error {
	return o.disputed(ctx, lifecycle.OutcomeUpheld, "source-mismatch", "What the preview drew by hand, the source leaves out.",
		"The preview committed to no tree, and the source does not draw by hand.")
}

// rejected is a dispute over what can be seen by everybody.
func (o *outcome) rejected(ctx context.Context) error {
	return o.disputed(ctx, lifecycle.OutcomeRejected, "license-not-open", "I find no licence.",
		"The file LICENSE at the root is the MIT licence, and the tree is the one that the preview committed to.")
}

// disputed has the first backer stop the payout, and the escrow's operator rule.
func (o *outcome) disputed(ctx context.Context, outcome lifecycle.Outcome, reason, statement, rationale string) error {
	release, err := o.release(ctx)
	if err != nil {
		return err
	}
	if err := o.accepted(ctx); err != nil {
		return err
	}
	by := o.backers[0]
	dispute, err := o.write(ctx, by.Account, &stratos.FeatureDispute{
		LexiconTypeID: lexicons.CollectionDispute.String(), Proposal: o.proposal, Release: release,
		Reason: reason, Statement: statement, CreatedAt: justNow(),
	})
	if err != nil {
		return err
	}
	if _, err := o.until(ctx, "the dispute stops its clock", func(c *stratos.EscrowCampaign) bool { return len(c.Pauses) > 0 }); err != nil {
		return err
	}
	o.happens("%s disputes the release: %s The clock stands still.", by.Handle, statement)
	_, err = stratos.EscrowResolveDispute(ctx, o.asking(o.broker.account), &stratos.EscrowResolveDispute_Input{
		Dispute: dispute, Outcome: string(outcome), Rationale: rationale,
	})
	if err != nil {
		return fmt.Errorf("rule on the dispute of %s: %w", by.Handle, err)
	}
	o.say(fmt.Sprintf("%q: the escrow's operator rules, in public: the dispute is %s. %s", o.title, outcome, rationale),
		fmt.Sprintf(`bin/escrow rule --service-url %s --admin-password %s --outcome %s --rationale %q %s`, o.broker.url, password, outcome, rationale, dispute.Uri))
	return nil
}

// corrected is a release without a licence, which gets one while there is time.
func (o *outcome) corrected(ctx context.Context) error {
	if _, err := o.release(ctx); err != nil {
		return err
	}
	failed := func(c *stratos.EscrowCampaign) (evidence string, ok bool) {
		for _, check := range c.Checks {
			if check.Name == string(checks.LicenseOpen) && !check.Passed && check.Evidence != nil {
				return *check.Evidence, true
			}
		}
		return "", false
	}
	c, err := o.until(ctx, "its release is refused", func(c *stratos.EscrowCampaign) bool {
		_, ok := failed(c)
		return ok
	})
	if err != nil {
		return err
	}
	evidence, _ := failed(c)
	o.happens("the escrow refuses the release: %s", evidence)
	licensed, err := o.commit("Say that it is free", licenseFile)
	if err != nil {
		return err
	}
	correction := o.released(licensed)
	correction.PreviewCommit = &o.code.commit // has the tree that was committed to
	if _, err := o.part(ctx, correction); err != nil {
		return err
	}
	o.happens("%s adds a licence, and corrects the release.", o.by.Handle)
	return o.accepted(ctx)
}

// ended waits until the money is where it belongs, and the AppView says so.
func (o *outcome) ended(ctx context.Context) error {
	c, err := o.until(ctx, "it is over", in(o.ends))
	if err != nil {
		return err
	}
	stage := lifecycle.StageCompleted
	if o.ends == lifecycle.PhaseRefunded {
		stage = lifecycle.StageCancelled
	}
	err = until(ctx, watchEvery, endsWithin, func() (bool, error) {
		out, err := stratos.FeatureGetProposals(ctx, atclient.NewAPIClient(o.appview.String()), []string{o.proposal.Uri})
		return err == nil && len(out.Proposals) == 1 && out.Proposals[0].Stage == string(stage), err
	})
	if err != nil {
		return fmt.Errorf("wait until the AppView shows that it is %s: %w", stage, err)
	}
	o.say(fmt.Sprintf("%q is over: %s. The AppView says: %s.", o.title, howItEnded(c), stage), ofEscrow("getCampaign?development="+o.development.Uri))
	return nil
}

// howItEnded is the campaign's own word.
func howItEnded(c *stratos.EscrowCampaign) string {
	if c.Reason == nil {
		return c.Phase
	}
	return c.Phase + " (" + *c.Reason + ")"
}

func in(phase lifecycle.Phase) func(*stratos.EscrowCampaign) bool {
	return func(c *stratos.EscrowCampaign) bool { return c.Phase == string(phase) }
}

// errAnother is returned when an attempt ended before something could happen to it.
var errAnother = errors.New("it ended in another way")

// until waits until something is true of the campaign. One that is over changes no more.
func (o *outcome) until(ctx context.Context, what string, is func(*stratos.EscrowCampaign) bool) (c *stratos.EscrowCampaign, err error) {
	over := false
	err = until(ctx, watchEvery, endsWithin, func() (bool, error) {
		if _, c, err = o.campaign(ctx); err != nil {
			return false, err
		}
		over = !is(c) && (c.Phase == string(lifecycle.PhaseReleased) || c.Phase == string(lifecycle.PhaseRefunded))
		return over || is(c), nil
	})
	if err == nil && over {
		err = fmt.Errorf("%w: %s", errAnother, howItEnded(c))
	}
	if err != nil {
		return nil, fmt.Errorf("wait until %s: %w", what, err)
	}
	return c, nil
}

// campaign is what the escrow says of the attempt, and its record.
func (o *outcome) campaign(ctx context.Context) (*stratos.EscrowDefs_CampaignView, *stratos.EscrowCampaign, error) {
	got, err := stratos.EscrowGetCampaign(ctx, o.public(), o.development.Uri)
	if err != nil {
		return nil, nil, err
	}
	var c stratos.EscrowCampaign
	if err := json.Unmarshal(got.Campaign.Record, &c); err != nil {
		return nil, nil, fmt.Errorf("read the campaign %s: %w", got.Campaign.Uri, err)
	}
	return &got.Campaign, &c, nil
}
