package frompostgres_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/flysql/flysql/appdb"
)

// Arguments that the two engines take in different ways.
type (
	money int64         // cents
	list  []string      // an array
	ago   time.Duration // a moment, which PostgreSQL computes itself
)

// question is one statement of queries.sql: what both engines are given, and what both
// must answer. as is what the columns are, for SQLite has fewer types: an id that is made
// anew is "any".
type question struct {
	name string
	args []any
	as   string
	want []string
}

// Each statement of queries.sql answers as that of postgres/queries.sql on the rows it was
// imported from. What a case writes, the questions after it in the same case see.
func TestQueries(t *testing.T) {
	t.Parallel()
	pg, w, dir := magazine(t)
	file := w.imported(t, pg, dir)
	db, err := appdb.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn := pg.Conn()
	was, is := statements(t, filepath.Join(dir, "postgres", "queries.sql")), statements(t, filepath.Join(dir, "queries.sql"))
	dollars := map[string]string{} // as PostgreSQL has them, which SQLite takes too
	for name, text := range is {
		dollars[name] = strings.ReplaceAll(text, "?", "$")
	}

	const postAs, leaving = "int text text text bool money json time", `1|leaving-postgres|Leaving PostgreSQL, calmly|published|true|450|["sqlite","go","two words"]|2026-01-02T03:04:05.678901Z`
	const etudes = `2|etudes|Études à l'aube|published|false|0|["musique","say \"hi\""]|2026-02-01T01:30:00Z`
	const cent = `3|one-cent|100% of one_cent \ more|published|false|1|[]|2026-02-01T00:00:00Z`
	post := func(slug, want string) question { return question{"post_by_slug", []any{slug}, postAs, []string{want}} }
	search := func(text, tag string, want ...string) question {
		return question{"search_posts", []any{text, tag}, postAs, want}
	}
	const ada, readerAs = "ADA@example.COM", "any text text bool json text time"
	read := func(seconds int, finished bool, want string) question {
		return question{"add_read", []any{"etudes", ada, seconds, finished, ago(0)}, "any int", []string{want}}
	}
	stats := question{"stats", nil, "text int int time", []string{
		"etudes|667|17|2026-01-03T13:52:19.001999Z", "one-cent|667|17|2026-01-03T13:53:20.002Z", "leaving-postgres|666|16|2026-01-03T13:51:18.001998Z",
		"taken-back|0|0|NULL", "unfinished|0|0|NULL"}}

	tests := map[string][]question{
		"post":            {post("leaving-postgres", leaving), post("taken-back", `5|taken-back|Taken back|withdrawn|false|99999999|["{}","a,b"]|2025-12-24T18:00:00Z`), post("unfinished", `4|unfinished|Unfinished|draft|false|1200|["go"]|NULL`)},
		"title":           {{"post_by_title", []any{"éTUDES À L'AUBE"}, postAs, []string{etudes}}, {"post_by_title", []any{"études"}, postAs, nil}},
		"search all":      {search("", "", etudes, cent, leaving)},
		"search in case":  {search("POSTGRESQL, c", "", leaving)},
		"search signs":    {search(`100\% of one\_cent \\`, "", cent), search(`1\_0`, "")},
		"search tag":      {search("", "two words", leaving), search("", "Go"), search("", `say "hi"`, etudes), search("dawn", "go"), search("À L", "", etudes)},
		"desk":            {{"desk", nil, "text text time", []string{"unfinished|draft|NULL", "etudes|published|2026-02-01T01:30:00Z", "one-cent|published|2026-02-01T00:00:00Z", "leaving-postgres|published|2026-01-02T03:04:05.678901Z", "taken-back|withdrawn|2025-12-24T18:00:00Z"}}},
		"tags":            {{"tags", nil, "text int", []string{"go|2", "a,b|1", "musique|1", `say "hi"|1`, "sqlite|1", "two words|1", "{}|1"}}},
		"add post":        {{"add_post", []any{"new", "New: '", "draft", money(1), list{"a", `b"`}, ago(0)}, "any", []string{"*"}}, {"post_by_slug", []any{"new"}, "any text text text bool money json time", []string{`*|new|New: '|draft|false|1|["a","b\""]|NULL`}}},
		"publish at once": {{"add_post", []any{"new", "New", "published", money(0), list{}, ago(0)}, "any", []string{"*"}}, {"desk", nil, "text text any", []string{"unfinished|draft|*", "new|published|*", "etudes|published|*", "one-cent|published|*", "leaving-postgres|published|*", "taken-back|withdrawn|*"}}},
		"add tag":         {{"add_tag", []any{"one-cent", "x"}, "json", []string{`["x"]`}}, {"add_tag", []any{"one-cent", "x"}, "json", nil}, {"add_tag", []any{"unfinished", "y"}, "json", []string{`["go","y"]`}}},
		"feature":         {{"unfeature", nil, "", nil}, {"feature", []any{"etudes"}, "int", []string{"2"}}, post("leaving-postgres", strings.Replace(leaving, "true", "false", 1)), post("etudes", strings.Replace(etudes, "false", "true", 1))},
		"delete":          {{"delete_post", []any{"unfinished"}, "int", []string{"4"}}, {"delete_post", []any{"unfinished"}, "int", nil}, {"delete_post", []any{"etudes"}, "int", []string{"2"}}, {"stats", nil, "text int int any", []string{"one-cent|667|17|*", "leaving-postgres|666|16|*", "taken-back|0|0|*"}}},
		"reader":          {{"reader_by_email", []any{ada}, readerAs, []string{`*|Ada@Example.com|Ada|true|{"mails":["weekly","new \"posts\""],"theme":"dark"}|dark|2025-03-30T00:59:59.123456Z`}}, {"reader_by_email", []any{"emile@example.com"}, readerAs, []string{"*|emile@example.com|Émile|false|{}|NULL|2025-12-31T23:59:59Z"}}},
		"add reader":      {{"add_reader", []any{"new@example.com", "New", ago(0)}, "any", []string{"*"}}, {"reader_by_email", []any{"NEW@example.com"}, "any text text bool json text any", []string{"*|new@example.com|New|false|{}|NULL|*"}}},
		"set theme":       {{"set_theme", []any{ada, `li"ght`}, "text", []string{`li"ght`}}, {"set_theme", []any{"emile@example.com", "dark"}, "text", []string{"dark"}}, {"reader_by_email", []any{ada}, "any any any any json any any", []string{`*|*|*|*|{"mails":["weekly","new \"posts\""],"theme":"li\"ght"}|*|*`}}},
		"read":            {read(10, false, "*|10"), read(90, true, "*|90"), read(60, true, "*|90"), read(5, false, "*|5"), {"reads_lately", []any{ago(30 * 24 * time.Hour)}, "int", []string{"3"}}},
		"buy":             {{"buy", []any{"leaving-postgres", "emile@example.com", ago(0)}, "money", []string{"450"}}, {"buy", []any{"leaving-postgres", ada, ago(0)}, "money", nil}},
		"revenue":         {{"revenue", nil, "text money", []string{"2026-01|450", "2026-02|21", "2026-03|10"}}},
		"stats":           {stats},
	}
	asked := map[string]bool{}
	for what, questions := range tests {
		for _, q := range questions {
			asked[q.name] = true
		}
		t.Run(what, func(t *testing.T) { // not in parallel: one connection each
			inPostgres(t, conn, was, questions)
			inSQLite(t, db, is, questions)
			inSQLite(t, db, dollars, questions)
		})
	}
	for name := range is {
		if !asked[name] {
			t.Errorf("%s is not asked", name)
		}
	}
}

// statements reads a file of them, by their names.
func statements(t *testing.T, file string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, part := range strings.Split(string(data), "-- name: ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		all[name] = strings.TrimSuffix(strings.TrimSpace(text), ";")
	}
	return all
}

func inPostgres(t *testing.T, conn *pgx.Conn, sql map[string]string, questions []question) {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	for _, q := range questions {
		var args []any
		for _, a := range q.args {
			switch a := a.(type) {
			case money:
				args = append(args, fmt.Sprintf("%d.%02d", a/100, a%100))
			case list:
				args = append(args, []string(a))
			case ago:
			default:
				args = append(args, a)
			}
		}
		rows, err := tx.Query(t.Context(), sql[q.name], args...)
		if err != nil {
			t.Fatalf("PostgreSQL: %s: %v", q.name, err)
		}
		var got []string
		for rows.Next() {
			values, err := rows.Values()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, line(t, q.as, values))
		}
		if err := rows.Err(); err != nil {
			t.Fatalf("PostgreSQL: %s: %v", q.name, err)
		}
		if diff := cmp.Diff(q.want, got); diff != "" {
			t.Errorf("PostgreSQL: %s (-want +got):\n%s", q.name, diff)
		}
	}
}

var errBack = errors.New("rolled back")

func inSQLite(t *testing.T, db *appdb.DB, statements map[string]string, questions []question) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *sql.Tx) error {
		for _, q := range questions {
			got, err := askSQLite(t, tx, statements[q.name], q)
			if err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
			if diff := cmp.Diff(q.want, got); diff != "" {
				t.Errorf("SQLite: %s (-want +got):\n%s", q.name, diff)
			}
		}
		return errBack
	})
	if !errors.Is(err, errBack) {
		t.Errorf("SQLite: %v", err)
	}
}

func askSQLite(t *testing.T, tx *sql.Tx, statement string, q question) (got []string, err error) {
	t.Helper()
	var args []any
	for _, a := range q.args {
		switch a := a.(type) {
		case list:
			data, err := json.Marshal(a)
			if err != nil {
				return nil, err
			}
			args = append(args, string(data))
		case ago:
			args = append(args, time.Now().Add(-time.Duration(a)))
		default:
			args = append(args, a)
		}
	}
	rows, err := tx.QueryContext(t.Context(), statement, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		got = append(got, line(t, q.as, values))
	}
	return got, rows.Err()
}

// line is a row as text, by what its columns are.
func line(t *testing.T, as string, values []any) string {
	t.Helper()
	kinds := strings.Fields(as)
	if len(kinds) != len(values) {
		t.Fatalf("%d columns, want %q", len(values), as)
	}
	var out []string
	for i, v := range values {
		s, err := cell(kinds[i], v)
		if err != nil {
			t.Fatalf("column %d of %q: %v", i+1, as, err)
		}
		out = append(out, s)
	}
	return strings.Join(out, "|")
}

func cell(kind string, v any) (string, error) {
	if kind == "any" {
		return "*", nil
	}
	switch v := v.(type) {
	case nil:
		return "NULL", nil
	case string:
		switch kind {
		case "text":
			return v, nil
		case "json":
			var data any
			if err := json.Unmarshal([]byte(v), &data); err != nil {
				return "", err
			}
			return cell(kind, data)
		case "time": // a computed one
			at, err := time.Parse("2006-01-02 15:04:05.999999999-07:00", v)
			return at.UTC().Format(time.RFC3339Nano), err
		}
	case []any, map[string]any:
		data, err := json.Marshal(v)
		return string(data), err
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), nil
	case bool:
		return fmt.Sprint(v), nil
	case int32, int64:
		if kind == "bool" {
			return fmt.Sprint(v == int64(1)), nil
		}
		return fmt.Sprint(v), nil
	case pgtype.Numeric:
		cents := new(big.Int).Mul(v.Int, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(v.Exp)+2), nil))
		return cents.String(), nil
	}
	return "", fmt.Errorf("a %s is %T", kind, v)
}
