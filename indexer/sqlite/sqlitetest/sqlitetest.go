// Package sqlitetest is for the tests of packages that keep a database: it finds the
// statements that stand in their source, and what SQLite would silently take for
// something else.
package sqlitetest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	isStatement = regexp.MustCompile(`(?s)^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\s`)
	parameter   = regexp.MustCompile(`\$(\d+)`)
)

// Statements are the statements that stand in the source of the package in the
// folder, by position. Nodes that skip returns true for are left out with all that
// is in them; skip may be nil. Fewer than there should be at least fail the test.
func Statements(t *testing.T, folder string, atLeast int, skip func(ast.Node) bool) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	fset := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(fset, name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if skip != nil && skip(n) {
				return false
			}
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil && isStatement.MatchString(text) {
					out[fset.Position(lit.Pos()).String()] = text
				}
			}
			return true
		})
	}
	if len(out) < atLeast {
		t.Fatalf("only %d statements found in %s", len(out), folder)
	}
	return out
}

// OutOfOrder returns the first parameter that does not appear in its turn. SQLite
// takes $n for names and numbers them by where they first occur.
func OutOfOrder(statement string) (parameterName string, found bool) {
	seen := 0
	for _, m := range parameter.FindAllStringSubmatch(statement, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil || n > seen+1 || n == 0 {
			return m[0], true
		}
		seen = max(seen, n)
	}
	return "", false
}

// ParametersInOrder wants the parameters of each statement of a package in their
// turn.
func ParametersInOrder(t *testing.T, folder string, atLeast int) {
	t.Helper()
	for at, statement := range Statements(t, folder, atLeast, nil) {
		if p, bad := OutOfOrder(statement); bad {
			t.Errorf("%s: %s is out of turn", at, p)
		}
	}
}
