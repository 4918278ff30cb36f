package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/admin"
	"github.com/stratosfund/stratosfund/escrow/audit"
	"github.com/stratosfund/stratosfund/indexer"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// inStatement is how many receipts of each attempt a statement counts that holds.
type inStatement map[*outcome]int

// counted checks the escrow's newest statement as anybody can, by `escrow verify-statement`,
// from public records alone. It is published once all receipts are that it counts.
func (o *outcomes) counted(ctx context.Context) (inStatement, error) {
	counts := inStatement{}
	question := audit.Question{Escrow: o.broker.account.DID, All: true}
	for _, a := range o.attempts {
		out, err := stratos.EscrowListReceipts(ctx, o.public(), "", a.development.Uri, nil, "", "")
		if err != nil {
			return nil, fmt.Errorf("list the receipts of %q: %w", a.title, err)
		}
		for _, receipt := range out.Receipts {
			question.Receipts = append(question.Receipts, syntax.ATURI(receipt.Uri).RecordKey())
		}
		counts[a] = len(out.Receipts)
	}
	anybody := indexer.Config{PLCURL: o.network.PLCURL(), RelayURLs: []string{o.network.PDSURL()}, UserAgent: "stratosfund-demo"}
	pds, err := indexer.NewAsker(anybody, o.network.Transport())
	if err != nil {
		return nil, err
	}
	auditor := audit.New(indexer.NewDirectory(anybody, o.network.Transport()), pds, time.Now)
	err = until(ctx, watchEvery, patience, func() (bool, error) {
		report, err := auditor.Audit(ctx, question)
		if err != nil {
			return false, err
		}
		if len(report.Findings) > 0 {
			return false, fmt.Errorf("the escrow's statement %s does not hold: %s", report.Ref.Uri, strings.Join(report.Findings, "; "))
		}
		return true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("check the escrow's statement: %w", err)
	}
	return counts, nil
}

// state has the escrow say what it owes, now and not only once a day, as `escrow statement`
// does.
func (b *broker) state(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+"/admin/statement", strings.NewReader("{}"))
	if err != nil {
		return fmt.Errorf("have the escrow state what it owes: %w", err)
	}
	req.SetBasicAuth(admin.User, password)
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Timeout: pageWithin}).Do(req)
	if err != nil {
		return fmt.Errorf("have the escrow state what it owes: %w", err)
	}
	said, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return fmt.Errorf("have the escrow state what it owes: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the escrow does not state what it owes: status %d, %s", resp.StatusCode, said)
	}
	return nil
}
