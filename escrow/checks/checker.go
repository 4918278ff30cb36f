package checks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/stratosfund/stratosfund/indexer/gitfetch"
)

// Limits bound what a release can make us do.
type Limits struct {
	Check time.Duration // all checks of a release
	// History are those of the commit with its history, which goes to the disk.
	History gitfetch.Limits
	// Way are those of what lies between a branch and the commit, which is held in
	// memory.
	Way gitfetch.Limits
	// Tips bounds how many branches and tags are followed when none is named.
	Tips int
	// License bounds the bytes of a licence's file, and Licenses how many are read.
	License  int64
	Licenses int
}

// DefaultLimits let all but the largest repositories pass, with some hundred megabytes of
// memory.
func DefaultLimits() Limits {
	return Limits{
		Check: 20 * time.Minute,
		History: gitfetch.Limits{
			Answer: 16 << 20, Pack: 1 << 30, Objects: 1_000_000,
			Object: 128 << 20, Chain: 256 << 20, Unpacked: 16 << 30, Hops: 4,
		},
		Way: gitfetch.Limits{
			Answer: 16 << 20, Pack: 64 << 20, Objects: 500_000,
			Object: 32 << 20, Chain: 64 << 20, Unpacked: 192 << 20, Hops: 4,
		},
		Tips:    512,
		License: 256 << 10, Licenses: 32,
	}
}

// Config says how releases are checked.
type Config struct {
	// Folder is where repositories are fetched to. It belongs to the checker alone.
	Folder string
	// Transport makes the connections, and refuses those to private addresses.
	Transport http.RoundTripper
	// UserAgent says who asks.
	UserAgent string
	Limits    Limits
	Log       *slog.Logger
	Clock     func() time.Time
}

// Checker checks releases.
type Checker struct {
	folder  string
	limits  Limits
	history *gitfetch.Client
	way     *gitfetch.Client
	log     *slog.Logger
	now     func() time.Time
}

// New makes a checker, and removes what one that died has left in its folder.
func New(cfg Config) (*Checker, error) {
	if err := os.MkdirAll(cfg.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("checks: make the folder: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(cfg.Folder, copyPrefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("checks: clear the folder: %w", err)
	}
	for _, copied := range left {
		if err := os.RemoveAll(copied); err != nil {
			return nil, fmt.Errorf("checks: clear the folder: %w", err)
		}
	}
	client := func(limits gitfetch.Limits) *gitfetch.Client {
		return gitfetch.New(gitfetch.Config{Transport: cfg.Transport, UserAgent: cfg.UserAgent, Limits: limits})
	}
	return &Checker{
		folder: cfg.Folder, limits: cfg.Limits, log: cfg.Log.With("component", "checks"), now: cfg.Clock,
		history: client(cfg.Limits.History), way: client(cfg.Limits.Way),
	}, nil
}

// Check checks a release; commitment is nil where the preview made none. An error is an
// *UndecidedError.
func (c *Checker) Check(ctx context.Context, release Release, commitment *Commitment) (Report, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limits.Check)
	defer cancel()
	run := &run{Checker: c, release: release, commitment: commitment}
	defer run.close()
	steps := []step{
		{RepositoryPublic, run.findRepository},
		{CommitPresent, run.findCommit},
		{RepositoryCloneable, run.fetch},
		{LicenseOpen, run.readLicenses},
		{LicenseMatches, run.compareLicenses},
		{TreeMatches, run.compareTrees},
	}
	if commitment == nil {
		steps = steps[:len(steps)-1]
	}
	var report Report
	passed := true
	for _, step := range steps {
		check := Check{Name: step.name, CheckedAt: c.now()}
		evidence, err := c.make(ctx, step)
		failed, isFailure := errors.AsType[*failure](err)
		switch {
		case isFailure:
			check.Evidence = cut(failed.evidence)
		case err != nil:
			return Report{}, &UndecidedError{Before: report.Checks, Name: step.name, At: check.CheckedAt, err: err}
		default:
			check.Passed, check.Evidence = true, cut(evidence)
		}
		report.Checks = append(report.Checks, check)
		if passed = passed && check.Passed; !passed && run.copy == nil {
			break // the others need it
		}
	}
	if passed {
		report.Copy, run.copy = run.copy, nil
	}
	return report, nil
}

// step makes one of the checks.
type step struct {
	name Name
	make func(context.Context) (evidence string, err error)
}

// make makes a step. Strangers wrote all that it reads, and a panic over it must not end
// the process, nor count at once: it may be a defect of ours.
func (c *Checker) make(ctx context.Context, s step) (evidence string, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("a check panicked", "check", s.name, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("checks: panicked: %v", p)
		}
	}()
	return s.make(ctx)
}

// maxEvidence is how many runes of it a record holds.
const maxEvidence = 1000

func cut(evidence string) string {
	if r := []rune(evidence); len(r) > maxEvidence {
		return string(r[:maxEvidence-1]) + "…"
	}
	return evidence
}

// run is the check of one release, step by step.
type run struct {
	*Checker
	release    Release
	commitment *Commitment

	door   gitfetch.Door
	commit plumbing.Hash
	want   plumbing.Hash // an advertised name that leads to the commit
	copy   *Copy
	texts  licenseTexts
}

func (r *run) close() {
	if r.copy != nil {
		// It is in a folder that is cleared at the next start.
		_ = r.copy.Remove()
	}
}

// refused turns a repository that cannot be used into a verdict.
func refused(err error, format string, args ...any) error {
	if refusal, ok := errors.AsType[*gitfetch.RefusedError](err); ok {
		return fail("%s: "+format, append([]any{refusal.Reason}, args...)...)
	}
	return err
}
