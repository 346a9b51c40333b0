package transfer

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// broken collects what of a schema that is there the rows break.
type broken struct {
	db   *lite.Conn
	plan *move.Plan
	list []move.Mismatch
}

// mostNamed is how many rows a mismatch names.
const mostNamed = 3

func isConstraint(err error) bool {
	const constraint = 19 // SQLITE_CONSTRAINT
	var refused *lite.Error
	return errors.As(err, &refused) && refused.Code&0xff == constraint
}

// tell adds what rows break, which a condition finds.
func (b *broken) tell(id, table, message, hint, from string) error {
	n := int64(0)
	err := b.db.Rows("SELECT count(*) FROM "+from, func(s *lite.Stmt) error {
		n = s.Column(0).Int
		return nil
	})
	if err != nil || n == 0 {
		return err
	}
	m := move.Mismatch{ID: id, Severity: move.Danger, Target: table, Rows: n, Hint: hint}
	i := slices.IndexFunc(b.plan.Tables, func(t *move.TablePlan) bool { return pgexpr.FoldName(t.Name) == pgexpr.FoldName(table) })
	key := ""
	if i >= 0 {
		t := b.plan.Tables[i]
		m.Source = t.Source.String()
		if key, err = b.keys(t, from); err != nil {
			return err
		}
	}
	rows := "1 row breaks "
	if n > 1 {
		rows = fmt.Sprintf("%d rows break ", n)
	}
	m.Message = rows + message + key
	b.list = append(b.list, m)
	return nil
}

// keys names the first rows by their keys.
func (b *broken) keys(t *move.TablePlan, from string) (string, error) {
	if len(t.Key) == 0 {
		return "", nil
	}
	var rows []string
	err := b.db.Rows(fmt.Sprintf("SELECT %s FROM %s ORDER BY %[1]s LIMIT %[3]d", identifiers(t.Key), from, mostNamed), func(s *lite.Stmt) error {
		var key []string
		for i := range t.Key {
			key = append(key, s.Text(i))
		}
		rows = append(rows, "("+strings.Join(short(key), ", ")+")")
		return nil
	})
	return ": " + strings.Join(t.Key, ", ") + " = " + strings.Join(rows, ", "), err
}

// index tells which rows keep a unique index from being made.
func (b *broken) index(i placed) error {
	for _, t := range b.plan.Existing.Tables {
		for _, u := range t.Uniques {
			if u.Name != i.called() {
				continue
			}
			message := "the unique index " + i.name + " (" + strings.Join(u.Columns, ", ") + ")"
			if i.auto != "" {
				message = map[bool]string{true: "PRIMARY KEY", false: "UNIQUE"}[u.Primary] + " (" + strings.Join(u.Columns, ", ") + ")"
			}
			hint := "make them different in PostgreSQL, or change that in a migration"
			if slices.Contains(u.Columns, "") || u.Partial {
				b.list = append(b.list, move.Mismatch{ID: "unique-rows", Severity: move.Danger, Target: t.Name, Message: "rows break " + message, Hint: hint})
				return nil
			}
			return b.tell("unique-rows", t.Name, message, hint, repeated(t, u))
		}
	}
	return fmt.Errorf("%s: its rows are not unique", i.name)
}

// repeated are the rows of a table that a unique index has in common with others.
func repeated(t *move.ExistingTable, u move.ExistingUnique) string {
	var columns, grouped, not []string
	for i, c := range u.Columns {
		columns = append(columns, pgexpr.Ident(c))
		grouped = append(grouped, pgexpr.Ident(c)+" COLLATE "+u.Collations[i])
		not = append(not, pgexpr.Ident(c)+" IS NOT NULL")
	}
	by := strings.Join(grouped, ", ")
	return fmt.Sprintf("%s WHERE (%s) IN (SELECT %s FROM %[1]s WHERE %[4]s GROUP BY %[2]s HAVING count(*) > 1)", pgexpr.Ident(t.Name), by, strings.Join(columns, ", "), strings.Join(not, " AND "))
}

// checks tells which rows break a CHECK: all of them were off while the rows came.
func (b *broken) checks() error {
	for _, t := range b.plan.Tables {
		for _, c := range t.Target.Checks {
			err := b.tell("check-rows", t.Name, "CHECK ("+c.Expr+")", "mend them in PostgreSQL, or the CHECK in a migration", pgexpr.Ident(t.Name)+" WHERE NOT ("+c.Expr+"\n)")
			if err != nil {
				hint := ""
				if strings.Contains(err.Error(), "no such function") {
					hint = "; flysql does not have the app's own functions: take the CHECK out for the import"
				}
				return fmt.Errorf("%s: CHECK (%s): %w%s", t.Name, c.Expr, err, hint)
			}
		}
	}
	return nil
}

// foreignKeys tells which tables have rows that refer to none.
func (b *broken) foreignKeys() error {
	type pair struct{ table, parent string }
	var order []pair
	rows := map[pair]int64{}
	err := b.db.Rows("PRAGMA foreign_key_check", func(s *lite.Stmt) error {
		p := pair{s.Text(0), s.Text(2)}
		if rows[p]++; rows[p] == 1 {
			order = append(order, p)
		}
		return nil
	})
	for _, p := range order {
		b.list = append(b.list, move.Mismatch{ID: "foreign-key-rows", Severity: move.Danger, Target: p.table, Rows: rows[p], Message: fmt.Sprintf("%d rows refer to a row of %s that is not there", rows[p], p.parent)})
	}
	return err
}
