package checks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Name is what was checked, as fund.stratos.escrow.campaign knows it.
type Name string

// The checks, in their order.
const (
	RepositoryPublic    Name = "repository-public"
	CommitPresent       Name = "commit-present"
	RepositoryCloneable Name = "repository-cloneable"
	LicenseOpen         Name = "license-open"
	LicenseMatches      Name = "license-matches"
	TreeMatches         Name = "tree-matches"
)

// Check is one of them.
type Check struct {
	Name   Name `json:"name"`
	Passed bool `json:"passed"`
	// Evidence says what was seen, and what to repair when it failed.
	Evidence  string    `json:"evidence"`
	CheckedAt time.Time `json:"checkedAt"`
}

// Report is what was found out about a release.
type Report struct {
	Checks []Check
	// Copy is the commit with its history, when all checks passed. It is the caller's,
	// to keep and to remove.
	Copy *Copy
}

// Passed reports whether the release can be accepted.
func (r Report) Passed() bool { return r.Copy != nil }

// UndecidedError says that a check could not be made to its end. Nothing is known about
// the release that would count against it.
type UndecidedError struct {
	// Before are the checks that were made until then, all of them passed.
	Before []Check
	Name   Name
	At     time.Time
	err    error
}

func (e *UndecidedError) Error() string { return fmt.Sprintf("checks: %s: %v", e.Name, e.err) }

// Unwrap is what went wrong.
func (e *UndecidedError) Unwrap() error { return e.err }

// Ours reports whether the trouble is this machine's, so that nobody else can end it.
func (e *UndecidedError) Ours() bool {
	_, path := errors.AsType[*fs.PathError](e.err)
	_, link := errors.AsType[*os.LinkError](e.err)
	return path || link || errors.Is(e.err, context.Canceled)
}

// Verdict are the checks as they count when nobody wants to ask again, because a check
// could not be made for long: what we could not see cannot be had by others either. There
// is none while the trouble is ours.
func (e *UndecidedError) Verdict() (checks []Check, ok bool) {
	if e.Ours() {
		return nil, false
	}
	evidence := fmt.Sprintf("It could not be found out, again and again: %v. Make sure that everybody can clone the repository over https, or release it elsewhere.", e.err)
	return append(e.Before[:len(e.Before):len(e.Before)], Check{Name: e.Name, CheckedAt: e.At, Evidence: cut(evidence)}), true
}

// failure is a verdict against the release.
type failure struct{ evidence string }

func (f *failure) Error() string { return f.evidence }

func fail(format string, args ...any) error { return &failure{fmt.Sprintf(format, args...)} }
