package acts

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// maxForm is how much a form can be, in bytes: the longest texts that a record takes, with
// each byte escaped.
const maxForm = 256 << 10

// momentFormat is how browsers send a moment.
const momentFormat = "2006-01-02T15:04"

// input is what somebody typed, and what is wrong with it.
type input struct {
	values   url.Values
	problems map[string]string
}

// readInput takes a form.
func readInput(w http.ResponseWriter, r *http.Request) (*input, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	return &input{values: r.PostForm, problems: map[string]string{}}, nil
}

// bad notes what is wrong with a field; the first thing counts.
func (in *input) bad(field, sentence string) {
	if in.problems[field] == "" {
		in.problems[field] = sentence
	}
}

func (in *input) ok() bool { return len(in.problems) == 0 }

// maybe returns a text, nil for none. Browsers end lines with two characters.
func (in *input) maybe(field string) *string {
	text := strings.TrimSpace(strings.ReplaceAll(in.values.Get(field), "\r\n", "\n"))
	if text == "" {
		return nil
	}
	return &text
}

// text returns a text that has to be there.
func (in *input) text(field string) string {
	text := in.maybe(field)
	if text == nil {
		in.bad(field, "This has to be filled in.")
		return ""
	}
	return *text
}

// choice returns one of those on offer.
func (in *input) choice(field string, offered []Choice) string {
	for _, c := range offered {
		if c.Value == in.values.Get(field) {
			return c.Value
		}
	}
	in.bad(field, "Choose one of these.")
	return ""
}

// checked tells whether a box was ticked.
func (in *input) checked(field string) bool { return in.values.Has(field) }

// money returns an amount in minor units of a currency.
func (in *input) money(field string, currency money.Currency) int64 {
	minor, problem := parseAmount(in.text(field), currency)
	if problem != "" {
		in.bad(field, problem)
	}
	return minor
}

// moment returns a time, in UTC as the field says.
func (in *input) moment(field string) time.Time {
	at, err := time.Parse(momentFormat, in.text(field))
	if err != nil {
		in.bad(field, "Write a date and a time, such as 2030-06-01T12:00.")
	}
	return at.UTC()
}

// lines returns one entry a line.
func (in *input) lines(field string) []string {
	var out []string
	for line := range strings.Lines(strings.ReplaceAll(in.values.Get(field), "\r\n", "\n")) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// words returns what is between commas.
func (in *input) words(field string) []string {
	var out []string
	for word := range strings.SplitSeq(in.values.Get(field), ",") {
		if word = strings.TrimPrefix(strings.TrimSpace(word), "#"); word != "" {
			out = append(out, word)
		}
	}
	return out
}

// parseAmount reads an amount as people write it: 25, 25.00 or 25,00. Signs that separate
// thousands are refused, since they mean something else elsewhere.
func parseAmount(text string, currency money.Currency) (minor int64, problem string) {
	if text == "" {
		return 0, ""
	}
	digits := currency.Exponent()
	whole, cents, has := strings.Cut(strings.Replace(text, ",", ".", 1), ".")
	if has && (cents == "" || len(cents) > digits) || whole == "" {
		return 0, wrongAmount(currency)
	}
	cents += strings.Repeat("0", digits-len(cents))
	minor, err := strconv.ParseInt(whole+cents, 10, 64)
	if err != nil || strings.ContainsAny(whole+cents, "+-") {
		return 0, wrongAmount(currency)
	}
	if minor == 0 {
		return 0, "An amount has to be more than nothing."
	}
	return minor, ""
}

func wrongAmount(currency money.Currency) string {
	if currency.Exponent() == 0 {
		return "Write the amount in digits, such as 1500."
	}
	return "Write the amount in digits, such as 1500 or 1500.50, without signs between thousands."
}

// amountDigits is an amount without its currency.
func amountDigits(m money.Money) string {
	_, digits, _ := strings.Cut(m.String(), " ")
	return digits
}

// stamp writes a time as records have it.
func stamp(t time.Time) string { return t.UTC().Format(syntax.AtprotoDatetimeLayout) }
