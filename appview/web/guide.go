package web

import (
	"fmt"
	"net/http"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// guidePage is what the pages that explain need to know.
type guidePage struct {
	Caps   []string // up to what a newcomer's estimate counts
	Factor int64    // how much more whoever has paid may estimate
}

func (s *Site) about(w http.ResponseWriter, r *http.Request) error {
	return s.render(w, r, http.StatusOK, "about", head{Path: "/about", Description: "What StratosFund is, and why nobody has to trust it."}, nil)
}

func (s *Site) howItWorks(w http.ResponseWriter, r *http.Request) error {
	page, err := guide()
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "how-it-works", head{
		Path: "/how-it-works", Description: "From an idea to open source that is paid for: the stages, who does what, and where the money is.",
	}, page)
}

// guide asks the rules for the numbers, so that the text cannot say other ones.
func guide() (guidePage, error) {
	var page guidePage
	for _, currency := range lifecycle.CountedCurrencies() {
		base, ok := lifecycle.Cap(currency, 0)
		if !ok {
			return page, fmt.Errorf("web: there is no cap in %s", currency)
		}
		page.Caps = append(page.Caps, amount(base, currency.String()))
		large := money.Money{Amount: base, Currency: currency}
		double, _ := lifecycle.Cap(currency, large.Amount)
		page.Factor = double / base
	}
	return page, nil
}
