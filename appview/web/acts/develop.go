package acts

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// The fields of work.
const (
	fieldTitle    = "title"
	fieldSummary  = "summary"
	fieldGoal     = "goal"
	fieldEscrow   = "escrow"
	fieldPayees   = "payees"
	fieldExpected = "expected"
)

// wholeShare is all of it in basis points, and percent how many of them make one in a
// hundred.
const (
	wholeShare = 10_000
	percent    = 100
)

var develop = act{act: lifecycle.ActDevelop, purpose: session.Building,
	form: func(p *place) Form {
		return Form{
			Title: "Start to build it",
			Lead: []string{
				"Build it in a private branch or repository. What is public already, nobody has to pay for: you release the code when it is paid for.",
				"People go on estimating, and may donate. When you have something to show, you announce a preview, and pledging begins.",
			},
			Fields: p.workFields(),
			Button: "Sign, and start",
		}
	},
	read: func(p *place, in *input) change { return change{record: p.workIn(in)} },
}

// revise changes what was announced, until an escrow freezes it.
var revise = act{act: web.ActRevise, purpose: session.Building,
	may: func(p *place) string {
		switch own := p.own(); {
		case own == nil || own.Record == nil:
			return "You have started nothing here that goes on."
		case own.Campaign != nil:
			return "The preview has opened, and what was agreed is frozen."
		}
		return ""
	},
	form: func(p *place) Form {
		form := Form{
			Title:  "Change what you announced",
			Lead:   []string{"You can change it until the preview opens. Then the escrow freezes what it finds. Those who agreed to be paid should know of it."},
			Fields: p.workFields(), Button: "Sign the change",
		}
		was, ok := p.ownWork()
		if !ok {
			return form
		}
		values := url.Values{
			fieldTitle: {was.Title}, fieldSummary: {was.Summary}, fieldCurrency: {was.Currency}, fieldEscrow: {was.Escrow},
			fieldPayees: {payeeLines(was.Payees, p.visitor.DID)},
		}
		if was.Goal != nil {
			values.Set(fieldGoal, amountDigits(money.Money{Amount: was.Goal.Amount, Currency: money.Currency(was.Goal.Currency)}))
		}
		if was.ExpectedAt != nil {
			values.Set(fieldExpected, momentText(*was.ExpectedAt))
		}
		return form.filled(&input{values: values})
	},
	read: func(p *place, in *input) change {
		record := p.workIn(in)
		if was, ok := p.ownWork(); ok {
			record.CreatedAt, record.Donations = was.CreatedAt, was.Donations // which the form does not ask for
			if lines := payeeLines(was.Payees, p.visitor.DID); strings.Join(in.lines(fieldPayees), "\n") == lines {
				record.Payees = was.Payees // whose shares may be finer than the form has them
			}
		}
		return p.beside(record, func(v *stratos.FeatureDefs_AttemptView) *stratos.FeatureDefs_RecordView {
			return &stratos.FeatureDefs_RecordView{Uri: v.Uri, Cid: v.Cid}
		})
	},
}

// ownWork is the development that the visitor leads, as it is.
func (p *place) ownWork() (was stratos.WorkDevelopment, ok bool) {
	own := p.own()
	if own == nil || own.Record == nil || json.Unmarshal(*own.Record, &was) != nil {
		return was, false
	}
	return was, true
}

// workFields ask what is to be built, and who is paid.
func (p *place) workFields() []Field {
	return []Field{
		{Name: fieldTitle, Label: "The work in a few words", Kind: Text, Value: p.proposal.Title, Most: longest(lexicons.CollectionDevelopment, "title"), Spelling: true},
		{Name: fieldSummary, Label: "What you will deliver", Kind: Long, Most: longest(lexicons.CollectionDevelopment, "summary"), Spelling: true},
		{Name: fieldCurrency, Label: "Currency", Hint: "Of pledges and of the payout.", Kind: Choose, Choices: currencyChoices()},
		{Name: fieldGoal, Label: "Goal", Hint: "What you think the work costs. It decides nothing; you do, when pledging has closed.", Kind: Amount, Optional: true},
		{Name: fieldEscrow, Label: "Who holds the money", Hint: "An escrow that this service trusts.", Kind: Choose, Choices: p.escrows},
		{Name: fieldPayees, Label: "Who else is paid", Hint: "One a line: a DID and a percentage, such as did:plc:... 40. The rest is yours. Each of them has to agree before the preview opens.", Kind: Long, Optional: true},
		{Name: fieldExpected, Label: "When you expect to show a preview (UTC)", Kind: Moment, Optional: true},
	}
}

// payeeLines writes who is paid beside the author, as the field has it.
func payeeLines(payees []stratos.WorkDevelopment_Payee, author syntax.DID) string {
	var out []string
	for _, p := range payees {
		if p.Did != author.String() {
			out = append(out, p.Did+" "+strconv.FormatInt(p.Share/percent, 10))
		}
	}
	return strings.Join(out, "\n")
}

// workIn reads what is to be built.
func (p *place) workIn(in *input) *stratos.WorkDevelopment {
	currency := money.Currency(in.choice(fieldCurrency, currencyChoices()))
	record := &stratos.WorkDevelopment{
		LexiconTypeID: lexicons.CollectionDevelopment.String(), Proposal: p.ref(), CreatedAt: stamp(p.now),
		Title: in.text(fieldTitle), Summary: in.text(fieldSummary), Currency: currency.String(),
		Escrow: in.choice(fieldEscrow, p.escrows), Payees: in.payees(fieldPayees, p.visitor.DID),
	}
	if in.maybe(fieldGoal) != nil {
		record.Goal = &stratos.Defs_Money{Amount: in.money(fieldGoal, currency), Currency: currency.String()}
	}
	if in.maybe(fieldExpected) != nil {
		at := stamp(in.moment(fieldExpected))
		record.ExpectedAt = &at
	}
	if p.Project != nil {
		record.Project = &p.Project.Uri
	}
	return record
}

func currencyChoices() []Choice {
	var out []Choice
	for _, c := range lifecycle.CountedCurrencies() {
		out = append(out, Choice{Value: c.String(), Name: c.String(), Chosen: c == defaultCurrency})
	}
	return out
}

// payees reads who is paid beside the author; nil when the author gets all.
func (in *input) payees(field string, author syntax.DID) []stratos.WorkDevelopment_Payee {
	left := int64(wholeShare)
	var out []stratos.WorkDevelopment_Payee
	for _, line := range in.lines(field) {
		who, share, _ := strings.Cut(line, " ")
		did, err := syntax.ParseDID(who)
		points, shareErr := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(share), "%"), 10, 64)
		if err != nil || shareErr != nil || points <= 0 || points >= percent || did == author {
			in.bad(field, "Write a DID of somebody else and whole percents on each line. This is neither: "+line)
			return nil
		}
		left -= points * percent
		out = append(out, stratos.WorkDevelopment_Payee{Did: did.String(), Share: points * percent})
	}
	if len(out) == 0 {
		return nil
	}
	if left < 0 {
		in.bad(field, "That is more than all of it.")
		return nil
	}
	if left > 0 {
		out = append(out, stratos.WorkDevelopment_Payee{Did: author.String(), Share: left})
	}
	return out
}

// escrowChoices are the escrows that the operator trusts, by what they call themselves.
func (a *Acts) escrowChoices(ctx context.Context) []Choice {
	var out []Choice
	for _, did := range a.opts.Escrows {
		choice := Choice{Value: did.String(), Name: did.String(), Chosen: len(out) == 0}
		found, err := a.opts.Queries.Record(ctx, serviceOf(did.String()))
		var service stratos.EscrowService
		if err == nil && json.Unmarshal(found.Record, &service) == nil && service.Name != "" {
			choice.Name = service.Name
		}
		out = append(out, choice)
	}
	return out
}

var consent = act{act: lifecycle.ActConsent, purpose: session.Building,
	form: func(p *place) Form {
		part := "a part"
		if p.Attempt != nil && p.visitor != nil {
			if own := shareOf(p.Attempt.Payees, p.visitor.DID); own != nil {
				part = web.Share(own.Share)
			}
		}
		return Form{
			Title: "Agree to be a payee",
			Lead: []string{
				"The developer names you as one who gets " + part + " of what is paid, after the escrow's fee. If you agree, it goes to the payment account that you set up with the escrow.",
				"Your agreement is for this version of the work. Whoever leads it cannot change your part once the preview has opened.",
			},
			Button: "Sign that you agree",
		}
	},
	read: func(p *place, _ *input) change {
		return change{record: &stratos.WorkConsent{
			LexiconTypeID: lexicons.CollectionConsent.String(), Development: p.attemptRef(), CreatedAt: stamp(p.now),
		}}
	},
}
