package bench

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

func TestRun_ReportsBothContendersAndTheVerification(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	cfg := Config{Folder: t.TempDir(), Writers: []int{1, 8}, Rounds: 2, Length: 50 * time.Millisecond, Postings: 3000}
	if err := Run(t.Context(), cfg, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n| 1 | ", "\n| 8 | ", "3000 postings of 1500 entries over 1502 accounts"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
