// Package environment is what the commands share about their surroundings: the
// .env file, variables that must be known, the logger, and the signals that ask
// a process to stop.
package environment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/joho/godotenv"
	"github.com/urfave/cli/v3"
)

// LoadDotEnv reads .env of the working directory if it is there. What the
// environment says already wins.
func LoadDotEnv() error {
	if err := godotenv.Load(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read .env: %w", err)
	}
	return nil
}

// CheckKnown refuses variables that begin with prefix and that no flag of the
// command reads: a mistyped setting must not be a silent default.
func CheckKnown(prefix string, environ []string, cmd *cli.Command) error {
	known := knownVars(cmd)
	var unknown []string
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, prefix) && !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	slices.Sort(known)
	return fmt.Errorf("unknown variable %s; known are %s", strings.Join(unknown, ", "), strings.Join(slices.Compact(known), ", "))
}

func knownVars(cmd *cli.Command) []string {
	var known []string
	for _, f := range cmd.Flags {
		if documented, ok := f.(cli.DocGenerationFlag); ok {
			known = append(known, documented.GetEnvVars()...)
		}
	}
	for _, sub := range cmd.Commands {
		known = append(known, knownVars(sub)...)
	}
	return known
}

// Logger writes lines for people to w, or JSON for machines.
func Logger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log-level: want debug, info, warn or error, got %q", level)
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("log-format: want text or json, got %q", format)
}

// UntilStopped is a context that ends when the process is asked to stop. A
// second request is not caught: it ends the process at once.
func UntilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, cancel)
	return ctx, cancel
}
