package checkout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/golang-jwt/jwt/v5"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/indexer/sqlite/sqlitetest"
)

func TestAcknowledgement_IsVerifiedByThePublicKeyAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.begin(w.pledge(1, 2500))
	public, err := atcrypto.ParsePublicMultibase(w.key.Multibase()) // as a DID document has it
	w.ok(err)
	got, err := ParseAcknowledgement(p.Acknowledgement, escrowDID, public)
	w.ok(err)
	if got.Issuer != escrowDID.String() || got.Subject.Uri != p.Subject.String() || got.Subject.Cid != p.CID.String() ||
		got.RegisteredClaims.Subject != backer.String() || got.Payment != string(p.ID) || got.Development != developmentURI.String() ||
		got.Value.Amount != 2500 || got.Value.Currency != "USD" || !got.IssuedAt.Equal(began) || !got.Test {
		t.Errorf("got %+v", got)
	}
	if len(p.Acknowledgement) > 8192 {
		t.Errorf("%d bytes", len(p.Acknowledgement))
	}
	_, otherPublic, err := NewKey()
	w.ok(err)
	other, err := atcrypto.ParsePublicDIDKey(otherPublic)
	w.ok(err)
	parts := strings.Split(p.Acknowledgement, ".")
	for name, c := range map[string]struct {
		signed string
		key    atcrypto.PublicKey
	}{
		"another key":     {p.Acknowledgement, other},
		"another payload": {parts[0] + "." + parts[1][:len(parts[1])-4] + "AAAA." + parts[2], public},
		"unsigned":        {parts[0] + "." + parts[1] + ".", public},
	} {
		if _, err := ParseAcknowledgement(c.signed, escrowDID, c.key); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := ParseAcknowledgement(p.Acknowledgement, proposer, public); err == nil {
		t.Error("another escrow's is taken")
	}
	token := jwt.NewWithClaims(jwt.GetSigningMethod(algK256), jwt.MapClaims{"iss": escrowDID.String()})
	signed, err := token.SignedString(w.key.private)
	w.ok(err)
	if _, err := ParseAcknowledgement(signed, escrowDID, public); err == nil {
		t.Error("another kind of token is taken")
	}
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	p256, err := atcrypto.GeneratePrivateKeyP256()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseKey(payments.NewSecret(p256.Multibase()))
	if err != nil || key.algorithm != algP256 {
		t.Errorf("%+v, %v", key, err)
	}
	for _, bad := range []string{"", "secret", "zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"} {
		if _, err := ParseKey(payments.NewSecret(bad)); err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestPayment_TheDatabaseRefusesTheRest tries what the code never does.
func TestPayment_TheDatabaseRefusesTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	paid := w.begin(w.pledge(1, 2500))
	session := w.agreed(paid)
	w.pay(session)
	w.observe(session)
	ended := w.begin(w.pledge(2, 2500))
	if _, err := w.end(t.Context(), ended, EndingExpired); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`UPDATE payment SET amount = 1`, `UPDATE payment SET account = 'acct_1'`, `UPDATE payment SET payer = 'did:plc:x'`,
		`UPDATE payment SET state = 'open' WHERE id = '%[1]s'`, `UPDATE payment SET state = 'ended' WHERE id = '%[1]s'`,
		`UPDATE payment SET state = 'reversed' WHERE id = '%[1]s'`, `UPDATE payment SET session = 'other' WHERE id = '%[1]s'`,
		`UPDATE payment SET confirmed = 0 WHERE id = '%[1]s'`, `UPDATE payment SET expires_at = 1 WHERE id = '%[1]s'`,
		`UPDATE payment SET state = 'open' WHERE id = '%[2]s'`, `UPDATE payment SET ending = 'closed' WHERE id = '%[2]s'`,
		`DELETE FROM payment`,
	} {
		err := w.Store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.ExecContext(ctx, fmt.Sprintf(strings.ReplaceAll(statement, "%[2]s", string(ended.ID)), paid.ID))
			return err
		})
		if err == nil {
			t.Errorf("%s is done", statement)
		}
	}
}

// TestPayment_ASecondOneOfARecordCannotBe: not beside one that can be paid, nor after one
// that was, whatever the code does. After one that ended there may be another.
func TestPayment_ASecondOneOfARecordCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live, paid, ended := w.begin(w.pledge(1, 2500)), w.begin(w.pledge(2, 2500)), w.begin(w.pledge(3, 2500))
	session := w.agreed(paid)
	w.pay(session)
	w.observe(session)
	if _, err := w.end(t.Context(), ended, EndingExpired); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		first Payment
		can   bool
	}{{"beside one that can be paid", live, false}, {"after one that was paid", paid, false}, {"after one that ended", ended, true}} {
		err := w.Store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.ExecContext(ctx, `
				INSERT INTO payment (id, kind, subject, cid, payer, development, attempt, currency, amount, account, donee, title, terms, terms_cid, cost,
					acknowledgement, return_uri, state, created_at, updated_at, expires_at, due_at)
				SELECT 'second-' || id, kind, subject, cid, payer, development, attempt, currency, amount, account, donee, title, terms, terms_cid, cost,
					acknowledgement, return_uri, 'open', created_at, updated_at, expires_at, due_at
				FROM payment WHERE id = $1`, c.first.ID)
			return err
		})
		if refused := err != nil && strings.Contains(err.Error(), "payment.subject"); refused == c.can {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestPayment_TheSchemaKnowsTheSameWords compares constants with the CHECKs.
func TestPayment_TheSchemaKnowsTheSameWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.begin(w.pledge(1, 2500))
	try := func(column, word string) error {
		return w.Store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			// A donation may have every state.
			_, err := tx.ExecContext(ctx, `
				INSERT INTO payment (id, kind, subject, cid, payer, development, attempt, currency, amount, account, donee, title, terms, terms_cid, cost,
					acknowledgement, return_uri, state, ending, created_at, updated_at, expires_at, due_at)
				SELECT $1, CASE $2 WHEN 'kind' THEN $3 ELSE 'donation' END, $1, cid, payer, development, attempt, currency, amount,
					CASE WHEN $2 = 'kind' AND $3 = 'pledge' THEN '' ELSE 'a' END, CASE WHEN $2 = 'kind' AND $3 = 'pledge' THEN '' ELSE 'a' END,
					title, terms, terms_cid, cost, acknowledgement, return_uri,
					CASE $2 WHEN 'state' THEN $3 ELSE 'open' END, CASE $2 WHEN 'ending' THEN $3 ELSE 'expired' END,
					created_at, updated_at, expires_at, due_at
				FROM payment WHERE id = $4`, column+word, column, word, p.ID)
			return err
		})
	}
	var states, endings, kinds []string
	for _, s := range States() {
		states = append(states, string(s))
	}
	for _, e := range Endings() {
		endings = append(endings, string(e))
	}
	for _, k := range Kinds() {
		kinds = append(kinds, string(k))
	}
	for column, words := range map[string][]string{"state": states, "ending": endings, "kind": kinds} {
		for _, word := range words {
			if err := try(column, word); err != nil {
				t.Errorf("%s %s: %v", column, word, err)
			}
		}
		if err := try(column, "other"); err == nil {
			t.Errorf("%s takes any word", column)
		}
	}
}

func TestStatements_UseTheirIndexes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for statement, want := range map[string]string{
		`SELECT id FROM payment WHERE subject = 'x' AND state <> 'ended'`:                                            "payment_of_subject",
		`SELECT id FROM payment WHERE (state = 'open' OR state = 'processing') AND due_at <= 1 ORDER BY due_at`:      "payment_due",
		`SELECT id FROM payment WHERE attempt = 'x' AND (state = 'open' OR state = 'processing')`:                    "payment_under_way",
		`SELECT id FROM payment WHERE payer = 'x' AND (created_at, id) < (1, 'x') ORDER BY created_at DESC, id DESC`: "payment_by_payer",
	} {
		w.read(func(ctx context.Context, q sqlite.Querier) error {
			rows, err := q.QueryContext(ctx, `EXPLAIN QUERY PLAN `+statement)
			if err != nil {
				return err
			}
			defer rows.Close()
			var plan []string
			for rows.Next() {
				var id, parent, unused int
				var detail string
				if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
					return err
				}
				plan = append(plan, detail)
			}
			if !slices.ContainsFunc(plan, func(line string) bool { return strings.Contains(line, want) }) {
				t.Errorf("%s: %v, want %s", statement, plan, want)
			}
			return rows.Err()
		})
	}
}

func TestStatements_ParametersAppearInOrder(t *testing.T) {
	t.Parallel()
	sqlitetest.ParametersInOrder(t, ".", 10)
}
