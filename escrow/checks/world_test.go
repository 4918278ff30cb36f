package checks_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow/checks"
	"github.com/stratosfund/stratosfund/indexer/claims/claimstest"
)

const (
	forge      = "forge.web.test"
	name       = "dev/it"
	repository = "https://" + forge + "/" + name
)

// mit is the text of a licence, as projects have it.
const mit = `MIT License

Copyright (c) 2026 The Developers

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`

type world struct {
	*claimstest.Web
	t         *testing.T
	transport http.RoundTripper
	limits    checks.Limits
	folder    string
	log       bytes.Buffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Web: claimstest.New(t), t: t, limits: checks.DefaultLimits(), folder: filepath.Join(t.TempDir(), "checks")}
	w.transport = w.Web
	return w
}

// commit adds a commit to the forge's repository, and returns its name.
func (w *world) commit(files map[string]string) string {
	w.t.Helper()
	w.Repository(w.t, forge, name, files)
	return w.git("rev-parse", "HEAD")
}

func (w *world) bare() string { return w.Folder(forge, name) }

// git runs git in the forge's repository, and returns what it says.
func (w *world) git(args ...string) string {
	w.t.Helper()
	return git(w.t, "", append([]string{"--git-dir", w.bare()}, args...)...)
}

func git(t *testing.T, input string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=Test", "-c", "user.email=test@web.test"}, args...)...)
	cmd.Stdin, cmd.Stderr = strings.NewReader(input), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

func (w *world) checker() *checks.Checker {
	w.t.Helper()
	c, err := checks.New(checks.Config{
		Folder: w.folder, Transport: w.transport, UserAgent: "test", Limits: w.limits,
		Log:   slog.New(slog.NewTextHandler(&w.log, nil)),
		Clock: func() time.Time { return time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func release(commit string) checks.Release {
	return checks.Release{Repository: repository, Commit: commit, License: "MIT"}
}

func (w *world) check(r checks.Release, commitment *checks.Commitment) (checks.Report, error) {
	w.t.Helper()
	report, err := w.checker().Check(w.t.Context(), r, commitment)
	if report.Copy != nil {
		w.t.Cleanup(func() {
			if err := report.Copy.Remove(); err != nil {
				w.t.Error(err)
			}
		})
	}
	return report, err
}

// passes wants all checks to pass, and gives the copy.
func (w *world) passes(r checks.Release, commitment *checks.Commitment) *checks.Copy {
	w.t.Helper()
	report, err := w.check(r, commitment)
	if err != nil || !report.Passed() {
		w.t.Fatalf("%v, %+v", err, report.Checks)
	}
	return report.Copy
}

// fails wants a check to fail for a reason.
func (w *world) fails(r checks.Release, commitment *checks.Commitment, name checks.Name, reason string) {
	w.t.Helper()
	report, err := w.check(r, commitment)
	if err != nil || report.Passed() {
		w.t.Fatalf("%v, %+v", err, report.Checks)
	}
	for _, c := range report.Checks {
		if c.Name == name && !c.Passed && strings.Contains(c.Evidence, reason) {
			w.isClean()
			return
		}
	}
	w.t.Errorf("%+v, want that %s fails: %q", report.Checks, name, reason)
}

// undecided wants a check not to come to an end for a reason.
func (w *world) undecided(r checks.Release, name checks.Name, reason string) {
	w.t.Helper()
	report, err := w.check(r, nil)
	undecided, ok := errors.AsType[*checks.UndecidedError](err)
	if !ok || undecided.Name != name || !strings.Contains(undecided.Error(), reason) {
		w.t.Fatalf("%v, %+v, want that %s is undecided: %q", err, report.Checks, name, reason)
	}
	verdict, ok := undecided.Verdict()
	if !ok || len(verdict) == 0 {
		w.t.Fatalf("%v is ours", err)
	}
	if last := verdict[len(verdict)-1]; last.Passed || last.Name != name || !strings.Contains(last.Evidence, reason) {
		w.t.Errorf("for lack of an answer: %+v", last)
	}
	w.isClean()
}

// isClean wants nothing to stay of what was fetched.
func (w *world) isClean() {
	w.t.Helper()
	left, err := os.ReadDir(w.folder)
	if err != nil || len(left) > 0 {
		w.t.Errorf("left behind: %v, %v", left, err)
	}
}

// stopped is a context that has ended.
func stopped(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
