package oracle

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// hold is one in the escrow's database: what can be read there, and nothing that the
// escrow's code concludes from it.
type hold struct {
	id, cid, state  string
	pledge          syntax.ATURI
	amount, charged int64
	exit, reason    string
	lost, refunded  bool
	unpaid          int              // payouts that are not settled
	balances        map[string]int64 // by kind, credits positive where that is the usual side
}

// status is table B of docs/escrow.md, read again.
func (h hold) status() (status, reason string) {
	due, returned, contested := h.balances["refund-due"], h.balances["returned"], h.balances["contested"]
	switch {
	case h.exit == "settlement" && h.lost:
		return statusChargedBack, reasonChargeback
	case h.exit == "settlement" && h.unpaid > 0:
		return "releasing", ""
	case h.exit == "settlement":
		return statusReleased, ""
	case contested > 0, h.exit == "chargeback" && due == 0 && returned == 0:
		return statusChargedBack, reasonChargeback
	case returned > 0:
		return statusRefundFailed, h.reason
	case due > 0:
		return "refunding", h.reason
	case h.exit == "refund" && h.lost && !h.refunded:
		return statusChargedBack, reasonChargeback
	case h.exit == "refund":
		return statusRefunded, h.reason
	}
	return "held", ""
}

func readHolds(ctx context.Context, db *sql.DB) ([]hold, error) {
	holds, err := query(ctx, db, `
		SELECT id, pledge, cid, amount, state, charged, coalesce(exit.outcome, ''), coalesce(exit.reason, ''),
			EXISTS (SELECT 1 FROM chargeback WHERE chargeback.hold = hold.id AND chargeback.state = 'lost'),
			EXISTS (SELECT 1 FROM refund WHERE refund.hold = hold.id AND refund.state = 'succeeded'),
			(SELECT count(*) FROM payout WHERE payout.hold = hold.id AND payout.state <> 'settled')
		FROM hold LEFT JOIN exit ON exit.hold = hold.id WHERE charge IS NOT NULL ORDER BY charged`,
		func(rows *sql.Rows) (h hold, err error) {
			h.balances = map[string]int64{}
			return h, rows.Scan(&h.id, &h.pledge, &h.cid, &h.amount, &h.state, &h.charged, &h.exit, &h.reason, &h.lost, &h.refunded, &h.unpaid)
		})
	if err != nil {
		return nil, err
	}
	for i := range holds {
		prefix := currency + "/hold/" + holds[i].id + "/"
		accounts, err := query(ctx, db, `
			SELECT path, (SELECT coalesce(sum(amount), 0) FROM posting WHERE credit = account.id)
				- (SELECT coalesce(sum(amount), 0) FROM posting WHERE debit = account.id)
			FROM account WHERE substr(path, 1, length($1)) = $1`,
			func(rows *sql.Rows) (a account, err error) { return a, rows.Scan(&a.path, &a.balance) }, prefix)
		if err != nil {
			return nil, err
		}
		for _, a := range accounts {
			holds[i].balances[strings.TrimPrefix(a.path, prefix)] = a.balance
		}
	}
	return holds, nil
}

// judgeReceipts derives each receipt from the database, and compares it with the one in
// the repository.
func (w *World) judgeReceipts(ctx context.Context, db *sql.DB, receipts map[syntax.ATURI]*stratos.EscrowReceipt, wrong func(string, ...any)) error {
	holds, err := readHolds(ctx, db)
	if err != nil {
		return err
	}
	speaks := map[syntax.ATURI]hold{}
	for _, h := range holds { // the posted one, or else the newest
		if before, ok := speaks[h.pledge]; !ok || before.state != "posted" {
			speaks[h.pledge] = h
		}
	}
	for pledge, h := range speaks {
		receipt := receipts[pledge]
		if receipt == nil {
			wrong("hold %s of %s has no receipt", h.id, pledge)
			continue
		}
		status, reason := h.status()
		have := ""
		if receipt.Reason != nil {
			have = *receipt.Reason
		}
		if receipt.Status != status || have != reason || receipt.Value.Amount != h.amount || receipt.Subject.Cid != h.cid || receipt.Test == nil || !*receipt.Test {
			wrong("the receipt of %s says %s (%s) %d, and the ledger %s (%s) %d", pledge, receipt.Status, have, receipt.Value.Amount, status, reason, h.amount)
		}
		if err := judgeHistory(ctx, db, pledge, receipt, wrong); err != nil {
			return err
		}
	}
	for pledge := range receipts {
		if _, ok := speaks[pledge]; !ok {
			wrong("a receipt of %s, of which the ledger has no charge", pledge)
		}
	}
	return nil
}

func judgeHistory(ctx context.Context, db *sql.DB, pledge syntax.ATURI, receipt *stratos.EscrowReceipt, wrong func(string, ...any)) error {
	want, err := query(ctx, db, `SELECT status, reason FROM change WHERE pledge = $1 ORDER BY n`,
		func(rows *sql.Rows) (text string, err error) {
			var status, reason string
			err = rows.Scan(&status, &reason)
			return status + " " + reason, err
		}, pledge)
	if err != nil {
		return err
	}
	var have []string
	var before time.Time
	for _, c := range receipt.History {
		reason := ""
		if c.Reason != nil {
			reason = *c.Reason
		}
		have = append(have, c.Status+" "+reason)
		at, err := syntax.ParseDatetimeTime(c.At)
		if err != nil || at.Before(before) {
			wrong("the history of %s goes back in time, from %s to %s", pledge, before, c.At)
		}
		before = at
	}
	if !slices.Equal(have, want) {
		wrong("the history of %s is %v, and in the ledger %v", pledge, have, want)
	}
	if len(have) == 0 || have[len(have)-1] != fmt.Sprintf("%s %s", receipt.Status, textOf(receipt.Reason)) {
		wrong("the history of %s does not end with %s", pledge, receipt.Status)
	}
	return nil
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
