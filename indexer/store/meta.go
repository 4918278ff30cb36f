package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/stratosfund/stratosfund/lexicons"
)

const (
	metaPolicy      = "policy"
	metaCollections = "collections"
	metaState       = "state" // see State
)

// adopt compares what the database was built under with what holds now, and
// queues the work that the difference asks for.
func (s *Store) adopt(ctx context.Context) error {
	return s.update(ctx, "adopt the configuration", func(ctx context.Context, tx *tx) error {
		policy, err := tx.swapMeta(ctx, metaPolicy, s.policyFingerprint())
		if err != nil {
			return err
		}
		if policy {
			s.log.Info("the policy changed: everything is derived again")
			if err := tx.dirtyEverything(ctx); err != nil {
				return err
			}
		}
		collections, err := tx.swapMeta(ctx, metaCollections, collectionSet())
		if err != nil {
			return err
		}
		if collections {
			// Records of a collection that is new were passed over so far.
			s.log.Info("the set of collections changed: every known repository is fetched again")
			return tx.desynchronizeAll(ctx)
		}
		return nil
	})
}

// swapMeta stores the value and reports whether another one was there.
func (tx *tx) swapMeta(ctx context.Context, key, value string) (changed bool, err error) {
	var old string
	err = tx.QueryRowContext(ctx, `SELECT coalesce((SELECT value FROM meta WHERE key = $1), '')`, key).Scan(&old)
	if err != nil {
		return false, fmt.Errorf("read meta %s: %w", key, err)
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO meta (key, value) VALUES ($1, $2)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
	if err != nil {
		return false, fmt.Errorf("write meta %s: %w", key, err)
	}
	return old != "" && old != value, nil
}

func (s *Store) policyFingerprint() string {
	escrows := make([]string, 0, len(s.policy.TrustedEscrows))
	for _, did := range s.policy.TrustedEscrows {
		escrows = append(escrows, did.String())
	}
	slices.Sort(escrows)
	sum := sha256.Sum256(fmt.Appendf(nil, "%s test=%t", strings.Join(escrows, ","), s.policy.TestMoney))
	return hex.EncodeToString(sum[:])
}

func collectionSet() string {
	var names []string
	for _, c := range lexicons.Collections() {
		names = append(names, c.String())
	}
	return strings.Join(names, " ")
}
