package lexicons

import (
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func checkStatement(at origin, r *stratos.EscrowStatement) error {
	for _, owed := range r.Owed {
		err := first(
			pointsTo("owed", owed.Development, CollectionDevelopment),
			knownCurrency("owed", owed.Currency),
		)
		if err != nil {
			return err
		}
	}
	for _, code := range statementCurrencies(r) {
		if err := knownCurrency("statement", code); err != nil {
			return err
		}
	}
	if r.Prev != nil {
		if err := refersHome(at, "prev", *r.Prev, CollectionStatement); err != nil {
			return err
		}
	}
	return first(
		hexOf("root", r.Root, sha256Hex),
		hexOf("ledgerHead", r.LedgerHead.Hash, sha256Hex),
	)
}

// statementCurrencies collects the currencies beside those of owed.
func statementCurrencies(r *stratos.EscrowStatement) []string {
	var codes []string
	for _, totals := range [][]stratos.Defs_Total{r.Released, r.Refunded, r.Unreceipted} {
		for _, t := range totals {
			codes = append(codes, t.Currency)
		}
	}
	balances := [][]stratos.Defs_Balance{r.Float}
	if r.Processor != nil {
		balances = append(balances, r.Processor.Available, r.Processor.Pending, r.Processor.Reserved)
	}
	for _, list := range balances {
		for _, b := range list {
			codes = append(codes, b.Currency)
		}
	}
	for _, u := range r.Unmatched {
		codes = append(codes, u.Currency)
	}
	return codes
}
