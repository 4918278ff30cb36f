package payments

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestR14_AccountIsPayableOrSaysWhyNot(t *testing.T) {
	t.Parallel()
	good := Account{Submitted: true, PayoutsEnabled: true, ChargesEnabled: true, Transfers: CapabilityActive, Cards: CapabilityActive}
	for _, c := range []struct {
		name   string
		change func(*Account)
		want   []Obstacle
	}{
		{"in order", func(*Account) {}, nil},
		{"due later", func(a *Account) { a.Requirements.Due = []string{"individual.id_number"} }, nil},
		{"never charged", func(a *Account) { a.ChargesEnabled, a.Cards = false, CapabilityNone }, nil},
		{"new", func(a *Account) { *a = Account{Transfers: CapabilityInactive} },
			[]Obstacle{ObstacleOnboarding, ObstacleTransfers, ObstaclePayouts}},
		{"papers missing", func(a *Account) {
			a.PayoutsEnabled, a.Requirements.PastDue, a.Requirements.Disabled = false, []string{"external_account"}, "requirements.past_due"
		}, []Obstacle{ObstacleInformation, ObstaclePayouts}},
		{"papers looked at", func(a *Account) {
			a.Transfers, a.Requirements.Disabled = CapabilityPending, "requirements.pending_verification"
		}, []Obstacle{ObstacleReview, ObstacleTransfers}},
		{"rejected", func(a *Account) {
			a.PayoutsEnabled, a.Transfers, a.Requirements.Disabled = false, CapabilityInactive, "rejected.fraud"
		}, []Obstacle{ObstacleRejected, ObstacleTransfers, ObstaclePayouts}},
		{"stopped for a reason of theirs", func(a *Account) { a.Requirements.Disabled = "other" }, []Obstacle{ObstacleStopped}},
		{"transfers off, nobody says why", func(a *Account) { a.Transfers = CapabilityInactive }, []Obstacle{ObstacleTransfers}},
	} {
		a := good
		c.change(&a)
		ok, why := a.Payable()
		if diff := cmp.Diff(c.want, why); diff != "" || ok != (c.want == nil) {
			t.Errorf("%s: %v %s", c.name, ok, diff)
		}
	}
}

func TestR5_AccountTakesDonationsOnlyWhenItCanBeCharged(t *testing.T) {
	t.Parallel()
	good := Account{Submitted: true, PayoutsEnabled: true, ChargesEnabled: true, Cards: CapabilityActive}
	if ok, why := good.Chargeable(); !ok {
		t.Error(why)
	}
	for name, change := range map[string]func(*Account){
		"never asked for": func(a *Account) { a.Cards = CapabilityNone },
		"switched off":    func(a *Account) { a.ChargesEnabled = false },
	} {
		a := good
		change(&a)
		if ok, why := a.Chargeable(); ok || !cmp.Equal(why, []Obstacle{ObstacleCharges}) {
			t.Errorf("%s: %v %v", name, ok, why)
		}
	}
}

func TestOnlyAManualScheduleHoldsMoney(t *testing.T) {
	t.Parallel()
	for schedule, want := range map[string]bool{"manual": true, "daily": false, "weekly": false, "": false} {
		if got := (PlatformAccount{Payouts: schedule}).HoldsMoney(); got != want {
			t.Errorf("%q: %v", schedule, got)
		}
	}
}
