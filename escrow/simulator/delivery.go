package simulator

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/stripe/stripe-go/v76/webhook"
	"golang.org/x/sync/errgroup"
)

const (
	sendAtOnce      = 4 // deliveries that are on their way at the same time, and so overtake one another
	sendPerRound    = 64
	maxHookResponse = 64 << 10
)

// Delivery is an event on its way to an endpoint.
type Delivery struct {
	Event    string `json:"event"`
	Type     string `json:"type"`
	URL      string `json:"url"`
	State    string `json:"state"`
	Due      int64  `json:"due"`
	Attempts int    `json:"attempts"`
	// Status is what the last attempt was answered with, 0 when with nothing.
	Status int `json:"status"`

	seq    int64
	secret string
}

// deliverLater notes which endpoints have to hear of the event, and when: at once, or
// as the faults want it.
func (t *tx) deliverLater(event *Event) error {
	var endpoints []Endpoint
	if _, err := t.setting("endpoints", &endpoints); err != nil {
		return err
	}
	for _, endpoint := range endpoints {
		if endpoint.Connect != (event.Account != "") {
			continue
		}
		state, due, copies := "waiting", t.now, 1
		if lost, err := t.strikes(FaultWebhookLost, event.Type); err != nil {
			return err
		} else if lost {
			state = "lost"
		}
		if late, err := t.strikes(FaultWebhookLate, event.Type); err != nil {
			return err
		} else if late {
			due = due.Add(t.server.dice.between("webhook-late", time.Second, t.server.config.Terms.WebhookLateBy))
		}
		if twice, err := t.strikes(FaultWebhookDuplicate, event.Type); err != nil {
			return err
		} else if twice {
			copies = 2
		}
		for range copies {
			if err := t.exec("plan a delivery", `INSERT INTO delivery (event, url, secret, state, due) VALUES (?, ?, ?, ?, ?)`,
				event.ID, endpoint.URL, endpoint.Secret, state, due.Unix()); err != nil {
				return err
			}
		}
	}
	return nil
}

// sendDue sends webhooks that are due until none is.
func (s *Server) sendDue(ctx context.Context) error {
	for {
		sent, err := s.send(ctx, func(t *tx) (string, []any) {
			return `state = 'waiting' AND due <= ? AND NOT ? ORDER BY due, seq`, []any{t.now.Unix(), s.held.Load()}
		})
		if err != nil || len(sent) == 0 || ctx.Err() != nil {
			return err
		}
	}
}

// sendAll attempts each waiting webhook once, due or not, held or not.
func (s *Server) sendAll(ctx context.Context) error {
	var last int64
	for {
		sent, err := s.send(ctx, func(*tx) (string, []any) { return `state = 'waiting' AND seq > ? ORDER BY seq`, []any{last} })
		if err != nil || len(sent) == 0 || ctx.Err() != nil {
			return err
		}
		last = sent[len(sent)-1].seq
	}
}

// send attempts one round of the deliveries that which describes, and returns those
// that it attempted.
func (s *Server) send(ctx context.Context, which func(*tx) (where string, args []any)) ([]Delivery, error) {
	s.sending.Lock()
	defer s.sending.Unlock()
	var round []Delivery
	bodies := map[string][]byte{}
	err := s.transact(ctx, cause{}, func(t *tx) error {
		where, args := which(t)
		var err error
		if round, err = t.deliveries(where+` LIMIT ?`, append(args, sendPerRound)...); err != nil {
			return err
		}
		for _, d := range round {
			if err := t.exec("begin a delivery", `UPDATE delivery SET state = 'sending', attempts = attempts + 1 WHERE seq = ?`, d.seq); err != nil {
				return err
			}
			event, err := load[Event](t, d.Event)
			if err != nil {
				return err
			}
			shown, err := t.show(event)
			if err != nil {
				return err
			}
			if bodies[d.Event], err = json.MarshalIndent(shown, "", "  "); err != nil {
				return fmt.Errorf("simulator: webhook %s: %w", d.Event, err)
			}
		}
		return nil
	})
	if err != nil || len(round) == 0 {
		return nil, err
	}
	statuses := make([]int, len(round))
	var group errgroup.Group
	group.SetLimit(sendAtOnce)
	for i, d := range round {
		group.Go(func() error {
			statuses[i] = s.attempt(ctx, d, bodies[d.Event])
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return round, s.transact(ctx, cause{}, func(t *tx) error {
		for i, d := range round {
			if err := t.record(d, statuses[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func newHookClient(patience time.Duration) *http.Client {
	return &http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // as Stripe: a redirect is a failure
	}
}

// attempt sends one webhook. It returns the answer's status, or 0 when there was none.
func (s *Server) attempt(ctx context.Context, d Delivery, body []byte) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(body))
	if err != nil {
		s.log.Warn("webhook cannot be sent", "url", d.URL, "err", err)
		return 0
	}
	at := s.clock.now()
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("User-Agent", "Stripe/1.0 (a simulator; no money moves)")
	request.Header.Set("Simulator", "true")
	request.Header.Set("Stripe-Signature", fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(webhook.ComputeSignature(at, body, d.secret))))
	response, err := s.hooks.Do(request)
	if err != nil {
		s.log.Debug("webhook was not received", "event", d.Event, "err", err)
		return 0
	}
	_, readErr := io.Copy(io.Discard, io.LimitReader(response.Body, maxHookResponse))
	if err := errors.Join(readErr, response.Body.Close()); err != nil {
		return 0
	}
	return response.StatusCode
}

// record notes how a delivery went: done, to be tried again later, or given up.
func (t *tx) record(d Delivery, status int) error {
	if status >= http.StatusOK && status < http.StatusMultipleChoices {
		return t.exec("record a delivery", `UPDATE delivery SET state = 'delivered', status = ? WHERE seq = ?`, status, d.seq)
	}
	terms := t.server.config.Terms
	wait := terms.WebhookRetry
	for range d.Attempts {
		wait = min(2*wait, terms.WebhookRetryMost)
	}
	event, err := load[Event](t, d.Event)
	if err != nil {
		return err
	}
	state, due := "waiting", t.now.Add(wait)
	if due.After(time.Unix(event.Created, 0).Add(terms.WebhookGivesUp)) {
		state = "given-up"
	}
	return t.exec("record a delivery", `UPDATE delivery SET state = ?, status = ?, due = ? WHERE seq = ?`, state, status, due.Unix(), d.seq)
}

// deliveries reads those that where describes. Attempts counts those before.
func (t *tx) deliveries(where string, args ...any) ([]Delivery, error) {
	rows, err := t.QueryContext(t.ctx, `SELECT seq, event, url, secret, state, due, attempts, status,
		(SELECT body ->> '$.type' FROM object WHERE id = event) FROM delivery WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("simulator: deliveries: %w", err)
	}
	return scanDeliveries(rows)
}

func scanDeliveries(rows *sql.Rows) ([]Delivery, error) {
	found := []Delivery{}
	for rows.Next() {
		var d Delivery
		if err := rows.Scan(&d.seq, &d.Event, &d.URL, &d.secret, &d.State, &d.Due, &d.Attempts, &d.Status, &d.Type); err != nil {
			return nil, errors.Join(fmt.Errorf("simulator: deliveries: %w", err), rows.Close())
		}
		found = append(found, d)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("simulator: deliveries: %w", err)
	}
	return found, nil
}
