package simulator

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// keysLive is how long Stripe remembers an idempotency key at least, and the
	// simulator exactly.
	keysLive  = 24 * time.Hour
	maxKeyLen = 255
)

// answer is what a request is answered with, and again under the same key.
type answer struct {
	status int
	body   []byte
}

// inFlight holds the idempotency keys whose first request is still being worked on.
type inFlight struct {
	mu   sync.Mutex
	keys map[string]bool
}

// begin claims a key, or refuses a second request that came while the first runs.
func (f *inFlight) begin(account, key string) (end func(), busy *apiError) {
	f.mu.Lock()
	defer f.mu.Unlock()
	claim := account + " " + key
	if f.keys[claim] {
		return nil, &apiError{
			status: http.StatusConflict, unsaved: true, Type: idempotencyError, Code: "idempotency_key_in_use",
			Message: fmt.Sprintf("There is currently another in-progress request using this Idempotency-Key (that probably means you submitted twice, and the other request is still going through): %s. Please try again later.", key),
		}
	}
	if f.keys == nil {
		f.keys = map[string]bool{}
	}
	f.keys[claim] = true
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.keys, claim)
	}, nil
}

// fingerprint tells whether two requests are the same one.
func fingerprint(r *request) string {
	sum := sha256.Sum256([]byte(r.method + " " + r.path + "\n" + r.values.Encode()))
	return hex.EncodeToString(sum[:])
}

// remembered is the answer that was given under the request's key within the last 24
// hours; found is false when there was none.
func (t *tx) remembered(r *request) (kept answer, found bool, err error) {
	var hash string
	err = t.QueryRowContext(t.ctx, `SELECT request, status, answer FROM idempotency WHERE account = ? AND key = ? AND created > ?`,
		r.account, r.key, t.now.Add(-keysLive).Unix()).Scan(&hash, &kept.status, &kept.body)
	if errors.Is(err, sql.ErrNoRows) {
		return answer{}, false, nil
	}
	if err != nil {
		return answer{}, false, fmt.Errorf("simulator: look up idempotency key: %w", err)
	}
	if hash != fingerprint(r) {
		return answer{}, false, &apiError{
			status: http.StatusBadRequest, unsaved: true, Type: idempotencyError,
			Message: fmt.Sprintf("Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '%s' if you meant to execute a different request.", r.key),
		}
	}
	return kept, true, nil
}

// remember keeps the answer under the request's key, and forgets keys of yesterday.
func (t *tx) remember(r *request, given answer) error {
	if err := t.exec("forget idempotency keys", `DELETE FROM idempotency WHERE created <= ?`, t.now.Add(-keysLive).Unix()); err != nil {
		return err
	}
	return t.exec("remember idempotency key", `INSERT INTO idempotency (account, key, request, status, answer, created) VALUES (?, ?, ?, ?, ?, ?)`,
		r.account, r.key, fingerprint(r), given.status, string(given.body), t.now.Unix())
}
