package simulator

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// kind is the "object" field of an object.
type kind string

const (
	kindAccount            kind = "account"
	kindAccountLink        kind = "account_link"
	kindBalanceTransaction kind = "balance_transaction"
	kindCharge             kind = "charge"
	kindDispute            kind = "dispute"
	kindEvent              kind = "event"
	kindFraudWarning       kind = "radar.early_fraud_warning"
	kindPaymentIntent      kind = "payment_intent"
	kindPayout             kind = "payout"
	kindRefund             kind = "refund"
	kindReversal           kind = "transfer_reversal"
	kindSession            kind = "checkout.session"
	kindTopup              kind = "topup"
	kindTransfer           kind = "transfer"
)

// noun is how Stripe's messages call the kind.
func (k kind) noun() string {
	if k == kindFraudWarning {
		return "early fraud warning"
	}
	return strings.NewReplacer("_", " ", ".", " ").Replace(string(k))
}

// blank returns an empty object of each kind that is stored.
var blank = map[kind]func() object{
	kindAccount:            func() object { return &Account{} },
	kindAccountLink:        func() object { return &AccountLink{} },
	kindBalanceTransaction: func() object { return &BalanceTransaction{} },
	kindCharge:             func() object { return &Charge{} },
	kindDispute:            func() object { return &Dispute{} },
	kindEvent:              func() object { return &Event{} },
	kindFraudWarning:       func() object { return &FraudWarning{} },
	kindPaymentIntent:      func() object { return &PaymentIntent{} },
	kindPayout:             func() object { return &Payout{} },
	kindRefund:             func() object { return &Refund{} },
	kindReversal:           func() object { return &Reversal{} },
	kindSession:            func() object { return &Session{} },
	kindTopup:              func() object { return &Topup{} },
	kindTransfer:           func() object { return &Transfer{} },
}

// expandable lists the fields of each kind that hold an id and may hold the object.
var expandable = map[kind][]string{
	kindBalanceTransaction: {"source"},
	kindCharge:             {"balance_transaction", "payment_intent", "source_transfer"},
	kindDispute:            {"charge", "payment_intent"},
	kindFraudWarning:       {"charge", "payment_intent"},
	kindPaymentIntent:      {"latest_charge"},
	kindPayout:             {"balance_transaction"},
	kindRefund:             {"balance_transaction", "charge", "failure_balance_transaction", "payment_intent"},
	kindReversal:           {"balance_transaction", "destination_payment_refund", "transfer"},
	kindSession:            {"payment_intent"},
	kindTopup:              {"balance_transaction"},
	kindTransfer:           {"balance_transaction", "destination", "destination_payment", "source_transaction"},
}

// object is one of Stripe's. Its JSON is what is answered and what is stored, but for
// a field "simulator", which holds what Stripe would not tell and is never answered.
type object interface{ header() *Header }

// Header is what all stored objects have in common.
type Header struct {
	ID      string `json:"id"`
	Object  kind   `json:"object"`
	Created int64  `json:"created"`

	account string // whose it is: the platform's or a connected account's id
}

func (h *Header) header() *Header { return h }

// prepared is an object with fields that depend on others or on the clock. They are
// filled in whenever it is shown.
type prepared interface{ prepare(t *tx) error }

// newHeader makes an id: the prefix, a mark that no id of Stripe's has, a tag of this
// database, and a number that counts up.
func (t *tx) newHeader(prefix string, k kind, account string) (Header, error) {
	var n int64
	if _, err := t.setting("last-id", &n); err != nil {
		return Header{}, err
	}
	n++
	if err := t.set("last-id", n); err != nil {
		return Header{}, err
	}
	count := strconv.FormatInt(n, 36)
	id := prefix + "_Simulator" + t.server.tag + strings.Repeat("0", max(0, 6-len(count))) + count
	return Header{ID: id, Object: k, Created: t.now.Unix(), account: account}, nil
}

func (t *tx) insert(o object) error {
	h := o.header()
	body, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("simulator: insert %s: %w", h.ID, err)
	}
	return t.exec("insert "+h.ID, `INSERT INTO object (id, account, kind, created, body) VALUES (?, ?, ?, ?, ?)`,
		h.ID, h.account, string(h.Object), h.Created, string(body))
}

func (t *tx) save(o object) error {
	h := o.header()
	body, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("simulator: save %s: %w", h.ID, err)
	}
	return t.exec("save "+h.ID, `UPDATE object SET body = ? WHERE id = ?`, string(body), h.ID)
}

// anywhere reads an object of any kind and account, or returns errAbsent.
func (t *tx) anywhere(id string) (object, error) {
	var k kind
	var account, body string
	err := t.QueryRowContext(t.ctx, `SELECT kind, account, body FROM object WHERE id = ?`, id).Scan(&k, &account, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%w: %s", errAbsent, id)
	}
	if err != nil {
		return nil, fmt.Errorf("simulator: read %s: %w", id, err)
	}
	return decode(k, account, body)
}

func decode(k kind, account, body string) (object, error) {
	make, ok := blank[k]
	if !ok {
		return nil, fmt.Errorf("simulator: the store holds an object of kind %q", k)
	}
	o := make()
	if err := json.Unmarshal([]byte(body), o); err != nil {
		return nil, fmt.Errorf("simulator: read a %s: %w", k, err)
	}
	o.header().account = account
	return o, nil
}

// stored is a pointer to a kind's type.
type stored[T any] interface {
	*T
	object
}

// load reads an object by its id, whosever it is. One of another kind is absent.
func load[T any, P stored[T]](t *tx, id string) (P, error) {
	o, err := t.anywhere(id)
	if err != nil {
		return nil, err
	}
	p, ok := o.(P)
	if !ok {
		return nil, fmt.Errorf("%w: %s is a %s", errAbsent, id, o.header().Object)
	}
	return p, nil
}

// loadOf reads what a request names in a parameter. What is not of the request's own
// account does not exist for it.
func loadOf[T any, P stored[T]](t *tx, k kind, account, param, id string) (P, error) {
	p, err := load[T, P](t, id)
	if errors.Is(err, errAbsent) || err == nil && p.header().account != account {
		return nil, missing(k, param, id)
	}
	return p, err
}

// selectObjects runs a query for kind, account and body, and decodes what it finds.
func selectObjects[T any, P stored[T]](t *tx, where string, args ...any) ([]P, error) {
	rows, err := t.QueryContext(t.ctx, `SELECT kind, account, body FROM object WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("simulator: query: %w", err)
	}
	var found []P
	for rows.Next() {
		var k kind
		var account, body string
		if err := rows.Scan(&k, &account, &body); err != nil {
			return nil, errors.Join(fmt.Errorf("simulator: query: %w", err), rows.Close())
		}
		o, err := decode(k, account, body)
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		p, ok := o.(P)
		if !ok {
			return nil, errors.Join(fmt.Errorf("simulator: query: found a %s", k), rows.Close())
		}
		found = append(found, p)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("simulator: query: %w", err)
	}
	return found, nil
}

// show turns an object into what is answered for it.
func (t *tx) show(o object) (map[string]any, error) {
	if p, ok := o.(prepared); ok {
		if err := p.prepare(t); err != nil {
			return nil, err
		}
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("simulator: show %s: %w", o.header().ID, err)
	}
	shown, err := asMap(raw)
	if err != nil {
		return nil, fmt.Errorf("simulator: show %s: %w", o.header().ID, err)
	}
	delete(shown, "simulator")
	if o.header().Object == kindAccountLink {
		delete(shown, "id") // the only kind that has none at Stripe
	}
	return shown, nil
}

func asMap(raw []byte) (map[string]any, error) {
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	var m map[string]any
	return m, decoder.Decode(&m)
}
