package stripe

import (
	"context"
	"fmt"
	"iter"

	sdk "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/balance"
	"github.com/stripe/stripe-go/v76/balancetransaction"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Balance implements payments.Balances.
func (c *Client) Balance(ctx context.Context) (payments.Balance, error) {
	answer, err := balance.Client{B: c.backend}.Get(&sdk.BalanceParams{Params: params(ctx, payments.Platform)})
	return one(answer, err, balanceOf, "get the balance")
}

func balanceOf(b *sdk.Balance) (payments.Balance, error) {
	var in reading
	in.is("balance", b.Object, b.Object)
	amounts := func(list []*sdk.Amount) (out []money.Money) {
		for _, a := range present(&in, list) {
			out = append(out, in.money(a.Amount, a.Currency))
		}
		return out
	}
	return payments.Balance{
		Live:      b.Livemode,
		Available: amounts(b.Available),
		Pending:   amounts(b.Pending),
		Reserved:  amounts(b.ConnectReserved),
	}, in.err
}

func (c *Client) movements() balancetransaction.Client {
	return balancetransaction.Client{B: c.backend}
}

// Movement implements payments.Balances.
func (c *Client) Movement(ctx context.Context, id payments.MovementID) (payments.Movement, error) {
	answer, err := c.movements().Get(string(id), &sdk.BalanceTransactionParams{Params: params(ctx, payments.Platform)})
	return one(answer, err, movementOf, "get movement %s", id)
}

// Movements implements payments.Balances.
func (c *Client) Movements(ctx context.Context, q payments.MovementQuery) iter.Seq2[payments.Movement, error] {
	fetch := func(a after) (page[sdk.BalanceTransaction], error) {
		it := c.movements().List(&sdk.BalanceTransactionListParams{
			ListParams: a.list(), Source: given(q.Source), Type: given(q.Kind), CreatedRange: since(q.Since),
		})
		got := it.BalanceTransactionList()
		return page[sdk.BalanceTransaction]{got.Data, got.HasMore}, it.Err()
	}
	list := all(ctx, payments.Platform, "movements", fetch, func(b *sdk.BalanceTransaction) string { return b.ID }, movementOf)
	if q.Until == "" {
		return list
	}
	return until(list, q.Until)
}

// until ends a list before a movement, and with an error if it never comes.
func until(list iter.Seq2[payments.Movement, error], last payments.MovementID) iter.Seq2[payments.Movement, error] {
	return func(yield func(payments.Movement, error) bool) {
		for m, err := range list {
			if err == nil && m.ID == last {
				return
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
		yield(payments.Movement{}, fmt.Errorf("%w: movement %s", payments.ErrPlace, last))
	}
}

func movementOf(b *sdk.BalanceTransaction) (payments.Movement, error) {
	var in reading
	out := in.movement(b)
	return out, in.err
}

func (in *reading) movement(b *sdk.BalanceTransaction) payments.Movement {
	in.is("balance_transaction", b.Object, b.ID)
	out := payments.Movement{
		ID:          payments.MovementID(b.ID),
		Kind:        payments.MovementKind(b.Type),
		Category:    string(b.ReportingCategory),
		Amount:      in.money(b.Amount, b.Currency),
		Fee:         in.money(b.Fee, b.Currency),
		Net:         in.money(b.Net, b.Currency),
		Converted:   b.ExchangeRate != 0,
		Available:   b.Status == sdk.BalanceTransactionStatusAvailable,
		CreatedAt:   at(b.Created),
		AvailableAt: at(b.AvailableOn),
	}
	if b.Source != nil {
		out.Source = b.Source.ID
	}
	return out
}

// movementOn is movement for one of an account. What happens to the balance of a payee is
// not ours to know, and may be in a currency that we cannot count.
func (in *reading) movementOn(account payments.AccountID, b *sdk.BalanceTransaction) payments.Movement {
	if account != payments.Platform {
		in = new(reading)
	}
	return in.movement(b)
}

func movementID(b *sdk.BalanceTransaction) payments.MovementID {
	if b == nil {
		return ""
	}
	return payments.MovementID(b.ID)
}
