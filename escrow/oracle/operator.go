package oracle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/stratosfund/stratosfund/escrow/admin"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
)

// mostDooms is how many ends wait for the escrow at the same time.
const mostDooms = 4

// doom lets a coming life of the escrow end at a crash point, perhaps when it is passed
// once more.
func (o *operator) doom(points ...crashpoint.Point) {
	o.add(doom{pick(o.w.dice, points), 1 + o.w.IntN(2)})
}

func (o *operator) add(d doom) {
	if len(o.dooms) == mostDooms {
		o.dooms = o.dooms[1:] // perhaps nobody passes there
	}
	o.w.note("an escrow will die at the %d. %s", d.Nth, d.Point)
	o.dooms = append(o.dooms, d)
}

// doomNow ends the life of the escrow, and dooms the next one to end at one of the points:
// those of moments that come too seldom for a doom that waits for them.
func (w *World) doomNow(points ...crashpoint.Point) error {
	w.escrow.add(doom{pick(w.dice, points), 1})
	return w.escrow.end(true)
}

// database is where the ledger lies.
func (o *operator) database() string { return filepath.Join(o.folder, databaseFile) }

const backupFile = "backup.db"

// backup copies the ledger, also while the escrow runs. The copy before is replaced.
func (o *operator) backup(ctx context.Context) error {
	to := filepath.Join(o.folder, backupFile)
	if err := remove(to); err != nil {
		return err
	}
	from, err := store.OpenReadOnly(ctx, o.database())
	if err != nil {
		return fmt.Errorf("oracle: back up: %w", err)
	}
	o.w.note("the operator backs up")
	return errors.Join(from.Backup(ctx, to), from.Close())
}

// restore puts the last backup in the place of the ledger, if there is one.
func (o *operator) restore(ctx context.Context) error {
	from := filepath.Join(o.folder, backupFile)
	copied, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("oracle: read the backup: %w", err)
	}
	if err := o.end(true); err != nil {
		return err
	}
	if o.releasing(ctx) {
		return nil
	}
	o.w.note("the operator restores the backup")
	o.w.fired.fire(FaultRestore)
	database := o.database()
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := remove(database + suffix); err != nil {
			return err
		}
	}
	if err := os.WriteFile(database, copied, 0o600); err != nil {
		return fmt.Errorf("oracle: restore the backup: %w", err)
	}
	return nil
}

// releasing reports whether a campaign was published in a phase that no restored database
// comes to by itself: a person has to look then, and there is none here.
func (o *operator) releasing(ctx context.Context) bool {
	if err := o.w.listen(ctx); err != nil {
		return true // the next one who listens says it
	}
	for _, a := range o.w.attempts {
		if c := a.published(); c != nil && (c.Release != nil || c.Phase == phaseChecking) {
			return true
		}
	}
	return false
}

// admin orders something of the running escrow, and reads its answer. Busy reports that it
// wants to be asked later, or is not there.
func (o *operator) admin(ctx context.Context, action string, in fields) (answer admin.Answer, busy bool, err error) {
	raw, err := json.Marshal(in)
	if err != nil {
		return answer, false, fmt.Errorf("oracle: order %s: %w", action, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, publicURL+"/admin/"+action, bytes.NewReader(raw))
	if err != nil {
		return answer, false, fmt.Errorf("oracle: order %s: %w", action, err)
	}
	req.SetBasicAuth(admin.User, adminPassword)
	req.Header.Set("Content-Type", "application/json")
	resp, err := o.w.browser.Do(req)
	if err != nil {
		return answer, true, nil // a kill broke the connection
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer, true, nil
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusUnprocessableEntity, http.StatusConflict:
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return answer, true, nil
	default:
		return answer, false, fmt.Errorf("%w: %s is answered with status %d: %s", ErrWrong, action, resp.StatusCode, body)
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return answer, false, fmt.Errorf("%w: %s is answered with %s", ErrWrong, action, body)
	}
	o.w.note("%s %v: %s", action, in["pledge"], answer.Sentence)
	return answer, false, nil
}

// claims lets the operator look after refunds that banks have sent back: they are sent
// again now and then, and else paid from elsewhere, on which nobody waits any more.
func (w *World) claims(ctx context.Context, again bool) error {
	receipts, err := w.receipts()
	if err != nil {
		return err
	}
	for _, p := range w.pledges {
		if receipt := receipts[p.uri()]; receipt == nil || receipt.Status != statusRefundFailed {
			continue
		}
		order := fields{"pledge": p.uri(), "because": "The bank sent it back."}
		if again && !p.sentAgain {
			p.sentAgain = true
			if _, _, err := w.escrow.admin(ctx, "retry-refund", order); err != nil {
				return err
			}
			continue
		}
		p.paidOtherwise = true // perhaps: the answer may be lost
		order["evidence"] = strings.Repeat("5e", 32)
		if _, _, err := w.escrow.admin(ctx, "paid-otherwise", order); err != nil {
			return err
		}
	}
	return nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("oracle: remove %s: %w", path, err)
	}
	return nil
}
