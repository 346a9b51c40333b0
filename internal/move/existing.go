package move

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flysql/flysql/internal/move/lite"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// Existing is the schema of a SQLite file that an app's own migrations have made.
type Existing struct {
	Tables  []*ExistingTable // by name; those of SQLite and of virtual tables are none
	Virtual []string         // virtual tables, which fill themselves
	Views   []string

	// SQL is sqlite_schema, but for SQLite's own tables, in its order.
	SQL []ExistingSQL
}

// ExistingSQL is a line of sqlite_schema.
type ExistingSQL struct{ Type, Name, Table, SQL string }

// ExistingTable is a table with all that decides which rows it takes.
type ExistingTable struct {
	Name          string
	SQL           string // CREATE TABLE
	Strict        bool
	WithoutRowID  bool
	AutoIncrement bool
	HasRows       bool
	Columns       []*ExistingColumn
	Checks        []ExistingCheck
	Uniques       []ExistingUnique // the primary key's, too
	Foreign       []ExistingForeign
	Indexes       []ExistingSQL // those that CREATE INDEX has made
	Triggers      []string      // names
}

// ExistingColumn is a column of such a table.
type ExistingColumn struct {
	Name      string
	Declared  string // "VARCHAR(20)"; "" where there is nothing
	Affinity  Affinity
	NotNull   bool // declared so, or of the key of a table WITHOUT ROWID
	Default   string
	Generated bool
	RowID     bool // the INTEGER PRIMARY KEY
}

// ExistingCheck is a CHECK.
type ExistingCheck struct {
	Expr    string
	Columns []string // those that it names
}

// ExistingUnique is a primary key, a UNIQUE constraint or a unique index.
type ExistingUnique struct {
	Columns    []string // "" where there is an expression
	Collations []string // of each: "BINARY", "NOCASE"
	Desc       []bool
	Partial    bool
	Primary    bool
	Name       string // of the index; "" where the rowid is the key
}

// ExistingForeign is a foreign key.
type ExistingForeign struct {
	Table              string // that it refers to
	Columns            []string
	OnUpdate, OnDelete string // "NO ACTION", "CASCADE"
}

// Column returns the column of that name, whatever its case, or nil.
func (t *ExistingTable) Column(name string) *ExistingColumn {
	for _, c := range t.Columns {
		if pgexpr.FoldName(c.Name) == pgexpr.FoldName(name) {
			return c
		}
	}
	return nil
}

// Table returns the table of that name, whatever its case, or nil.
func (e *Existing) Table(name string) *ExistingTable {
	for _, t := range e.Tables {
		if pgexpr.FoldName(t.Name) == pgexpr.FoldName(name) {
			return t
		}
	}
	return nil
}

// ReadExisting reads the schema of a database.
func ReadExisting(db *lite.Conn) (*Existing, error) {
	e := &Existing{}
	err := db.Rows("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid", func(s *lite.Stmt) error {
		e.SQL = append(e.SQL, ExistingSQL{s.Text(0), s.Text(1), s.Text(2), s.Text(3)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	err = db.Rows("SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name", func(s *lite.Stmt) error {
		switch s.Text(1) {
		case "table":
			e.Tables = append(e.Tables, &ExistingTable{Name: s.Text(0), WithoutRowID: s.Text(2) == "1", Strict: s.Text(3) == "1"})
		case "virtual":
			e.Virtual = append(e.Virtual, s.Text(0))
		case "view":
			e.Views = append(e.Views, s.Text(0))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	for _, t := range e.Tables {
		if err := e.readTable(db, t); err != nil {
			return nil, fmt.Errorf("read the schema: table %s: %w", t.Name, err)
		}
	}
	return e, nil
}

func (e *Existing) readTable(db *lite.Conn, t *ExistingTable) error {
	for _, s := range e.SQL {
		switch {
		case s.Type == "table" && s.Name == t.Name:
			t.SQL = s.SQL
		case pgexpr.FoldName(s.Table) != pgexpr.FoldName(t.Name):
		case s.Type == "trigger":
			t.Triggers = append(t.Triggers, s.Name)
		case s.Type == "index" && s.SQL != "":
			t.Indexes = append(t.Indexes, s)
		}
	}
	key, err := t.readColumns(db)
	if err != nil {
		return err
	}
	tokens := sqlTokens(t.SQL)
	t.AutoIncrement = slices.ContainsFunc(tokens, func(k sqlToken) bool { return k.is("autoincrement") })
	t.Checks = checksOf(t, tokens)
	if err := t.readUniques(db); err != nil {
		return err
	}
	if key != nil && !t.WithoutRowID && !slices.ContainsFunc(t.Uniques, func(u ExistingUnique) bool { return u.Primary }) {
		key.RowID = true
		t.Uniques = append([]ExistingUnique{{Columns: []string{key.Name}, Collations: []string{"BINARY"}, Desc: []bool{false}, Primary: true}}, t.Uniques...)
	}
	err = db.Rows("SELECT seq, \"table\", \"from\", on_update, on_delete FROM pragma_foreign_key_list("+pgexpr.Literal(t.Name)+") ORDER BY id DESC, seq", func(s *lite.Stmt) error {
		if s.Text(0) == "0" {
			t.Foreign = append(t.Foreign, ExistingForeign{Table: s.Text(1), OnUpdate: s.Text(3), OnDelete: s.Text(4)})
		}
		last := &t.Foreign[len(t.Foreign)-1]
		last.Columns = append(last.Columns, s.Text(2))
		return nil
	})
	if err != nil {
		return err
	}
	return db.Rows("SELECT EXISTS (SELECT 1 FROM "+pgexpr.Ident(t.Name)+")", func(s *lite.Stmt) error {
		t.HasRows = s.Text(0) == "1"
		return nil
	})
}

// readColumns returns the column that is the whole primary key, if there is such a one:
// it is the rowid where SQLite has made no index for it.
func (t *ExistingTable) readColumns(db *lite.Conn) (key *ExistingColumn, err error) {
	keys := 0
	err = db.Rows("SELECT name, type, \"notnull\", coalesce(dflt_value, ''), pk, hidden FROM pragma_table_xinfo("+pgexpr.Literal(t.Name)+") ORDER BY cid", func(s *lite.Stmt) error {
		c := &ExistingColumn{Name: s.Text(0), Declared: s.Text(1), NotNull: s.Text(2) == "1", Default: s.Text(3), Generated: s.Text(5) == "2" || s.Text(5) == "3"}
		c.Affinity = affinityOf(c.Declared, t.Strict)
		if s.Text(4) != "0" {
			key = c
			keys++
			c.NotNull = c.NotNull || t.WithoutRowID
		}
		t.Columns = append(t.Columns, c)
		return nil
	})
	if keys != 1 {
		key = nil
	}
	return key, err
}

func (t *ExistingTable) readUniques(db *lite.Conn) error {
	err := db.Rows("SELECT name, origin, partial FROM pragma_index_list("+pgexpr.Literal(t.Name)+") WHERE \"unique\" ORDER BY seq DESC", func(s *lite.Stmt) error {
		t.Uniques = append(t.Uniques, ExistingUnique{Name: s.Text(0), Primary: s.Text(1) == "pk", Partial: s.Text(2) == "1"})
		return nil
	})
	if err != nil {
		return err
	}
	for i := range t.Uniques {
		u := &t.Uniques[i]
		err := db.Rows("SELECT coalesce(name, ''), coll, desc FROM pragma_index_xinfo("+pgexpr.Literal(u.Name)+") WHERE key ORDER BY seqno", func(s *lite.Stmt) error {
			u.Columns = append(u.Columns, s.Text(0))
			u.Collations = append(u.Collations, strings.ToUpper(s.Text(1)))
			u.Desc = append(u.Desc, s.Text(2) == "1")
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
