package main

import (
	comatproto "github.com/bluesky-social/indigo/api/atproto"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// idea is what somebody proposes.
type idea struct {
	title, description string
	subject            stratos.FeatureProposal_Subject
	tags               []string
}

func forProject(project comatproto.RepoStrongRef) stratos.FeatureProposal_Subject {
	return stratos.FeatureProposal_Subject{FeatureProposal_ProjectSubject: &stratos.FeatureProposal_ProjectSubject{Project: project.Uri}}
}

func forAccount(account *atmosphere.Account) stratos.FeatureProposal_Subject {
	return stratos.FeatureProposal_Subject{FeatureProposal_AccountSubject: &stratos.FeatureProposal_AccountSubject{Did: account.DID.String()}}
}

func forURI(uri string) stratos.FeatureProposal_Subject {
	return stratos.FeatureProposal_Subject{FeatureProposal_UriSubject: &stratos.FeatureProposal_UriSubject{Uri: uri}}
}

// propose writes a proposal that the story will leave in the stage.
func (t *teller) propose(by *atmosphere.Account, daysAgo int, stage lifecycle.Stage, i idea) comatproto.RepoStrongRef {
	proposal := t.put(by, &stratos.FeatureProposal{
		LexiconTypeID: lexicons.CollectionProposal.String(),
		Title:         i.title, Description: i.description, Subject: i.subject, Tags: i.tags,
		Langs: []string{"en"}, CreatedAt: t.date(daysAgo),
	})
	t.scenes = append(t.scenes, scene{i.title, stage, proposal.Uri})
	return proposal
}

func (t *teller) estimate(by *atmosphere.Account, daysAgo int, proposal comatproto.RepoStrongRef, amount int64, currency string) {
	t.put(by, &stratos.FeatureEstimate{
		LexiconTypeID: lexicons.CollectionEstimate.String(),
		Proposal:      proposal, Value: stratos.Defs_Money{Amount: amount, Currency: currency}, CreatedAt: t.date(daysAgo),
	})
}

// donate writes a donation that reached the developer.
func (t *teller) donate(by *atmosphere.Account, daysAgo int, a *attempt, amount int64) {
	value := stratos.Defs_Money{Amount: amount, Currency: a.currency}
	donation := t.put(by, &stratos.FeatureDonation{
		LexiconTypeID: lexicons.CollectionDonation.String(),
		Proposal:      a.proposal, Development: a.development, Value: value,
		Escrow: a.escrow.DID.String(), CreatedAt: t.date(daysAgo),
	})
	p := &payment{subject: donation, payer: by, value: value}
	p.becomes(lifecycle.ReceiptPaid, t.on(daysAgo), "")
	t.receipt(a, p)
}

// pledge writes a wish. It becomes money when the escrow says so.
func (t *teller) pledge(by *atmosphere.Account, daysAgo int, a *attempt, amount int64) comatproto.RepoStrongRef {
	return t.put(by, &stratos.FeaturePledge{
		LexiconTypeID: lexicons.CollectionPledge.String(),
		Proposal:      a.proposal, Development: a.development,
		Value:  stratos.Defs_Money{Amount: amount, Currency: a.currency},
		Escrow: a.escrow.DID.String(), CreatedAt: t.date(daysAgo),
	})
}

func (t *teller) verify(by *atmosphere.Account, daysAgo int, a *attempt, matches bool, statement string) {
	t.put(by, &stratos.FeatureVerification{
		LexiconTypeID: lexicons.CollectionVerification.String(),
		Release:       a.release, Matches: matches, Statement: &statement, CreatedAt: t.date(daysAgo),
	})
}

func (t *teller) dispute(by *atmosphere.Account, daysAgo int, a *attempt, reason, statement string) comatproto.RepoStrongRef {
	return t.put(by, &stratos.FeatureDispute{
		LexiconTypeID: lexicons.CollectionDispute.String(),
		Proposal:      a.proposal, Release: a.release, Reason: reason, Statement: statement, CreatedAt: t.date(daysAgo),
	})
}
