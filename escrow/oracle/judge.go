package oracle

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// end is how a world ended.
type end struct {
	paid              int
	statuses, reasons map[string]int
	stories           map[ending]int
}

// left says what is not at its end yet: webhooks, records, campaigns, money.
func (w *World) left(ctx context.Context) (left []string, err error) {
	r, err := w.processor.records(ctx)
	if err != nil {
		return nil, err
	}
	if r.undelivered > 0 {
		left = append(left, fmt.Sprintf("%d webhooks", r.undelivered))
	}
	receipts, err := w.receipts()
	if err != nil {
		return nil, err
	}
	for _, p := range w.pledges {
		for range r.charges[p.uri()] {
			receipt := receipts[p.uri()]
			switch {
			case receipt == nil:
				left = append(left, "a receipt of "+p.uri().String())
			case receipt.Status != statusRefunded && receipt.Status != statusChargedBack && receipt.Status != statusReleased:
				left = append(left, fmt.Sprintf("%s is %s", p.uri(), receipt.Status))
			}
		}
	}
	campaigns, err := w.campaigns()
	if err != nil {
		return nil, err
	}
	for _, a := range w.attempts {
		if c := campaigns[a.development.URI]; c == nil {
			left = append(left, "a campaign of "+a.author.name)
		} else if c.Phase != phaseRefunded && c.Phase != phaseReleased {
			left = append(left, fmt.Sprintf("the campaign of %s is %s", a.author.name, c.Phase))
		}
	}
	db, err := w.escrow.open()
	if err != nil {
		return nil, err
	}
	defer db.Close()
	for _, unfinished := range []string{
		`SELECT 'money stands still: ' || reason || ': ' || detail FROM halt WHERE lifted_at IS NULL`,
		`SELECT 'hint of ' || kind || ' ' || object || ', tries ' || tries FROM hint WHERE done_at IS NULL`,
		`SELECT collection || ' of ' || subject || ', tries ' || tries FROM outbox WHERE done < wanted`,
		`SELECT 'intent ' || kind || ' ' || id || ', tries ' || tries FROM intent WHERE object IS NULL AND refused IS NULL`,
		`SELECT 'hold ' || id || ' of ' || pledge FROM hold WHERE state = 'pending'`,
		`SELECT 'payment ' || id || ' of ' || subject || ' ' || state FROM payment WHERE state = 'open' OR state = 'processing'`,
	} {
		texts, err := query(ctx, db, unfinished, func(rows *sql.Rows) (text string, err error) { return text, rows.Scan(&text) })
		if err != nil {
			return nil, err
		}
		left = append(left, texts...)
	}
	return left, nil
}

// reconciled asks the escrow to compare itself with the processor.
func (w *World) reconciled(ctx context.Context) error {
	return w.await(ctx, "the escrow reconciles", func() ([]string, error) {
		answer, busy, err := w.escrow.admin(ctx, "reconcile", fields{})
		switch {
		case err != nil:
			return nil, err
		case busy:
			return []string{"an answer"}, nil
		case answer.Report == nil || !answer.Report.Clean() || answer.Report.Flying > 0:
			return nil, fmt.Errorf("%w: reconcile: %s %+v", ErrWrong, answer.Sentence, answer.Report)
		}
		return nil, nil
	})
}

// judge compares everything when all is over.
func (w *World) judge(ctx context.Context) (end, error) {
	if err := w.reconciled(ctx); err != nil {
		return end{}, err
	}
	r, err := w.processor.records(ctx)
	if err != nil {
		return end{}, err
	}
	receipts, err := w.receipts()
	if err != nil {
		return end{}, err
	}
	var findings []string
	wrong1 := func(format string, args ...any) { findings = append(findings, fmt.Sprintf(format, args...)) }
	rulings, err := w.rulings()
	if err != nil {
		return end{}, err
	}
	w.judgeProcessor(r, wrong1)
	stories := map[*attempt]ending{}
	for _, a := range w.attempts {
		stories[a] = w.judgeStory(a, r, rulings, wrong1)
	}
	w.judgeRulings(rulings, wrong1)
	earned := w.judgePayouts(r, stories, wrong1)
	out := w.judgePledges(r, receipts, stories, wrong1)
	if err := w.judgeLedger(ctx, r, receipts, earned, wrong1); err != nil {
		return end{}, err
	}
	if err := wrong(findings); err != nil {
		return end{}, err
	}
	for _, s := range stories {
		out.stories[s]++
	}
	return out, w.judgeNewcomer(ctx, w.shownMoney(r, receipts), stories)
}

// judgeProcessor looks for money that moved twice.
func (w *World) judgeProcessor(r *records, wrong func(string, ...any)) {
	for subject, charges := range r.charges {
		if len(charges) > 1 {
			wrong("charged twice: %s, %d times", subject, len(charges))
		}
		if subject == "" || charges[0].mark.Escrow != w.escrow.account.DID {
			wrong("a charge %s of nobody's", charges[0].ID)
		}
		for _, c := range charges {
			w.judgeCharge(c, r, wrong)
		}
	}
	for payee, accounts := range r.payees {
		if accounts > 1 {
			wrong("%s has %d accounts at the processor", payee, accounts)
		}
	}
	if sum := r.balance.Available + r.balance.Pending; sum != r.balance.Net {
		wrong("the processor's balance is %d, and its movements add up to %d", sum, r.balance.Net)
	}
}

func (w *World) judgeCharge(c *charge, r *records, wrong func(string, ...any)) {
	succeeded, _, pending := c.refunded()
	if succeeded > 1 || pending > 0 {
		wrong("charge %s of %d has %d refunds that succeeded and %d under way", c.ID, c.Amount, succeeded, pending)
	}
	var back int64
	for _, refund := range c.refunds {
		if refund.Status == "succeeded" {
			back += refund.Amount
		}
	}
	lost := c.lost(r.movements)
	if back > c.Amount {
		wrong("charge %s of %d: %d were refunded", c.ID, c.Amount, back)
	}
	// A bank may take what was refunded already; the escrow refunds nothing that a bank has.
	if back > 0 && lost > 0 && !w.disputedAfterRefund(c) && back+lost > c.Amount {
		wrong("charge %s of %d: a bank kept %d, and then %d were refunded", c.ID, c.Amount, lost, back)
	}
}

// disputedAfterRefund reports whether some bank took the money after it had gone back.
func (w *World) disputedAfterRefund(c *charge) bool {
	for _, d := range c.disputes {
		for _, refund := range c.refunds {
			if refund.Status == "succeeded" && refund.Created <= d.Created {
				return true
			}
		}
	}
	return false
}

// receipts are those of the escrow's repository, by pledge. Each has to be valid.
func (w *World) receipts() (map[syntax.ATURI]*stratos.EscrowReceipt, error) {
	out := map[syntax.ATURI]*stratos.EscrowReceipt{}
	err := w.published(lexicons.CollectionReceipt, func(key syntax.RecordKey, record lexicons.Record) error {
		receipt := record.(*stratos.EscrowReceipt)
		subject := syntax.ATURI(receipt.Subject.Uri)
		if lexicons.DerivedKey(subject) != key {
			return fmt.Errorf("%w: the receipt of %s is at %s", ErrWrong, subject, key)
		}
		out[subject] = receipt
		return nil
	})
	return out, err
}

// campaigns are those of the escrow's repository, by development.
func (w *World) campaigns() (map[syntax.ATURI]*stratos.EscrowCampaign, error) {
	out := map[syntax.ATURI]*stratos.EscrowCampaign{}
	err := w.published(lexicons.CollectionCampaign, func(_ syntax.RecordKey, record lexicons.Record) error {
		campaign := record.(*stratos.EscrowCampaign)
		out[syntax.ATURI(campaign.Development.Uri)] = campaign
		return nil
	})
	return out, err
}

// published reads the records of a collection. What somebody else has written over, the
// escrow repairs; until then it is left out.
func (w *World) published(collection syntax.NSID, each func(syntax.RecordKey, lexicons.Record) error) error {
	return w.records(collection, func(key syntax.RecordKey, raw []byte) error {
		record, err := lexicons.ParseRecord(w.escrow.account.DID, collection, key, raw)
		if err != nil {
			return nil
		}
		return each(key, record)
	})
}

// records goes through a collection of the escrow's repository.
func (w *World) records(collection syntax.NSID, each func(syntax.RecordKey, []byte) error) error {
	for path, raw := range w.escrow.account.Contents(collection) {
		_, key, _ := strings.Cut(path, "/")
		if err := each(syntax.RecordKey(key), raw); err != nil {
			return err
		}
	}
	return nil
}

// judgePledges compares each receipt with what may have become of its pledge.
func (w *World) judgePledges(r *records, receipts map[syntax.ATURI]*stratos.EscrowReceipt, stories map[*attempt]ending, wrong func(string, ...any)) end {
	out := end{statuses: map[string]int{}, reasons: map[string]int{}, stories: map[ending]int{}}
	known := map[syntax.ATURI]bool{}
	for _, p := range w.pledges {
		known[p.uri()] = true
		receipt, charges := receipts[p.uri()], r.charges[p.uri()]
		if len(charges) == 0 {
			if receipt != nil {
				wrong("%s has a receipt, and nobody paid", p.uri())
			}
			continue
		}
		out.paid++
		if receipt == nil {
			wrong("%s was paid, and has no receipt", p.uri())
			continue
		}
		c := charges[0]
		may := w.endsOf(p, c, r, stories[p.attempt])
		out.statuses[receipt.Status]++
		reason := ""
		if receipt.Reason != nil {
			reason = *receipt.Reason
		}
		out.reasons[reason]++
		if !slices.Contains(may.statuses, receipt.Status) {
			wrong("%s of %s is %s, and can only be %v", p.uri(), p.backer.name, receipt.Status, may.statuses)
		}
		if !slices.Contains(may.reasons, reason) {
			wrong("%s of %s is %s because %s, and can only be because %v", p.uri(), p.backer.name, receipt.Status, reason, may.reasons)
		}
		if receipt.Value.Amount != c.Amount || receipt.Value.Currency != currency || receipt.Subject.Cid != may.cid || receipt.Payer != p.backer.DID.String() {
			wrong("the receipt of %s says %d %s of %s, and %d were charged for %s", p.uri(), receipt.Value.Amount, receipt.Value.Currency, receipt.Subject.Cid, c.Amount, may.cid)
		}
	}
	for subject := range receipts {
		if !known[subject] {
			wrong("a receipt of %s, which nobody pledged", subject)
		}
	}
	return out
}

// account is a line of the chart, added up from the postings.
type account struct {
	path    string
	balance int64 // debits less credits
}

// judgeLedger adds everything up by itself, from the postings alone.
func (w *World) judgeLedger(ctx context.Context, r *records, receipts map[syntax.ATURI]*stratos.EscrowReceipt, earned fees, wrong func(string, ...any)) error {
	if err := w.escrow.end(false); err != nil {
		return err
	}
	if err := w.verify(ctx, wrong); err != nil {
		return err
	}
	db, err := w.escrow.open()
	if err != nil {
		return err
	}
	defer db.Close()
	accounts, err := query(ctx, db, `
		SELECT path, (SELECT coalesce(sum(amount), 0) FROM posting WHERE debit = account.id)
			- (SELECT coalesce(sum(amount), 0) FROM posting WHERE credit = account.id) FROM account`,
		func(rows *sql.Rows) (a account, err error) { return a, rows.Scan(&a.path, &a.balance) })
	if err != nil {
		return err
	}
	w.judgeAccounts(accounts, r, earned, wrong)
	if err := judgeMovements(ctx, db, r, wrong); err != nil {
		return err
	}
	return w.judgeReceipts(ctx, db, receipts, wrong)
}

// verify lets the ledger verify itself.
func (w *World) verify(ctx context.Context, wrong func(string, ...any)) error {
	s, err := store.OpenReadOnly(ctx, w.escrow.database())
	if err != nil {
		return err
	}
	defer s.Close()
	report, err := ledger.New(s.Mode()).Verify(ctx, s, nil, nil)
	if err != nil {
		return err
	}
	for _, f := range report.Findings {
		wrong("verify: %s", f)
	}
	return nil
}

func (w *World) judgeAccounts(accounts []account, r *records, earned fees, wrong func(string, ...any)) {
	var sum, owed int64
	for _, a := range accounts {
		sum += a.balance
		switch parts := strings.Split(a.path, "/"); {
		case a.path == currency+"/processor" && a.balance != r.balance.Net:
			wrong("the ledger has %d at the processor, and the processor %d", a.balance, r.balance.Net)
		case a.path == currency+"/fee-income" && (-a.balance < earned.least || -a.balance > earned.most):
			wrong("the operator has earned %d, and not %d to %d", -a.balance, earned.least, earned.most)
		case parts[1] == "hold" || parts[1] == "attempt":
			owed -= a.balance
			if a.balance != 0 {
				wrong("%s is at %d when all is over", a.path, a.balance)
			}
		}
	}
	if sum != 0 || owed != 0 {
		wrong("the accounts add up to %d, and %d are owed", sum, owed)
	}
}

// judgeMovements looks for each movement of the processor's balance in the ledger, and
// the other way round.
func judgeMovements(ctx context.Context, db *sql.DB, r *records, wrong func(string, ...any)) error {
	const prefix = "balance-transaction/"
	posted, err := query(ctx, db, `SELECT reference FROM entry WHERE reference LIKE 'balance-transaction/%'`,
		func(rows *sql.Rows) (reference string, err error) { return reference, rows.Scan(&reference) })
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, reference := range posted {
		there[strings.TrimPrefix(reference, prefix)] = true
	}
	for _, m := range r.movements {
		if !there[m.ID] {
			wrong("movement %s of %d (%s) is not in the ledger", m.ID, m.Amount, m.Type)
		}
		delete(there, m.ID)
	}
	for id := range there {
		wrong("the ledger has a movement %s, and the processor has not", id)
	}
	return nil
}

func query[T any](ctx context.Context, db *sql.DB, text string, scan func(*sql.Rows) (T, error), args ...any) (list []T, err error) {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("oracle: read the escrow's database: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("oracle: read the escrow's database: %w", err)
		}
		list = append(list, one)
	}
	return list, rows.Err()
}
