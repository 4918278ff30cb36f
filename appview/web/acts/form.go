package acts

import (
	"slices"

	"github.com/stratosfund/stratosfund/appview/web/session"
)

// The pages that Options.Render is asked for, by the names of their data.
const (
	PageForm    = "form"
	PageRefused = "refused"
	PageWritten = "written"
	PagePayment = "payment"
	PageMe      = "me"
	PageSimilar = "similar"
	PagePayout  = "payout"
	PageWork    = "work"
)

// Form is a page that asks for something.
type Form struct {
	Title string
	About *Link    // what it is about
	Lead  []string // what one should know before
	// Public is what becomes public for good, empty for nothing beyond the record.
	Public string
	// Notice says why the form is back; empty the first time.
	Notice string
	// SignIn is where to sign in again, in another tab, without losing what was typed.
	SignIn string
	Fields []Field
	Hidden []Hidden
	// Beside names a part of the page that comes with the form: PageSimilar.
	Beside  string
	Similar Similar
	Action  string
	Button  string
	Danger  bool
}

// Link is one that a page names.
type Link struct{ Name, Path string }

// Hidden is what a form carries along.
type Hidden struct{ Name, Value string }

// Kind is how a field is filled in.
type Kind string

// The kinds of fields.
const (
	Text   Kind = "text"
	URL    Kind = "url"
	Long   Kind = "long"  // Markdown
	Amount Kind = "money" // major units, with the currency before
	Moment Kind = "date"  // UTC
	Choose Kind = "choose"
	Check  Kind = "check"
)

// Field is one of a form.
type Field struct {
	Name, Label string
	Hint        string
	Kind        Kind
	Value       string
	Problem     string
	Optional    bool
	Most        int    // characters; 0 for no bound
	Before      string // shown before the field, as a currency
	Choices     []Choice
	Spelling    bool // whether it is prose
}

// Choice is one of a field's.
type Choice struct {
	Value, Name string
	Chosen      bool
}

// filled puts what was typed into the fields, and what is wrong with it beside them.
func (f Form) filled(in *input) Form {
	fields := slices.Clone(f.Fields)
	for i := range fields {
		field := &fields[i]
		field.Value, field.Problem = in.values.Get(field.Name), in.problems[field.Name]
		field.Choices = slices.Clone(field.Choices)
		for j := range field.Choices {
			field.Choices[j].Chosen = field.Choices[j].Value == field.Value
		}
	}
	f.Fields = fields
	return f
}

// signInAgain is for somebody whose session has ended while they typed.
func (f Form) signInAgain(purpose session.Purpose) Form {
	f.Notice = "You are not signed in any more, so nothing was written. What you typed is still here: sign in again in another tab, then send this form once more."
	f.SignIn = session.LinkToSignIn(purpose, "/me")
	return f
}
