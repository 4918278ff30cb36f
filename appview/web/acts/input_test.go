package acts

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

func typed(field, value string) *input {
	return &input{values: url.Values{field: {value}}, problems: map[string]string{}}
}

func TestAmountsAreReadAsPeopleWriteThem(t *testing.T) {
	for _, c := range []struct {
		text     string
		currency money.Currency
		want     int64
	}{
		{"25", "USD", 2500},
		{"25.5", "USD", 2550},
		{"25,50", "EUR", 2550},
		{" 0.01 ", "USD", 1},
		{"3500", "JPY", 3500},
		{"1.234", "KWD", 1234},
	} {
		in := typed("a", c.text)
		if got := in.money("a", c.currency); got != c.want || !in.ok() {
			t.Errorf("%s %s is %d, %v; want %d", c.currency, c.text, got, in.problems, c.want)
		}
	}
	for _, c := range []struct {
		text     string
		currency money.Currency
	}{
		{"", "USD"}, {"0", "USD"}, {"0.00", "USD"}, {"-5", "USD"}, {"+5", "USD"}, {"1,000", "USD"}, {"1.000,50", "USD"}, {"1'000", "USD"},
		{"1 000", "USD"}, {".50", "USD"}, {"5.", "USD"}, {"1.5", "JPY"}, {"$5", "USD"}, {"1e3", "USD"}, {"five", "USD"}, {"99999999999999999999", "USD"}, {"٥", "USD"},
	} {
		in := typed("a", c.text)
		if got := in.money("a", c.currency); in.ok() {
			t.Errorf("%s %q is taken as %d", c.currency, c.text, got)
		}
	}
}

func FuzzParseAmount(f *testing.F) {
	f.Add("25.50")
	f.Add("1,000")
	f.Fuzz(func(t *testing.T, text string) {
		minor, problem := parseAmount(text, "USD")
		if problem != "" || text == "" {
			return
		}
		if minor <= 0 {
			t.Fatalf("%q is %d", text, minor)
		}
		again, problem := parseAmount(amountDigits(money.Money{Amount: minor, Currency: "USD"}), "USD")
		if problem != "" || again != minor {
			t.Errorf("%q is %d, and written again %d, %s", text, minor, again, problem)
		}
	})
}

func TestLinesAndWordsAreReadWithoutWhatIsAroundThem(t *testing.T) {
	if diff := cmp.Diff([]string{"a b", "c"}, typed("x", " a b \r\n\r\nc").lines("x")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"maps", "night sky"}, typed("x", "#maps,, night sky ,").words("x")); diff != "" {
		t.Error(diff)
	}
	if got := typed("x", " \r\n ").maybe("x"); got != nil {
		t.Errorf("nothing is %q", *got)
	}
}

func TestSharesOfPayeesLeaveTheRestToTheAuthor(t *testing.T) {
	const author, other, third = "did:plc:author", "did:plc:other", "did:plc:third"
	for _, c := range []struct {
		text string
		want []stratos.WorkDevelopment_Payee
	}{
		{"", nil},
		{other + " 40", []stratos.WorkDevelopment_Payee{{Did: other, Share: 4000}, {Did: author, Share: 6000}}},
		{other + " 40%\n" + third + " 60", []stratos.WorkDevelopment_Payee{{Did: other, Share: 4000}, {Did: third, Share: 6000}}},
	} {
		in := typed("p", c.text)
		if diff := cmp.Diff(c.want, in.payees("p", author)); diff != "" || !in.ok() {
			t.Errorf("%q: %s %v", c.text, diff, in.problems)
		}
	}
	for _, wrong := range []string{other, other + " 0", other + " 100", other + " half", "other 40", author + " 40", other + " 60\n" + third + " 60"} {
		in := typed("p", wrong)
		if got := in.payees("p", author); in.ok() {
			t.Errorf("%q is taken as %v", wrong, got)
		}
	}
}

func TestAProposalIsNamedByItsPageOrItsRecord(t *testing.T) {
	const want = "at://ana.test/fund.stratos.feature.proposal/3kabcdefghijk"
	for _, text := range []string{want, "https://fund.example/p/ana.test/3kabcdefghijk", "/p/ana.test/3kabcdefghijk"} {
		in := typed("d", text)
		if got := in.proposal("d"); got == nil || *got != want {
			t.Errorf("%q is %v, %v", text, got, in.problems)
		}
	}
	for _, wrong := range []string{"https://fund.example/", "at://ana.test/fund.stratos.feature.pledge/3kabcdefghijk", "3kabcdefghijk"} {
		if in := typed("d", wrong); in.proposal("d") != nil || in.ok() {
			t.Errorf("%q is taken", wrong)
		}
	}
}

func TestWhatWasTypedIsShownAgainWithWhatIsWrong(t *testing.T) {
	in := typed("a", "much")
	in.values.Set("c", "EUR")
	in.bad("a", "Write digits.")
	in.bad("a", "Something else.")
	form := Form{Fields: []Field{{Name: "a", Value: "5"}, {Name: "c", Kind: Choose, Choices: []Choice{{Value: "USD", Chosen: true}, {Value: "EUR"}}}}}
	got := form.filled(in)
	want := []Field{{Name: "a", Value: "much", Problem: "Write digits."}, {Name: "c", Kind: Choose, Value: "EUR", Choices: []Choice{{Value: "USD"}, {Value: "EUR", Chosen: true}}}}
	if diff := cmp.Diff(want, got.Fields); diff != "" {
		t.Error(diff)
	}
	if form.Fields[0].Value != "5" || !form.Fields[1].Choices[0].Chosen {
		t.Error("filling a form in changes the one that it was made of")
	}
	if again := got.signInAgain("backing"); !strings.HasPrefix(again.SignIn, "/sign-in?") || len(again.Fields) != 2 {
		t.Errorf("for who is signed out it is %+v", again)
	}
}
