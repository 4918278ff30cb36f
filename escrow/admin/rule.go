package admin

import (
	"context"
	"errors"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/xrpc"
)

// RuleInput asks for a ruling on a dispute.
type RuleInput struct {
	Dispute syntax.ATURI      `json:"dispute"`
	Outcome lifecycle.Outcome `json:"outcome"`
	// Rationale is published with the ruling, in Markdown.
	Rationale string `json:"rationale"`
}

// maxRationale is how many characters a ruling holds.
const maxRationale = 2000

func (p Parts) rule(ctx context.Context, in RuleInput) (Answer, error) {
	switch {
	case in.Outcome != lifecycle.OutcomeUpheld && in.Outcome != lifecycle.OutcomeRejected:
		return Answer{}, refuse("A dispute is upheld or rejected, and not %q.", in.Outcome)
	case strings.TrimSpace(in.Rationale) == "":
		return Answer{}, refuse("Say why (--rationale): it is published with the ruling.")
	case len([]rune(in.Rationale)) > maxRationale:
		return Answer{}, refuse("The rationale is longer than %d characters.", maxRationale)
	}
	sentence, err := p.Rule(ctx, in)
	if refusal, ok := errors.AsType[*xrpc.Error](err); ok {
		return Answer{}, refuse("%s (%s).", refusal.Message, refusal.Name)
	}
	return Answer{Sentence: sentence}, err
}
