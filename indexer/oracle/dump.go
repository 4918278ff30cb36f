package oracle

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	_ "github.com/mattn/go-sqlite3" // the index is read as it lies on disk
)

// database reads an index beside the process that writes it.
type database struct{ *sql.DB }

func openDatabase(path string) (database, error) {
	db, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_query_only=true&_busy_timeout=5000")
	if err != nil {
		return database{}, fmt.Errorf("oracle: open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	return database{db}, nil
}

// table is the rows of a table, each as the values of its columns, sorted.
type table struct {
	name string
	rows []string
}

// bookkeeping are tables that say how an index came to where it is. Two indexes
// of the same truth differ in them.
var bookkeeping = []string{
	"cursor", "meta", "repo", "actor", "discovery", "moment", "claim", "goose_db_version",
	"dirty_standing", "dirty_estimate", "dirty_proposal", "dirty_words",
	"tallied", "estimated", "estimate_ahead",
}

// countedLater are columns of estimates: what is dated ahead is counted by whatever
// comes next. Funding shows whether it was counted rightly.
var countedLater = []string{"stands", "counted", "proven"}

// fromNow are tables whose rows hold for a time and begin at the moment of
// their derivation: what has passed in them means nothing.
var fromNow = []string{"funding", "ranking"}

// rowIDs are tables with row ids of their own.
var rowIDs = []string{"record", "wording"}

// dump reads all tables that follow from records, as of now. Row ids and the
// moments of indexing are left out; every table that is not known as
// bookkeeping is compared, so that a new one is not forgotten.
func (db database) dump(ctx context.Context, now time.Time) ([]table, error) {
	names, err := query(ctx, db, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`)
	if err != nil {
		return nil, err
	}
	var out []table
	for _, name := range names {
		if slices.Contains(bookkeeping, name[0]) || strings.Contains(name[0], "_fts") {
			continue
		}
		t, err := db.table(ctx, name[0], now)
		if err != nil {
			return nil, fmt.Errorf("oracle: dump %s: %w", name[0], err)
		}
		out = append(out, t)
	}
	return out, nil
}

func (db database) table(ctx context.Context, name string, now time.Time) (table, error) {
	columns, err := query(ctx, db, `SELECT name FROM pragma_table_info('`+name+`') ORDER BY cid`)
	if err != nil {
		return table{}, err
	}
	var selected []string
	for _, c := range columns {
		switch {
		case name == "estimate" && slices.Contains(countedLater, c[0]):
		case c[0] == "indexed_at", c[0] == "id" && slices.Contains(rowIDs, name):
		case c[0] == "record_id":
			selected = append(selected, `(SELECT uri FROM record WHERE id = t.record_id) AS record`)
		case c[0] == "from_at" && slices.Contains(fromNow, name):
			selected = append(selected, fmt.Sprintf(`max(t.from_at, %d) AS from_at`, now.UnixMilli()))
		default:
			selected = append(selected, "t."+c[0]+" AS "+c[0])
		}
	}
	where := ""
	if slices.Contains(fromNow, name) {
		where = fmt.Sprintf(" WHERE t.to_at > %d", now.UnixMilli())
	}
	rows, err := query(ctx, db, `SELECT `+strings.Join(selected, ", ")+` FROM `+name+` t`+where)
	if err != nil {
		return table{}, err
	}
	t := table{name: name}
	for _, r := range rows {
		t.rows = append(t.rows, strings.Join(r, " | "))
	}
	slices.Sort(t.rows)
	return t, nil
}

// query reads any rows as text: NULL is "-", a blob is hex.
func query(ctx context.Context, q interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, text string, args ...any) ([][]string, error) {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("oracle: %s: %w", text, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out [][]string
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		line := make([]string, len(values))
		for i, v := range values {
			switch v := v.(type) {
			case nil:
				line[i] = "-"
			case []byte:
				line[i] = hex.EncodeToString(v)
			default:
				line[i] = fmt.Sprint(v)
			}
		}
		out = append(out, line)
	}
	return out, rows.Err()
}

// difference lists the rows of one kind that only one side has.
func difference(what string, want, got []string) []string {
	var out []string
	for _, row := range want {
		if _, ok := slices.BinarySearch(got, row); !ok {
			out = append(out, "missing from "+what+": "+row)
		}
	}
	for _, row := range got {
		if _, ok := slices.BinarySearch(want, row); !ok {
			out = append(out, "too many in "+what+": "+row)
		}
	}
	return out
}
