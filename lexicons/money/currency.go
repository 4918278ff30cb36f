package money

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/text/currency"
)

// ErrCurrency says that a code is not that of a currency in use. Whoever sent the
// code has to send another one.
var ErrCurrency = errors.New("money: unknown currency")

// Currency is the ISO 4217 code of a currency in use: three upper-case letters.
type Currency string

// exponents lists the currencies whose minor unit is not a hundredth, from ISO 4217.
// CLDR, which golang.org/x/text follows, has other numbers for display (PKR without
// digits, for one): reading 2500 minor units with them would be wrong by a factor of
// a hundred.
var exponents = map[Currency]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0,
	"PYG": 0, "RWF": 0, "UGX": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}

// tender holds the currencies that are legal tender somewhere today. The ISO list
// also has metals, testing codes and currencies that ended.
var tender = sync.OnceValue(func() map[Currency]bool {
	codes := make(map[Currency]bool)
	for it := currency.Query(); it.Next(); {
		codes[Currency(it.Unit().String())] = true
	}
	return codes
})

// ParseCurrency returns the currency with this code, or an error that wraps
// ErrCurrency. Lower case is refused: a record says USD in one way only.
func ParseCurrency(code string) (Currency, error) {
	c := Currency(code)
	if !tender()[c] {
		return "", fmt.Errorf("%w: %.16q", ErrCurrency, code)
	}
	return c, nil
}

// Exponent returns how many decimal digits the minor unit stands behind the major
// one: 2 for USD, 0 for JPY, 3 for KWD.
func (c Currency) Exponent() int {
	if e, ok := exponents[c]; ok {
		return e
	}
	return 2
}

func (c Currency) String() string { return string(c) }
