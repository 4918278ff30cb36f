package reposync_test

import (
	"io"
	"log/slog"
	"os"
	"testing"
)

// The reference implementation logs what it skips; the tests know.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	os.Exit(m.Run())
}
