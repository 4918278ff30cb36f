package store

import (
	"context"
	"database/sql"
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite/sqlitetest"
	"github.com/stratosfund/stratosfund/lexicons"
)

var parameter = regexp.MustCompile(`\$\d+`)

// sourceStatements are the statements that stand in the package's source, by
// position, but for those to which the code adds something.
func sourceStatements(t *testing.T) map[string]string {
	t.Helper()
	return sqlitetest.Statements(t, ".", 50, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			return n.Op == token.ADD
		case *ast.CallExpr:
			return isPart(n)
		}
		return false
	})
}

// isPart reports whether a call adds something to clauses, which are explained
// where readers use them.
func isPart(call *ast.CallExpr) bool {
	method, ok := call.Fun.(*ast.SelectorExpr)
	return ok && method.Sel.Name == "add"
}

func TestStatements_ParametersAppearInOrder(t *testing.T) {
	sqlitetest.ParametersInOrder(t, ".", 50)
}

// plan explains a statement.
func plan(t *testing.T, s *testStore, statement string, args ...any) []string {
	t.Helper()
	details, err := collect(t.Context(), s.writer, `EXPLAIN QUERY PLAN `+statement, func(rows *sql.Rows) (string, error) {
		var id, parent, unused int
		var detail string
		err := rows.Scan(&id, &parent, &unused, &detail)
		return detail, err
	}, args...)
	if err != nil {
		t.Fatalf("explain %s: %v", statement, err)
	}
	return details
}

// harmless is a SCAN that does not read a table from one end to the other: the
// steps of a list in the order of an index, the elements of an argument, what a
// statement computed itself, and the queues, which are read to a limit.
var harmless = regexp.MustCompile(`^SCAN (\w+ USING (COVERING )?INDEX|\w+ VIRTUAL TABLE|CONSTANT ROW|\d+ CONSTANT|` + computed + `|dirty_\w+|touched)`)

// computed are the names of what statements compute first.
const computed = `pinned|work|project_of|attempt|w|campaigns|event|escrowed|ruled|money|happened|h|\(subquery-\d+\)`

func tableScans(details []string) (out []string) {
	for _, d := range details {
		if strings.HasPrefix(d, "SCAN ") && !harmless.MatchString(d) {
			out = append(out, d)
		}
	}
	return out
}

// readsEverything are the statements that are meant to.
var readsEverything = []string{
	"SELECT upstream, seq FROM cursor",                // status: a handful of rows
	"SELECT CASE status WHEN 'active'",                // status
	"SELECT collection, count(*) FROM record",         // status
	"SELECT invalid, count(*) FROM record",            // status
	"SELECT (SELECT count(*) FROM dirty_proposal)",    // status
	"SELECT did FROM repo",                            // once, at the start
	"UPDATE repo SET state = $1, wanted = wanted + 1", // every repository, after the stream was lost
	"UPDATE repo SET swept_at = 0",                    // every repository
	"SELECT CASE WHEN state = 'verified'",             // status
	"SELECT uri FROM project UNION SELECT project",    // rebuild
	"INSERT INTO dirty_standing (did) SELECT DISTINCT payer FROM receipt WHERE true",
	"INSERT INTO dirty_proposal (uri) SELECT uri FROM proposal WHERE true",
	"INSERT INTO dirty_words (record_id) SELECT record_id FROM proposal", // a rebuild
	"SELECT count(*) FROM project j JOIN repo o",                         // statistics
	"SELECT stage, count(*) FROM stage_interval",                         // statistics
}

func TestStatements_NoneReadsAWholeTable(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	for at, statement := range sourceStatements(t) {
		statement = strings.Join(strings.Fields(statement), " ")
		scans := tableScans(plan(t, s, statement, someArguments(statement)...))
		meant := slices.ContainsFunc(readsEverything, func(start string) bool {
			return strings.HasPrefix(statement, start) && !strings.HasSuffix(statement, "WHERE did = $3") && !strings.HasSuffix(statement, "WHERE did = $4")
		})
		if len(scans) > 0 && !meant {
			t.Errorf("%s: %s\n%s", at, statement, strings.Join(scans, "\n"))
		}
	}
}

// someArguments are as many as the statement has parameters.
func someArguments(statement string) []any {
	args := make([]any, 0, 16)
	for _, m := range parameter.FindAllString(statement, -1) {
		if !slices.Contains(args, any(m)) {
			args = append(args, m)
		}
	}
	return args
}

// A popular proposal has thousands, and each record of a backer looks for the
// backer's own.
func TestStatements_AnAccountsEstimatesAreNotLookedForAmongAProposals(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	looked := 0
	for at, statement := range sourceStatements(t) {
		if !strings.Contains(statement, "estimate") || !regexp.MustCompile(`author = \$\d+`).MatchString(statement) {
			continue
		}
		looked++
		details := strings.Join(plan(t, s, statement, someArguments(statement)...), "\n")
		if strings.Contains(details, "estimate_proposal") {
			t.Errorf("%s: %s\n%s", at, statement, details)
		}
	}
	if looked < 4 {
		t.Errorf("only %d statements were looked at", looked)
	}
}

// recorder notes the statements that pass.
type recorder struct {
	querier
	statements []recorded
}

type recorded struct {
	query string
	args  []any
}

func (r *recorder) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	r.statements = append(r.statements, recorded{query, args})
	return r.querier.QueryContext(ctx, query, args...)
}

func (r *recorder) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	r.statements = append(r.statements, recorded{query, args})
	return r.querier.QueryRowContext(ctx, query, args...)
}

func record(t *testing.T, s *testStore, fn func(*Reader) error) []recorded {
	t.Helper()
	var rec *recorder
	mustRead(t, s, func(r *Reader) error {
		rec = &recorder{querier: r.tx}
		asked := *r
		asked.tx = rec
		return fn(&asked)
	})
	return rec.statements
}

func TestListProposals_FollowsAnIndex(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	filters := map[string]ProposalFilter{
		"none":     {},
		"stages":   {Stages: []lifecycle.Stage{lifecycle.StageProposed, lifecycle.StageDevelopment}},
		"few":      {Stages: []lifecycle.Stage{lifecycle.StagePreview}},
		"project":  {Project: projectURI(alice, "p")},
		"account":  {Account: alice},
		"uri":      {URI: "https://it.example/"},
		"author":   {Author: alice},
		"backer":   {Backer: alice},
		"tag":      {Tag: "ui"},
		"currency": {Currency: "USD"},
		"words":    {Words: new("dark")},
		"all":      {Stages: []lifecycle.Stage{lifecycle.StageProposed}, Author: alice, Backer: bob, Tag: "ui", Currency: "USD", Account: bob},
	}
	for name, f := range filters {
		for _, sort := range ProposalSorts() {
			for _, after := range []*Key{nil, {Value: 5, URI: "at://x"}, {Value: -5, URI: "at://x"}, {Value: behind, URI: "at://x"}} {
				f.Sort, f.SortCurrency = sort, "USD"
				for _, st := range record(t, s, func(r *Reader) error {
					_, err := r.ListProposals(t.Context(), f, after, 50)
					return err
				}) {
					details := plan(t, s, st.query, st.args...)
					if scans := tableScans(details); len(scans) > 0 {
						t.Errorf("%s by %s reads a whole table:\n%s", sort, name, strings.Join(details, "\n"))
					}
					// A list that nothing narrows must not sort all there is for a page.
					own := name == "project" && sort == SortNew && !strings.Contains(st.query, "FROM claimed")
					if (own || name == "none" || name == "stages" || name == "currency") && slices.Contains(details, "USE TEMP B-TREE FOR ORDER BY") {
						t.Errorf("%s by %s sorts everything:\n%s", sort, name, strings.Join(details, "\n"))
					}
				}
			}
		}
	}
	for _, owner := range []syntax.DID{"", alice} {
		for _, st := range record(t, s, func(r *Reader) error {
			_, err := r.ListProjects(t.Context(), owner, &Key{Value: 5, URI: "at://x"}, 50)
			return err
		}) {
			details := plan(t, s, st.query, st.args...)
			if len(tableScans(details)) > 0 || slices.Contains(details, "USE TEMP B-TREE FOR ORDER BY") {
				t.Errorf("projects of %q:\n%s", owner, strings.Join(details, "\n"))
			}
		}
	}
}

func TestRead_StatementsDoNotGrowWithThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	const most = 100
	var records []Record
	var uris []syntax.ATURI
	for n := range most {
		records = append(records, proposal(t, alice, n, onProject(projectURI(alice, "p")), nil))
		uris = append(uris, proposalURI(alice, n))
	}
	w.apply(w.join(alice).commit(append(records, project(t, alice, "p", bob))))
	hydrate := func(uris []syntax.ATURI) int {
		statements := record(t, w.s, func(r *Reader) error {
			rows, err := r.Records(t.Context(), uris)
			if err != nil || len(rows) != len(uris) {
				return fmt.Errorf("%d records of %d: %w", len(rows), len(uris), err)
			}
			if states, err := r.ProposalStates(t.Context(), uris); err != nil || len(states) != len(uris) {
				return fmt.Errorf("%d states of %d: %w", len(states), len(uris), err)
			}
			if _, err := r.Handles(t.Context(), []syntax.DID{alice, bob}); err != nil {
				return err
			}
			_, err = r.ProjectStates(t.Context(), []syntax.ATURI{projectURI(alice, "p")})
			return err
		})
		for _, st := range statements {
			if scans := tableScans(plan(t, w.s, st.query, st.args...)); len(scans) > 0 {
				t.Errorf("%s\n%s", st.query, strings.Join(scans, "\n"))
			}
		}
		return len(statements)
	}
	if one, all := hydrate(uris[:1]), hydrate(uris); one != all || all > 6 {
		t.Errorf("%d statements for one proposal, %d for %d", one, all, most)
	}
}

// aboutOne are the reading functions that answer about one proposal, account or
// text: they read what belongs to it.
func aboutOne(t *testing.T) map[string]func(*Reader) error {
	p, after := proposalURI(alice, 1), &Key{Value: 5, URI: "at://x"}
	ctx := t.Context()
	return map[string]func(*Reader) error{
		"pledges":       func(r *Reader) error { _, err := r.ListPledges(ctx, p, after, 50); return err },
		"donations":     func(r *Reader) error { _, err := r.ListDonations(ctx, p, after, 50); return err },
		"own":           func(r *Reader) error { _, err := r.ListOwn(ctx, alice, after, 50); return err },
		"disputes":      func(r *Reader) error { _, err := r.ListDisputes(ctx, p, after, 50); return err },
		"verifications": func(r *Reader) error { _, err := r.ListVerifications(ctx, p, after, 50); return err },
		"first disputes": func(r *Reader) error {
			_, err := r.FirstDisputes(ctx, recordURI(bob, lexicons.CollectionRelease, key(1)), []syntax.DID{alice})
			return err
		},
		"disputes about": func(r *Reader) error { _, err := r.DisputesAbout(ctx, developmentURI(bob, 1), 50); return err },
		"verdicts about": func(r *Reader) error { _, err := r.VerdictsAbout(ctx, developmentURI(bob, 1), 50); return err },
		"timeline": func(r *Reader) error {
			of := Actors{Developers: []syntax.DID{bob}, Attempts: []syntax.ATURI{developmentURI(bob, 1)}}
			_, err := r.Timeline(ctx, p, of, &EventKey{URI: p, Kind: EventProposed}, 50)
			return err
		},
		"activity": func(r *Reader) error { _, err := r.Activity(ctx, alice); return err },
		"search": func(r *Reader) error {
			_, _, err := r.SearchProposals(ctx, "dark mode", ProposalFilter{Account: bob, Backer: alice}, Seen{}, 50)
			return err
		},
		"search in a project": func(r *Reader) error {
			_, _, err := r.SearchProposals(ctx, "dark mode", ProposalFilter{Project: projectURI(alice, "p")}, Seen{}, 50)
			return err
		},
		"similar": func(r *Reader) error {
			_, err := r.SearchSimilar(ctx, "dark mode", ProposalFilter{Account: bob}, 5)
			return err
		},
		"search in a crowd": func(r *Reader) error {
			r.crowd.from = 1
			_, _, err := r.SearchProposals(ctx, "dark mode", ProposalFilter{}, Seen{}, 50)
			return err
		},
		"search of a subject in a crowd": func(r *Reader) error {
			r.crowd.from = 1
			_, _, err := r.SearchProposals(ctx, "dark mode", ProposalFilter{Account: bob, Backer: alice}, Seen{}, 50)
			return err
		},
		"similar in a crowd": func(r *Reader) error {
			r.crowd.from = 1
			_, err := r.SearchSimilar(ctx, "dark mode", ProposalFilter{Account: bob}, 5)
			return err
		},
		"projects":        func(r *Reader) error { _, _, err := r.SearchProjects(ctx, "it x", "", Seen{}, 50); return err },
		"projects of one": func(r *Reader) error { _, _, err := r.SearchProjects(ctx, "it x", alice, Seen{}, 50); return err },
		"projects in a crowd": func(r *Reader) error {
			r.crowd.from = 1
			_, _, err := r.SearchProjects(ctx, "it", "", Seen{}, 50)
			return err
		},
		"projects of one in a crowd": func(r *Reader) error {
			r.crowd.from = 1
			_, _, err := r.SearchProjects(ctx, "it", alice, Seen{}, 50)
			return err
		},
	}
}

func TestReader_NothingAboutOneReadsAWholeTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	w.put(proposal(t, alice, 1, onAccount(bob), nil))
	for name, read := range aboutOne(t) {
		statements := record(t, w.s, read)
		if len(statements) == 0 {
			t.Errorf("%s asks nothing", name)
		}
		for _, st := range statements {
			details := plan(t, w.s, st.query, st.args...)
			// A scan of an index is one of a whole table here: no list goes along it.
			whole := slices.DeleteFunc(details, func(d string) bool {
				return !strings.HasPrefix(d, "SCAN ") || harmless.MatchString(d) && !strings.Contains(d, "USING")
			})
			if len(whole) > 0 {
				t.Errorf("%s: %s\n%s", name, st.query, strings.Join(whole, "\n"))
			}
			if (name == "pledges" || name == "donations") && slices.Contains(details, "USE TEMP B-TREE FOR ORDER BY") {
				t.Errorf("%s are sorted for each page:\n%s", name, strings.Join(details, "\n"))
			}
		}
	}
}

// Statistics are about everything, and are not for every request; even so they
// read no record and no row that an index spares them.
func TestStats_ReadsIndexesOnly(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	for _, st := range record(t, s, func(r *Reader) error { _, err := r.Stats(t.Context()); return err }) {
		if scans := tableScans(plan(t, s, st.query, st.args...)); len(scans) > 0 {
			t.Errorf("%s\n%s", st.query, strings.Join(scans, "\n"))
		}
	}
}

// An escrow has all the money there is, and most of what is asked is about a few payments.
func TestStatements_WhatIsPaidForOneIsNotLookedForAmongAllOfAnEscrow(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	uri := proposalURI(carol, 1)
	newWorld(t, s).put(estimate(t, alice, 1, uri, 700, "USD", nil)) // or nothing is asked of her
	for name, ask := range map[string]func(*Reader) error{
		"pledges":   func(r *Reader) error { _, err := r.ListPledges(t.Context(), uri, nil, 10); return err },
		"donations": func(r *Reader) error { _, err := r.ListDonations(t.Context(), uri, nil, 10); return err },
		"disputes":  func(r *Reader) error { _, err := r.ListDisputes(t.Context(), uri, nil, 10); return err },
		"reports":   func(r *Reader) error { _, err := r.ListVerifications(t.Context(), uri, nil, 10); return err },
		"own":       func(r *Reader) error { _, err := r.ListOwn(t.Context(), alice, nil, 10); return err },
		"built":     func(r *Reader) error { _, err := r.ListBuilt(t.Context(), alice, 10); return err },
		"activity":  func(r *Reader) error { _, err := r.Activity(t.Context(), alice); return err },
		"timeline": func(r *Reader) error {
			_, err := r.Timeline(t.Context(), uri, Actors{Attempts: []syntax.ATURI{developmentURI(bob, 1)}}, nil, 10)
			return err
		},
	} {
		asked := record(t, s, ask)
		if len(asked) == 0 {
			t.Errorf("%s asks nothing", name)
		}
		for _, st := range asked {
			details := strings.Join(plan(t, s, st.query, st.args...), "\n")
			if strings.Contains(details, "receipt_escrow") || strings.Contains(details, "campaign_escrow") {
				t.Errorf("%s: %s\n%s", name, st.query, details)
			}
		}
	}
}
