package web

import (
	"strings"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// symbols are those that mean one currency to everybody who reads this site.
var symbols = map[money.Currency]string{"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}

// Amount shows minor units of a currency to people: $1,250, €18.50, CHF 7.
func Amount(minor int64, currency string) string { return amount(minor, currency) }

func amount(minor int64, currency string) string {
	code := money.Currency(currency)
	_, digits, _ := strings.Cut(money.Money{Amount: minor, Currency: code}.String(), " ")
	whole, cents, _ := strings.Cut(digits, ".")
	whole, negative := strings.CutPrefix(whole, "-")
	number := grouped(whole)
	if strings.Trim(cents, "0") != "" {
		number += "." + cents
	}
	shown := plain(currency) + "\u00a0" + number
	if symbol, ok := symbols[code]; ok {
		shown = symbol + number
	}
	if negative {
		return "-" + shown
	}
	return shown
}

// grouped puts a comma before every three digits.
func grouped(whole string) string {
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return whole
}

// Share shows basis points as a percentage.
func Share(basisPoints int64) string { return share(basisPoints) }

// share shows basis points as a percentage: 500 are 5 %, 525 are 5.25 %.
func share(basisPoints int64) string {
	_, digits, _ := strings.Cut(money.Money{Amount: basisPoints, Currency: "USD"}.String(), " ")
	digits = strings.TrimSuffix(strings.TrimRight(digits, "0"), ".")
	return digits + "\u00a0%"
}
