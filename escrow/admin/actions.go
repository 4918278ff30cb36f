package admin

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/journal"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// SyncInput asks for the lists since the last time, or all of them.
type SyncInput struct {
	Full bool `json:"full"`
}

func (p Parts) sync(ctx context.Context, in SyncInput) (Answer, error) {
	lists, err := p.Sync(ctx, in.Full)
	if err != nil {
		return Answer{}, err
	}
	noted := 0
	for _, l := range lists {
		noted += l.Noted
	}
	return Answer{Sentence: fmt.Sprintf("The processor's lists were read; %d objects are looked at now.", noted), Lists: lists}, nil
}

// ReconcileInput asks for nothing.
type ReconcileInput struct{}

func (p Parts) reconcile(ctx context.Context, _ ReconcileInput) (Answer, error) {
	report, err := p.Compare(ctx, true)
	if err != nil {
		return Answer{}, err
	}
	sentence := fmt.Sprintf("The processor and the ledger agree: %d movements, %d in flight.", report.Movements, report.Flying)
	switch {
	case report.Found == 0 && report.Moving:
		sentence = "The balance moved each time that it was compared: ask again in a moment."
	case !report.Clean():
		sentence = fmt.Sprintf("The processor and the ledger do not agree: %d findings in %d movements. Outgoing money stands still until it is resumed.", report.Found, report.Movements)
	}
	return Answer{Sentence: sentence, Report: report}, nil
}

// StatementInput asks for nothing.
type StatementInput struct{}

func (p Parts) statement(ctx context.Context, _ StatementInput) (Answer, error) {
	made, err := p.State(ctx)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Sentence: fmt.Sprintf("%s says what is owed now. It is published as soon as the receipts that it counts are.", made.URI)}, nil
}

// RefundInput asks to give a pledge back that is held.
type RefundInput struct {
	Pledge  syntax.ATURI  `json:"pledge"`
	Reason  ledger.Reason `json:"reason"`
	Because string        `json:"because"`
}

// RefundReasons are those for which an admin gives money back.
func RefundReasons() []ledger.Reason {
	return []ledger.Reason{ledger.ReasonFraud, ledger.ReasonLegalOrder}
}

func (p Parts) refund(ctx context.Context, in RefundInput) (Answer, error) {
	if !slices.Contains(RefundReasons(), in.Reason) {
		return Answer{}, refuse("An admin gives money back for %v, and not for %q.", RefundReasons(), in.Reason)
	}
	return p.journaled(ctx, "refund", in.Pledge.String(), string(in.Reason)+": "+in.Because, in.Because, func(ctx context.Context, tx *store.Tx) (string, error) {
		state, err := ledger.ReceiptState(ctx, tx, in.Pledge)
		if err != nil {
			return "", err
		}
		if err := p.Ledger.DecideRefund(ctx, tx, state.Hold, in.Reason); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s of %s go back to the payer.", state.Value, in.Pledge), nil
	})
}

// RetryInput asks to send a refund again that came back.
type RetryInput struct {
	Pledge  syntax.ATURI `json:"pledge"`
	Because string       `json:"because"`
}

func (p Parts) retryRefund(ctx context.Context, in RetryInput) (Answer, error) {
	return p.journaled(ctx, "retry-refund", in.Pledge.String(), in.Because, in.Because, func(ctx context.Context, tx *store.Tx) (string, error) {
		sum, err := p.eachReturned(ctx, tx, in.Pledge, func(h *ledger.Hold) error {
			return p.Ledger.RetryRefund(ctx, tx, h.ID)
		})
		return fmt.Sprintf("%s of %s are sent to the payer again.", sum, in.Pledge), err
	})
}

// PaidInput says that what came back was paid from elsewhere.
type PaidInput struct {
	Pledge syntax.ATURI `json:"pledge"`
	// Evidence is the SHA-256 of a document that shows it, in hex.
	Evidence string `json:"evidence"`
	Because  string `json:"because"`
}

func (p Parts) paidOtherwise(ctx context.Context, in PaidInput) (Answer, error) {
	evidence, err := hex.DecodeString(in.Evidence)
	if err != nil || len(evidence) != len(ledger.Digest{}) {
		return Answer{}, refuse("The evidence is named by the SHA-256 of its document, in hex.")
	}
	because := in.Because + " (evidence " + in.Evidence + ")"
	return p.journaled(ctx, "paid-otherwise", in.Pledge.String(), because, in.Because, func(ctx context.Context, tx *store.Tx) (string, error) {
		sum, err := p.eachReturned(ctx, tx, in.Pledge, func(h *ledger.Hold) error {
			return p.Ledger.PayOtherwise(ctx, tx, h.ID, ledger.Digest(evidence))
		})
		return fmt.Sprintf("%s of %s were paid otherwise, and what lies at the processor is the operator's.", sum, in.Pledge), err
	})
}

// eachReturned does something with each hold of a pledge of which a refund came back, and
// sums up what came back.
func (p Parts) eachReturned(ctx context.Context, tx *store.Tx, pledge syntax.ATURI, do func(*ledger.Hold) error) (sum money.Money, err error) {
	holds, err := ledger.HoldsOf(ctx, tx, pledge)
	if err != nil {
		return sum, err
	}
	if len(holds) == 0 {
		return sum, ledger.ErrNotFound
	}
	found := false
	for _, id := range holds {
		h, err := ledger.LoadHold(ctx, tx, id)
		if err != nil {
			return sum, err
		}
		returned := h.Balances[ledger.KindReturned]
		if returned == 0 {
			continue
		}
		if err := do(h); err != nil {
			return sum, err
		}
		sum, found = money.Money{Amount: sum.Amount + returned, Currency: h.Value.Currency}, true
	}
	if !found {
		return sum, ledger.ErrNotDue
	}
	return sum, nil
}

// ResumeInput asks to let money go on.
type ResumeInput struct {
	Because string `json:"because"`
}

func (p Parts) resume(ctx context.Context, in ResumeInput) (Answer, error) {
	return p.journaled(ctx, "resume", "", in.Because, in.Because, func(ctx context.Context, tx *store.Tx) (string, error) {
		lifted, err := halt.Lift(ctx, tx, in.Because)
		if err != nil {
			return "", err
		}
		standing, err := halt.Standing(ctx, tx)
		if err != nil {
			return "", err
		}
		stays := ""
		for _, h := range standing {
			switch h.Reason {
			case halt.Behind:
				return "", refuse("The ledger is behind what was published, and catches up by itself: nobody can lift that.")
			case halt.PayoutSchedule:
				stays = "Nothing can be paid in while the payment processor empties the balance by itself: set its payouts to manual, and that ends within the hour."
			}
		}
		switch {
		case len(lifted) == 0 && stays != "":
			return "", refuse("%s", stays)
		case len(lifted) == 0:
			return "", refuse("Nothing stands still.")
		}
		text := fmt.Sprintf("Money goes on. %d halts were lifted:", len(lifted))
		for _, h := range lifted {
			text += fmt.Sprintf(" %s (%s).", h.Reason, h.Detail)
		}
		return strings.TrimSpace(text + " " + stays), nil
	})
}

// journaled does something that changes the escrow, with its line in the journal. The
// reason has to be given by itself, whatever the line adds to it.
func (p Parts) journaled(ctx context.Context, action, subject, because, reason string, do func(context.Context, *store.Tx) (string, error)) (Answer, error) {
	if strings.TrimSpace(reason) == "" {
		return Answer{}, refuse("Say why (--because): it goes into the journal.")
	}
	var out Answer
	err := p.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		sentence, err := do(ctx, tx)
		if err != nil {
			return err
		}
		out.Sentence = sentence
		return journal.Write(ctx, tx, journal.Line{Action: action, Subject: subject, Because: because, Outcome: sentence})
	})
	return out, inWords(err, subject)
}

// inWords turns what the ledger refuses into a sentence.
func inWords(err error, pledge string) error {
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return refuse("Nothing was ever paid here for %s.", pledge)
	case errors.Is(err, ledger.ErrNotHeld):
		return refuse("Nothing of %s is held any more.", pledge)
	case errors.Is(err, ledger.ErrDecided):
		return refuse("%s was decided otherwise: %v.", pledge, err)
	case errors.Is(err, ledger.ErrNotDue):
		return refuse("No refund of %s came back.", pledge)
	case errors.Is(err, journal.ErrNoReason):
		return refuse("Say why (--because), not too long: it goes into the journal.")
	}
	return err
}
