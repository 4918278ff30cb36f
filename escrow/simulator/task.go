package simulator

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// task names what time brings to an object.
type task string

const (
	taskExpireSession  task = "expire-session"
	taskFundsAvailable task = "funds-available"
	taskSettleRefund   task = "settle-refund"
	taskFailRefund     task = "fail-refund"
	taskOpenDispute    task = "open-dispute"
	taskOpenInquiry    task = "open-inquiry"
	taskWinDispute     task = "win-dispute"
	taskLoseDispute    task = "lose-dispute"
	taskWarnOfFraud    task = "warn-of-fraud"
	taskLiftRestrict   task = "lift-restriction"
	taskPayOut         task = "pay-out"
	taskPayoutArrives  task = "payout-arrives"
)

// tasks are what is done when a task is due. The object may have gone on since the
// task was planned; each looks first.
var tasks = map[task]func(*tx, string) error{
	taskExpireSession:  expireDue,
	taskFundsAvailable: fundsAvailable,
	taskSettleRefund:   settleDue,
	taskFailRefund:     failDue,
	taskOpenDispute:    disputeDue,
	taskOpenInquiry:    inquiryDue,
	taskWinDispute:     winDue,
	taskLoseDispute:    loseDue,
	taskWarnOfFraud:    warningDue,
	taskLiftRestrict:   liftDue,
	taskPayOut:         payOutDue,
	taskPayoutArrives:  arriveDue,
}

// plan notes what happens to the object at a time.
func (t *tx) plan(at time.Time, name task, object string) error {
	return t.exec("plan "+string(name), `INSERT INTO task (due, name, object) VALUES (?, ?, ?)`, at.Unix(), string(name), object)
}

// catchUp does everything that is due, in order, each at the moment it was due. What
// it plans may be due as well.
func (t *tx) catchUp() error {
	now := t.now
	defer func() { t.now = now }()
	for {
		var seq, due int64
		var name task
		var object string
		err := t.QueryRowContext(t.ctx, `SELECT seq, due, name, object FROM task WHERE due <= ? ORDER BY due, seq LIMIT 1`, now.Unix()).Scan(&seq, &due, &name, &object)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("simulator: next task: %w", err)
		}
		if err := t.exec("take task", `DELETE FROM task WHERE seq = ?`, seq); err != nil {
			return err
		}
		do, ok := tasks[name]
		if !ok {
			return fmt.Errorf("simulator: the store holds an unknown task %q", name)
		}
		t.now = time.Unix(due, 0).UTC()
		if err := do(t, object); err != nil {
			return fmt.Errorf("simulator: %s %s: %w", name, object, err)
		}
	}
}
