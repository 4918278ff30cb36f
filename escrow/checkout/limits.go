package checkout

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// month is the time over which withdrawals are counted.
const month = 30 * 24 * time.Hour

// limited says by a *Refusal which limit of the campaign's terms against fraud a pledge
// would pass. It is asked in the transaction that opens the hold, so what is offered at
// the same moment counts: docs/escrow.md says what each limit bounds.
func limited(ctx context.Context, tx *store.Tx, w wish, c campaign.Campaign, terms repo.Agreed) error {
	if most := terms.Numbers.WithdrawalsPerMonth; most != nil {
		if err := withdrawalsLeft(ctx, tx, w.Payer, tx.Now(), *most); err != nil {
			return err
		}
	}
	i := slices.IndexFunc(terms.Numbers.Currencies, func(t stratos.EscrowTerms_Currency) bool { return t.Currency == w.Value.Currency.String() })
	if i < 0 {
		return nil // the amount's own bounds refuse it
	}
	limits := terms.Numbers.Currencies[i]
	for _, check := range []func() error{
		func() error { return newBackerLimit(ctx, tx, w, c, limits) },
		func() error { return newDeveloperLimit(ctx, tx, w, c, limits.NewDeveloperMaximum) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// reached refuses what would bring a sum above its limit.
func reached(sum int64, value money.Money, limit int64, format string, args ...any) error {
	if sum <= limit && value.Amount <= limit-sum {
		return nil
	}
	left := money.Money{Amount: max(0, limit-sum), Currency: value.Currency}
	return refuse(LimitReached, "%s %s of %s are left.", fmt.Sprintf(format, args...), left, money.Money{Amount: limit, Currency: value.Currency})
}

// newBackerLimit bounds what somebody may have at stake of whom nothing was ever released,
// and what all such backers may have in one campaign.
func newBackerLimit(ctx context.Context, q sqlite.Querier, w wish, c campaign.Campaign, limits stratos.EscrowTerms_Currency) error {
	if limits.NewBackerMaximum == nil && limits.NewBackersMaximum == nil {
		return nil
	}
	known, err := proven(ctx, q, w.Payer)
	if err != nil || known {
		return err
	}
	if limits.NewBackerMaximum != nil {
		sum, err := atStakeOf(ctx, q, w.Payer, w.Value.Currency)
		if err != nil {
			return err
		}
		if err := reached(sum, w.Value, *limits.NewBackerMaximum, "Until a pledge of yours was released once, the terms limit what you can have pledged at the same time."); err != nil {
			return err
		}
	}
	if limits.NewBackersMaximum == nil {
		return nil
	}
	sum, err := atStakeOfNewBackers(ctx, q, c, w.Value.Currency)
	if err != nil {
		return err
	}
	return reached(sum, w.Value, *limits.NewBackersMaximum, "The terms limit what backers without a released pledge can pledge to one campaign together.")
}

// newDeveloperLimit bounds what may be at stake for somebody who has not completed an
// attempt: for the author and for each payee.
func newDeveloperLimit(ctx context.Context, q sqlite.Querier, w wish, c campaign.Campaign, limit *int64) error {
	if limit == nil {
		return nil
	}
	people := []syntax.DID{c.Author}
	for _, p := range c.Payees {
		if p.DID != c.Author {
			people = append(people, p.DID)
		}
	}
	for _, did := range people {
		done, err := completed(ctx, q, did)
		if err != nil {
			return err
		}
		if done {
			continue
		}
		sum, err := atStakeFor(ctx, q, did, w.Value.Currency)
		if err != nil {
			return err
		}
		if err := reached(sum, w.Value, *limit, "Until %s has completed an attempt, the terms limit what can be pledged to their work.", did); err != nil {
			return err
		}
	}
	return nil
}

// withdrawalsLeft wants somebody not to have taken back, or to be able to take back, more
// pledges within a month than the terms allow.
func withdrawalsLeft(ctx context.Context, q sqlite.Querier, payer syntax.DID, now time.Time, most int64) error {
	var taken, possible int64
	err := q.QueryRowContext(ctx, `
		SELECT count(*) FROM hold
		JOIN exit ON exit.hold = hold.id AND exit.reason = 'withdrawn'
		JOIN entry ON entry.sequence = exit.entry
		WHERE hold.pledge >= $1 AND hold.pledge < $2 AND entry.at > $3`, append(recordsOf(payer), now.Add(-month).UnixMilli())...).Scan(&taken)
	if err != nil {
		return fmt.Errorf("checkout: count what %s has taken back: %w", payer, err)
	}
	err = q.QueryRowContext(ctx, `
		SELECT count(*) FROM hold
		JOIN campaign ON campaign.attempt = hold.attempt AND campaign.phase = 'open'
		LEFT JOIN exit ON exit.hold = hold.id
		WHERE hold.pledge >= $1 AND hold.pledge < $2 AND hold.state <> 'voided' AND exit.hold IS NULL`, recordsOf(payer)...).Scan(&possible)
	if err != nil {
		return fmt.Errorf("checkout: count what %s may take back: %w", payer, err)
	}
	if taken+possible < most {
		return nil
	}
	return refuse(LimitReached, "The terms allow to take back %d pledges within 30 days. You took back %d, and %d more could be.", most, taken, possible)
}

// recordsOf bounds the uris of an account's records.
func recordsOf(did syntax.DID) []any {
	return []any{"at://" + did.String() + "/", "at://" + did.String() + "0"} // 0 follows /
}

// proven tells whether a pledge of somebody was released, and no bank took it back.
func proven(ctx context.Context, q sqlite.Querier, payer syntax.DID) (yes bool, err error) {
	err = q.QueryRowContext(ctx, `
		SELECT EXISTS (
			SELECT 1 FROM change WHERE status = 'released' AND pledge >= $1 AND pledge < $2
			AND NOT EXISTS (SELECT 1 FROM change AS later WHERE later.pledge = change.pledge AND later.n > change.n))`,
		recordsOf(payer)...).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("checkout: look for a released pledge of %s: %w", payer, err)
	}
	return yes, nil
}

// completed tells whether somebody has brought an attempt to its release, as author or
// payee.
func completed(ctx context.Context, q sqlite.Querier, did syntax.DID) (yes bool, err error) {
	err = q.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM campaign WHERE author = $1 AND phase = 'released')
			OR EXISTS (SELECT 1 FROM campaign_payee JOIN campaign USING (attempt) WHERE payee = $1 AND phase = 'released')`, did).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("checkout: look for a completed attempt of %s: %w", did, err)
	}
	return yes, nil
}

// A hold is at stake while it may be charged, is held, or is on its way to the payees. A
// bank can ask for it later as well, but by then it was released.

// atStakeOf adds up what somebody has at stake in all campaigns.
func atStakeOf(ctx context.Context, q sqlite.Querier, payer syntax.DID, currency money.Currency) (sum int64, err error) {
	err = q.QueryRowContext(ctx, `
		SELECT coalesce(sum(hold.amount), 0) FROM hold LEFT JOIN exit ON exit.hold = hold.id
		WHERE hold.pledge >= $1 AND hold.pledge < $2 AND hold.currency = $3 AND hold.state <> 'voided'
			AND (exit.hold IS NULL OR exit.outcome = 'settlement')`, append(recordsOf(payer), currency)...).Scan(&sum)
	if err != nil {
		return 0, fmt.Errorf("checkout: add up what %s has at stake: %w", payer, err)
	}
	return sum, nil
}

// atStakeOfNewBackers adds up what backers without a released pledge have in a campaign.
func atStakeOfNewBackers(ctx context.Context, q sqlite.Querier, c campaign.Campaign, currency money.Currency) (sum int64, err error) {
	err = q.QueryRowContext(ctx, `
		WITH backer AS (
			SELECT substr(hold.pledge, 1, 5 + instr(substr(hold.pledge, 6), '/')) AS prefix, sum(hold.amount) AS amount
			FROM hold LEFT JOIN exit ON exit.hold = hold.id
			WHERE hold.attempt = $1 AND hold.currency = $2 AND hold.state <> 'voided' AND (exit.hold IS NULL OR exit.outcome = 'settlement')
			GROUP BY prefix)
		SELECT coalesce(sum(amount), 0) FROM backer
		WHERE NOT EXISTS (
			SELECT 1 FROM change
			WHERE status = 'released' AND pledge >= prefix AND pledge < substr(prefix, 1, length(prefix) - 1) || '0'
			AND NOT EXISTS (SELECT 1 FROM change AS later WHERE later.pledge = change.pledge AND later.n > change.n))`,
		c.Attempt, currency).Scan(&sum)
	if err != nil {
		return 0, fmt.Errorf("checkout: add up what new backers have in %s: %w", c.Attempt, err)
	}
	return sum, nil
}

// atStakeFor adds up what is at stake for somebody's attempts, as author or payee.
func atStakeFor(ctx context.Context, q sqlite.Querier, did syntax.DID, currency money.Currency) (sum int64, err error) {
	err = q.QueryRowContext(ctx, `
		SELECT coalesce(sum(hold.amount), 0) FROM hold LEFT JOIN exit ON exit.hold = hold.id
		WHERE hold.attempt IN (SELECT attempt FROM campaign WHERE author = $1 UNION SELECT attempt FROM campaign_payee WHERE payee = $1)
			AND hold.currency = $2 AND hold.state <> 'voided' AND (exit.hold IS NULL OR exit.outcome = 'settlement')`,
		did, currency).Scan(&sum)
	if err != nil {
		return 0, fmt.Errorf("checkout: add up what is at stake for %s: %w", did, err)
	}
	return sum, nil
}
