package main

import (
	"slices"
	"testing"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// lostOnTheWay is a pledge whose backer loses the connection at each step of it, and finds the
// way back from there.
func lostOnTheWay(t *testing.T, s *showing) {
	const amount = 3300
	b := s.visit(t, "maya-builds.test", pagePath(s.subject)+"/pledge")
	b.Fill("Amount", "33")
	b.Choose("I know that this stays public")
	b.PressOffline("Sign the pledge")
	if got := b.Value("Amount"); got != "33" {
		t.Errorf("offline, what was typed became %q", got)
	}
	b.Inspect("pledge-offline")
	b.Press("Sign the pledge")
	b.Reach("/me/pledge/")
	b.See("Go on to pay $33")
	payment := b.At()
	b.PressOffline("Go on to pay $33")
	b.Press("Go on to pay $33")
	b.Reach("/pay/")
	b.Click(`input[name="terms"]`)
	b.Offline(true)
	b.Press("Go on to pay")
	b.SeeLost()
	b.Offline(false)

	b.Open(payment)
	b.Press("Go on to pay $33")
	b.Reach("/pay/")
	b.Click(`input[name="terms"]`)
	b.Press("Go on to pay")
	b.Click(`input[name="card"][value="` + cardSucceeds + `"]`)
	b.Offline(true)
	b.Press("of play money")
	b.SeeLost()
	b.Offline(false)
	if got := s.becomes(amount); got != nil {
		t.Errorf("before anything was paid, the receipt says %q", got)
	}

	b.Open(payment)
	b.Press("Go on to pay $33")
	b.Reach("/pay/")
	b.Click(`input[name="terms"]`)
	b.Press("Go on to pay")
	b.Click(`input[name="card"][value="` + cardSucceeds + `"]`)
	b.LoseAnswers(true)
	b.Press("of play money")
	b.SeeLost()
	b.LoseAnswers(false)

	b.Open(payment)
	b.SeeAfterReload("Your money is held")
	if got := s.becomes(amount); !slices.Equal(got, []string{"held"}) {
		t.Errorf("paid once, the receipts say %q", got)
	}
}

// silentEscrow is a pledge to an escrow that has no service.
func silentEscrow(t *testing.T, s *showing) {
	b := s.visit(t, "emi-backs.test", pagePath(s.inStage(t, lifecycle.StagePreview).Uri)+"/pledge")
	b.Fill("Amount", "12")
	b.Choose("I know that this stays public")
	b.Press("Sign the pledge")
	b.Reach("/me/pledge/")
	b.Press("Go on to pay $12")
	b.See("The escrow does not answer. Nothing was charged, and what you signed stays.")
	b.Inspect("escrow-silent")
}
