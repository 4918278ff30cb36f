package lexicons

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const conformance = "conformance"

// verdicts is what conformance/check.mjs prints.
type verdicts struct {
	Lexicons int                `json:"lexicons"`
	Verdicts map[string]*string `json:"verdicts"` // nil: accepted
}

// divergence is a file that the two validators disagree about.
type divergence struct {
	File    string `json:"file"`
	Accepts string `json:"accepts"` // "indigo" or "npm": the one that does
	Why     string `json:"why"`
}

func TestConformanceWithTheReferenceImplementation(t *testing.T) {
	t.Parallel()
	got := runReference(t)
	if want := len(Schemas()); got.Lexicons != want {
		t.Errorf("the reference read %d lexicons instead of %d", got.Lexicons, want)
	}
	examples := loadExamples(t)
	if len(got.Verdicts) != len(examples) {
		t.Errorf("%d verdicts for %d examples", len(got.Verdicts), len(examples))
	}
	listed := loadDivergences(t)
	for _, e := range examples {
		npm, ok := got.Verdicts[e.file]
		if !ok {
			t.Errorf("no verdict on %s", e.file)
			continue
		}
		accepts := acceptedBy(e.indigo() == nil, npm == nil)
		if d, ok := listed[e.file]; ok {
			delete(listed, e.file)
			if accepts != d.Accepts {
				t.Errorf("%s is listed as accepted by %s, and is accepted by %s", e.file, d.Accepts, accepts)
			}
			continue
		}
		if accepts != "both" && accepts != "neither" {
			t.Errorf("%s is accepted by %s", e.file, accepts)
		}
	}
	for file := range listed {
		t.Errorf("%s is listed as a divergence and does not exist", file)
	}
}

func acceptedBy(indigo, npm bool) string {
	switch {
	case indigo && npm:
		return "both"
	case indigo:
		return "indigo"
	case npm:
		return "npm"
	}
	return "neither"
}

func loadDivergences(t *testing.T) map[string]divergence {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("examples", "divergences.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list []divergence
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	byFile := make(map[string]divergence, len(list))
	for _, d := range list {
		if d.Why == "" {
			t.Errorf("%s diverges without a reason", d.File)
		}
		byFile[d.File] = d
	}
	return byFile
}

// runReference runs the npm validator over all lexicons and examples. Without it
// nothing is known, so a failure to install is a failure of the test.
func runReference(t *testing.T) verdicts {
	t.Helper()
	// npm writes this file last, and writes it again when the lock has changed.
	installed := filepath.Join(conformance, "node_modules", ".package-lock.json")
	if stale(t, installed, filepath.Join(conformance, "package-lock.json")) {
		run(t, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	}
	var out verdicts
	if err := json.Unmarshal(run(t, "node", "check.mjs"), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func stale(t *testing.T, file, source string) bool {
	t.Helper()
	have, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.Stat(source)
	if err != nil {
		t.Fatal(err)
	}
	return want.ModTime().After(have.ModTime())
}

func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = conformance, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, stderr.String())
	}
	return stdout.Bytes()
}
