package contract

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"os"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
)

//go:embed package.json package-lock.json
var packages embed.FS

//go:embed check.mjs
var scripts embed.FS

var program = atmosphere.Program{Name: "escrow-contract", Packages: packages, Scripts: scripts, Main: "check.mjs"}

// Answer is what a method said.
type Answer struct {
	Method syntax.NSID `json:"method"`
	// Input is what a procedure was given; nil for a query.
	Input any `json:"input,omitempty"`
	// Body is empty for an error.
	Body json.RawMessage `json:"body,omitempty"`
}

// Violations lists for each answer where it, or what was given for it, is not what
// the lexicons in the folder say. ctx bounds the installation only.
func Violations(ctx context.Context, lexicons string, answers []Answer) ([][]string, error) {
	job, err := json.Marshal(map[string]any{"lexicons": lexicons, "answers": answers})
	if err != nil {
		return nil, fmt.Errorf("contract: write down %d answers: %w", len(answers), err)
	}
	cmd, err := program.Command(ctx, atmosphere.Config{Log: os.Stderr})
	if err != nil {
		return nil, fmt.Errorf("contract: install the reference implementation: %w", err)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(job), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("contract: run the reference implementation: %w: %s", err, stderr.Bytes())
	}
	var out [][]string
	if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
		return nil, fmt.Errorf("contract: read what the reference implementation says: %w", err)
	}
	if len(out) != len(answers) {
		return nil, fmt.Errorf("contract: %d verdicts on %d answers", len(out), len(answers))
	}
	return out, nil
}
