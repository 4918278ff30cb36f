package escrow

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocs_NameTestsThatAreThere: who reads what an attack comes to finds the test.
func TestDocs_NameTestsThatAreThere(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(|^\t+\{"(\w[^"]+)", `) // tests, and the stories of tables
	inTest := ""
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." {
			return errOrSkip(err)
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		for _, name := range declared.FindAllSubmatch(source, -1) {
			if story := string(name[2]); story != "" {
				there[inTest+"/"+story] = true
				continue
			}
			inTest = string(name[1])
			there[inTest] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("..", "docs", "escrow.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+(?:/[^`]+)?)`").FindAllSubmatch(text, -1)
	if len(named) == 0 {
		t.Error("no test is named")
	}
	for _, name := range named {
		if !there[string(name[1])] {
			t.Errorf("there is no %s", name[1])
		}
	}
}

// TestDocs_MetricsToAlarmOnAreThere: an alarm on a name that nobody exports is silent.
func TestDocs_MetricsToAlarmOnAreThere(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "docs", "escrow.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(stratos_escrow_\\w+)`").FindAllSubmatch(text, -1)
	if len(named) < 10 {
		t.Fatalf("%d metrics are named", len(named))
	}
	w := newWorld(t)
	w.until("all metrics are there", func() bool {
		families, err := w.service.registry.Gather()
		w.ok(err)
		there := map[string]bool{}
		for _, f := range families {
			there[f.GetName()] = true
		}
		return !slices.ContainsFunc(named, func(name [][]byte) bool { return !there[string(name[1])] })
	})
}

// TestDocs_EachRowOfChargebacksNamesItsTest: who changes a row finds what holds it.
func TestDocs_EachRowOfChargebacksNamesItsTest(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "docs", "escrow.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "### Chargebacks")
	rows := 0
	for line := range strings.Lines(rest) {
		if strings.HasPrefix(line, "#") {
			break
		}
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| what happened") {
			continue
		}
		rows++
		if !strings.Contains(line, "| `Test") {
			t.Errorf("no test is named for the row %s", line)
		}
	}
	if rows == 0 {
		t.Error("there is no row")
	}
}

// errOrSkip leaves a folder out that was there to be read.
func errOrSkip(err error) error {
	if err != nil {
		return err
	}
	return fs.SkipDir
}
