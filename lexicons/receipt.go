package lexicons

import (
	comatproto "github.com/bluesky-social/indigo/api/atproto"

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
		optionalProposal(r.Proposal),
	)
	if err != nil {
		return err
	}
	if author := authorOf(r.Subject); author.String() != r.Payer {
		return reject(ReasonPayer, "payer %s did not write %s", r.Payer, r.Subject.Uri)
	}
	return nil
}

func optionalProposal(ref *comatproto.RepoStrongRef) error {
	if ref == nil {
		return nil
	}
	return refersTo("proposal", *ref, CollectionProposal)
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
func checkHistory(r *stratos.EscrowReceipt) error {
	last := r.History[len(r.History)-1]
	if last.Status != r.Status {
		return reject(ReasonHistory, "ends with %s instead of %s", last.Status, r.Status)
	}
	times := make([]string, 0, len(r.History))
	for _, change := range r.History {
		times = append(times, change.At)
	}
	return notBackwards(ReasonHistory, "history", times...)
}
