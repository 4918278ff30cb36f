package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Control commands a running simulator through /_simulator/, from the same process or
// another one. A refusal is an error with the simulator's sentence.
type Control struct {
	// URL is the simulator's.
	URL string
	// Client may be nil for the default one.
	Client *http.Client
}

// Truth returns everything that the simulator knows.
func (c Control) Truth(ctx context.Context) (*Truth, error) {
	var truth Truth
	return &truth, c.do(ctx, http.MethodGet, "truth", nil, &truth)
}

// Clock returns the simulator's time.
func (c Control) Clock(ctx context.Context) (Clock, error) {
	var clock Clock
	return clock, c.do(ctx, http.MethodGet, "clock", nil, &clock)
}

// SetClock moves the clock and says whether time stands from then on. It never moves
// back. What is due by then is done when SetClock returns, but for webhooks.
func (c Control) SetClock(ctx context.Context, now time.Time, manual bool) error {
	return c.do(ctx, http.MethodPut, "clock", Clock{now.Unix(), manual}, nil)
}

// Advance moves the clock ahead.
func (c Control) Advance(ctx context.Context, by time.Duration) error {
	return c.do(ctx, http.MethodPost, "clock/advance", leap{int64(by / time.Second)}, nil)
}

// SetFaults replaces the faults.
func (c Control) SetFaults(ctx context.Context, f Faults) error {
	return c.do(ctx, http.MethodPut, "faults", f, nil)
}

// Fired counts the faults that really happened.
func (c Control) Fired(ctx context.Context) (map[Fault]int64, error) {
	var fired map[Fault]int64
	err := c.do(ctx, http.MethodGet, "faults/fired", nil, &fired)
	return fired, err
}

// SetEndpoints replaces who receives webhooks of events from now on.
func (c Control) SetEndpoints(ctx context.Context, endpoints ...Endpoint) error {
	return c.do(ctx, http.MethodPut, "endpoints", endpoints, nil)
}

// Pay pays a session as its page does.
func (c Control) Pay(ctx context.Context, session string, p Payment) (PaymentResult, error) {
	var result PaymentResult
	err := c.do(ctx, http.MethodPost, "sessions/"+session+"/pay", p, &result)
	return result, err
}

// Charge makes a charge that no session of ours made, and returns its id.
func (c Control) Charge(ctx context.Context, s StrangerCharge) (string, error) {
	return c.create(ctx, "charges", s)
}

// Dispute opens a dispute of a charge, and returns its id.
func (c Control) Dispute(ctx context.Context, charge string, d NewDispute) (string, error) {
	return c.create(ctx, "charges/"+charge+"/dispute", d)
}

// Escalate makes a chargeback of an inquiry.
func (c Control) Escalate(ctx context.Context, dispute string) error {
	return c.do(ctx, http.MethodPost, "disputes/"+dispute+"/escalate", change{}, nil)
}

// Review says that evidence was submitted.
func (c Control) Review(ctx context.Context, dispute string) error {
	return c.do(ctx, http.MethodPost, "disputes/"+dispute+"/review", change{}, nil)
}

// Win gives the funds of a dispute back, or part of them; 0 is all.
func (c Control) Win(ctx context.Context, dispute string, amount int64) error {
	return c.do(ctx, http.MethodPost, "disputes/"+dispute+"/win", change{Amount: amount}, nil)
}

// Lose ends a dispute, or closes an inquiry.
func (c Control) Lose(ctx context.Context, dispute string) error {
	return c.do(ctx, http.MethodPost, "disputes/"+dispute+"/lose", change{}, nil)
}

// WarnOfFraud raises an early fraud warning, and returns its id.
func (c Control) WarnOfFraud(ctx context.Context, charge string) (string, error) {
	return c.create(ctx, "charges/"+charge+"/fraud-warning", nothing{})
}

// FailRefund lets the bank send a refund back.
func (c Control) FailRefund(ctx context.Context, refund, reason string) error {
	return c.do(ctx, http.MethodPost, "refunds/"+refund+"/fail", change{Reason: reason}, nil)
}

// SettleRefund lets a refund succeed that is pending at the bank.
func (c Control) SettleRefund(ctx context.Context, refund string) error {
	return c.do(ctx, http.MethodPost, "refunds/"+refund+"/settle", change{}, nil)
}

// Complete ends all requirements of an account.
func (c Control) Complete(ctx context.Context, account string) error {
	return c.do(ctx, http.MethodPost, "accounts/"+account+"/complete", change{}, nil)
}

// Restrict stops an account; reason is Stripe's disabled_reason.
func (c Control) Restrict(ctx context.Context, account, reason string) error {
	return c.do(ctx, http.MethodPost, "accounts/"+account+"/restrict", change{Reason: reason}, nil)
}

// SchedulePayouts sets an account's payouts to "daily" or "manual".
func (c Control) SchedulePayouts(ctx context.Context, account, interval string) error {
	return c.do(ctx, http.MethodPost, "accounts/"+account+"/payouts", change{Interval: interval}, nil)
}

// Settle sets the currency of a connected account on which nothing has moved: all that
// comes there is converted into it.
func (c Control) Settle(ctx context.Context, account, currency string) error {
	return c.do(ctx, http.MethodPost, "accounts/"+account+"/currency", change{Currency: currency}, nil)
}

// TopUp puts money into the platform's balance.
func (c Control) TopUp(ctx context.Context, amount int64, currency string) (string, error) {
	return c.create(ctx, "topups", Transaction{Amount: amount, Currency: currency})
}

// ChargeFee takes a fee that belongs to no payment out of the platform's balance.
func (c Control) ChargeFee(ctx context.Context, amount int64, currency, description string) (string, error) {
	return c.create(ctx, "fees", Transaction{Amount: amount, Currency: currency, Description: description})
}

// Reserve holds an amount of the platform's balance back, as for a connected account that
// is below zero; Release ends that.
func (c Control) Reserve(ctx context.Context, amount int64, currency string) (string, error) {
	return c.create(ctx, "reserves", Transaction{Amount: amount, Currency: currency})
}

// Release gives back what was reserved.
func (c Control) Release(ctx context.Context, amount int64, currency string) (string, error) {
	return c.create(ctx, "reserves/release", Transaction{Amount: amount, Currency: currency})
}

// PayOut sends money of an account to its bank; the platform's when account is empty.
func (c Control) PayOut(ctx context.Context, account string, amount int64, currency string) (string, error) {
	return c.create(ctx, "payouts", Transaction{Amount: amount, Currency: currency, Account: account})
}

// DeliverWebhooks attempts each waiting webhook once, due or not, and returns how all
// stand then.
func (c Control) DeliverWebhooks(ctx context.Context) ([]Delivery, error) {
	return c.webhooks(ctx, "deliver")
}

// LoseWebhooks loses those that wait.
func (c Control) LoseWebhooks(ctx context.Context) ([]Delivery, error) {
	return c.webhooks(ctx, "lose")
}

// HoldWebhooks keeps all webhooks until they are released or delivered.
func (c Control) HoldWebhooks(ctx context.Context) ([]Delivery, error) {
	return c.webhooks(ctx, "hold")
}

// ReleaseWebhooks ends HoldWebhooks.
func (c Control) ReleaseWebhooks(ctx context.Context) ([]Delivery, error) {
	return c.webhooks(ctx, "release")
}

func (c Control) webhooks(ctx context.Context, what string) ([]Delivery, error) {
	var all []Delivery
	err := c.do(ctx, http.MethodPost, "webhooks/"+what, nothing{}, &all)
	return all, err
}

// create posts what makes an object and returns its id.
func (c Control) create(ctx context.Context, path string, in any) (string, error) {
	var made struct {
		ID string `json:"id"`
	}
	err := c.do(ctx, http.MethodPost, path, in, &made)
	return made.ID, err
}

func (c Control) do(ctx context.Context, method, path string, in, out any) (err error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("simulator: control %s: %w", path, err)
		}
		body = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.URL+"/_simulator/"+path, body)
	if err != nil {
		return fmt.Errorf("simulator: control %s: %w", path, err)
	}
	client := c.Client
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("simulator: control %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode != http.StatusOK {
		var refusal struct{ Error apiError }
		if err := json.NewDecoder(response.Body).Decode(&refusal); err != nil {
			return fmt.Errorf("simulator: control %s: status %d: %w", path, response.StatusCode, err)
		}
		return fmt.Errorf("simulator: control %s: %w", path, &refusal.Error)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return fmt.Errorf("simulator: control %s: %w", path, err)
	}
	return nil
}
