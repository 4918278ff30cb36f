package tokens

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/xrpc"
)

// forgottenAtOnce is how many expired tokens each use forgets at most: more than it adds.
const forgottenAtOnce = 8

// Used is the tokens that were used. It may be shared.
type Used struct{ store *store.Store }

var _ xrpc.UsedTokens = (*Used)(nil)

// New returns the used tokens of a database.
func New(s *store.Store) *Used { return &Used{s} }

// Use implements xrpc.UsedTokens. Ids are as long as their issuers like, so their hashes
// are kept.
func (u *Used) Use(ctx context.Context, issuer syntax.DID, id string, until time.Time) (first bool, err error) {
	hash := sha256.Sum256([]byte(issuer.String() + " " + id)) // a DID has no space
	err = u.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.ExecContext(ctx, `
			DELETE FROM used_token WHERE hash IN (SELECT hash FROM used_token WHERE until < $1 ORDER BY until LIMIT $2)`,
			tx.Now().UnixMilli(), forgottenAtOnce)
		if err != nil {
			return fmt.Errorf("tokens: forget the expired ones: %w", err)
		}
		done, err := tx.ExecContext(ctx, `INSERT INTO used_token (hash, until) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING`,
			hash[:], until.UnixMilli())
		if err != nil {
			return fmt.Errorf("tokens: note a use: %w", err)
		}
		rows, err := done.RowsAffected()
		first = rows > 0
		return err
	})
	return first, err
}
