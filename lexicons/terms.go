package lexicons

import (
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const (
	day = 24 * 60 * 60 // seconds

	// holdMargin is kept free between the last possible decision and the final date,
	// so that a payout or refund that fails can be tried again in time.
	holdMargin = 7 * day
	// longestHold stays below the 90 days after which card processors make the
	// platform's balance theirs to decide on.
	longestHold = 80 * day
	// shortestPreview is how long people can look at something before they have paid
	// for it at least: what is bought with a stolen card is reported by then, or never
	// in time.
	shortestPreview = 3 * day
)

func checkTerms(_ origin, r *stratos.EscrowTerms) error {
	return first(
		checkBounds(r.Currencies),
		checkDurations(r),
		checkTestTerms(r),
		hexOf("textHash", r.TextHash, sha256Hex),
	)
}

func checkBounds(currencies []stratos.EscrowTerms_Currency) error {
	seen := make(map[string]bool, len(currencies))
	for _, c := range currencies {
		if err := knownCurrency("currencies", c.Currency); err != nil {
			return err
		}
		if seen[c.Currency] {
			return reject(ReasonCurrency, "currencies: %s twice", c.Currency)
		}
		seen[c.Currency] = true
		if c.Minimum > c.Maximum {
			return reject(ReasonAmount, "currencies: %s from %d to %d", c.Currency, c.Minimum, c.Maximum)
		}
		for _, limit := range []*int64{c.NewBackerMaximum, c.NewBackersMaximum, c.NewDeveloperMaximum} {
			if limit != nil && *limit < c.Minimum {
				return reject(ReasonAmount, "currencies: a limit of %d %s lets nobody pay the minimum of %d", *limit, c.Currency, c.Minimum)
			}
		}
	}
	return nil
}

// checkDurations wants everything that may happen to a campaign to fit before its
// final date. Test terms may run in minutes and need no margin.
func checkDurations(r *stratos.EscrowTerms) error {
	if r.PreviewSeconds.Minimum > r.PreviewSeconds.Maximum {
		return reject(ReasonTerms, "previewSeconds from %d to %d", r.PreviewSeconds.Minimum, r.PreviewSeconds.Maximum)
	}
	if r.RulingSeconds > r.DisputeReserveSeconds {
		return reject(ReasonTerms, "rulingSeconds %d exceed disputeReserveSeconds %d", r.RulingSeconds, r.DisputeReserveSeconds)
	}
	needed := r.PreviewSeconds.Maximum + r.ReleaseSeconds + r.VerificationSeconds + r.DisputeReserveSeconds
	if !isTest(r.Test) {
		needed += holdMargin
	}
	if needed > r.MaximumHoldSeconds {
		return reject(ReasonTerms, "%d seconds do not fit into maximumHoldSeconds %d", needed, r.MaximumHoldSeconds)
	}
	if r.MaximumHoldSeconds > longestHold {
		return reject(ReasonTerms, "maximumHoldSeconds %d exceed %d", r.MaximumHoldSeconds, longestHold)
	}
	return nil
}

// checkTestTerms keeps what is for test money from terms of real money.
func checkTestTerms(r *stratos.EscrowTerms) error {
	switch {
	case isTest(r.Test):
		return nil
	case r.PreviewSeconds.Minimum < shortestPreview:
		return reject(ReasonTerms, "previews of %d seconds are shorter than %d", r.PreviewSeconds.Minimum, shortestPreview)
	case r.CheckoutMarginSeconds != nil:
		return reject(ReasonTerms, "checkoutMarginSeconds is for test terms")
	}
	return nil
}

func isTest(test *bool) bool { return test != nil && *test }
