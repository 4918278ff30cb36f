package lexicons

import (
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func checkReceipt(at origin, r *stratos.EscrowReceipt) error {
	err := first(
		refersTo("subject", r.Subject, CollectionPledge, CollectionDonation),
		checkDerivedKey(at, r.Subject.Uri),
		refersTo("development", r.Development, CollectionDevelopment),
		refersHome(at, "terms", r.Terms, CollectionTerms),
		knownCurrency("value", r.Value.Currency),
		checkFee(r.Fee, r.Value),
		checkHistory(r),
	)
	if err != nil {
		return err
	}
	if author := authorOf(r.Subject); author.String() != r.Payer {
		return reject(ReasonPayer, "payer %s did not write %s", r.Payer, r.Subject.Uri)
	}
	return nil
}

func checkFee(fee *stratos.Defs_Total, value stratos.Defs_Money) error {
	if fee == nil {
		return nil
	}
	if err := sameCurrency("fee", fee.Currency, value.Currency); err != nil {
		return err
	}
	if fee.Amount > value.Amount {
		return reject(ReasonAmount, "a fee of %d of %d", fee.Amount, value.Amount)
	}
	return nil
}

// checkHistory wants the history to lead to the status, without going back in time.
// Several changes may share a moment.
func checkHistory(r *stratos.EscrowReceipt) error {
	last := r.History[len(r.History)-1]
	if last.Status != r.Status {
		return reject(ReasonHistory, "ends with %s instead of %s", last.Status, r.Status)
	}
	for i := 1; i < len(r.History); i++ {
		before, err := parseTime(r.History[i-1].At)
		if err != nil {
			return reject(ReasonDatetime, "history: %v", err)
		}
		at, err := parseTime(r.History[i].At)
		if err != nil {
			return reject(ReasonDatetime, "history: %v", err)
		}
		if at.Before(before) {
			return reject(ReasonHistory, "%s comes after %s", r.History[i].At, r.History[i-1].At)
		}
	}
	return nil
}
