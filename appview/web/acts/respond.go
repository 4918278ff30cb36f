package acts

import (
	"net/url"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const (
	fieldAnswer    = "answer"
	fieldDuplicate = "duplicate"
)

// answerDuplicate is the answer that names another proposal.
const answerDuplicate = "duplicate"

var answerChoices = []Choice{
	{Value: "planned", Name: "Planned: it will be built, some day"},
	{Value: "declined", Name: "Declined: it will not be built"},
	{Value: answerDuplicate, Name: "A duplicate of another proposal"},
}

var respond = act{act: lifecycle.ActRespond, purpose: session.Building,
	form: func(*place) Form {
		return Form{
			Title: "Answer the proposal",
			Lead:  []string{"Your newest answer stands, and you can change it any time. To build it, start a development instead."},
			Fields: []Field{
				{Name: fieldAnswer, Label: "Your answer", Kind: Choose, Choices: answerChoices},
				{Name: fieldDuplicate, Label: "The other proposal", Hint: "Its address on this site, or its at:// address. Only for a duplicate.", Kind: Text, Optional: true},
				{Name: fieldStatement, Label: "Your reasons", Kind: Long, Optional: true, Most: longest(lexicons.CollectionResponse, "statement"), Spelling: true},
			},
			Button: "Sign the answer",
		}
	},
	read: func(p *place, in *input) change {
		record := &stratos.WorkResponse{
			LexiconTypeID: lexicons.CollectionResponse.String(), Proposal: p.ref(), CreatedAt: stamp(p.now),
			Answer: in.choice(fieldAnswer, answerChoices), Statement: in.maybe(fieldStatement),
		}
		if record.Answer == answerDuplicate {
			record.DuplicateOf = in.proposal(fieldDuplicate)
		}
		return change{record: record}
	},
}

// proposal returns the at-uri of a proposal that somebody named by its page or record.
func (in *input) proposal(field string) *string {
	text := in.text(field)
	if page, err := url.Parse(text); err == nil && strings.HasPrefix(page.Path, "/p/") {
		if parts := strings.Split(strings.TrimPrefix(page.Path, "/p/"), "/"); len(parts) == 2 {
			text = "at://" + parts[0] + "/" + lexicons.CollectionProposal.String() + "/" + parts[1]
		}
	}
	uri, err := syntax.ParseATURI(text)
	if err != nil || uri.Collection() != lexicons.CollectionProposal {
		in.bad(field, "This is no proposal's address.")
		return nil
	}
	found := uri.String()
	return &found
}
