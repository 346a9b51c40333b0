package move_test

import (
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/move"
)

// What values look like, and what their column is declared, make a type.
func TestShape(t *testing.T) {
	for _, c := range []struct{ declared, values, want string }{
		{"INTEGER", "1 -2 9223372036854775807", "bigint"}, {"INTEGER", "t f", "boolean"}, {"INTEGER", "1 t", "text"}, {"INTEGER", "007", "text"}, {"INTEGER", "1.50 -20.25", "numeric 2"}, {"INTEGER", "1.5 1.25", "text"},
		{"INTEGER", "2024-01-01_00:00:00+02", "timestamp with time zone"}, {"INTEGER", "", "bigint"}, {"INTEGER", "9223372036854775808", "text"},
		{"REAL", "0.5 1e+20 -3", "double precision"}, {"REAL", "1.50 2.00", "numeric 2"}, {"REAL", "1.50 2.0", "text"}, {"REAL", "5 6", "double precision"}, {"REAL", "1234567890123456.50", "text"},
		{"DECIMAL(10,2)", "1.50", "numeric 2"}, {"DECIMAL(10,2)", "1 2", "bigint"}, {"DECIMAL(10,2)", "1.5 1 0.25", "double precision"}, {"DECIMAL(10,2)", "1.50 2.5", "text"},
		{"BOOLEAN", "t", "boolean"}, {"BOOLEAN", "0 1", "bigint"}, {"BOOLEAN", "yes", "text"},
		{"DATETIME", "2024-01-01_00:00:00.5+00", "timestamp with time zone"}, {"DATETIME", "2024-01-01_00:00:00", "timestamp without time zone"}, {"DATETIME", "2024-01-01", "date"}, {"DATETIME", "infinity 2024-01-01", "date"}, {"DATETIME", "2024-01-01 2024-01-01_00:00:00", "text"}, {"DATETIME", "1700000000", "bigint"},
		{"TEXT", "t f", "text"}, {"TEXT", "1", "text"}, {"TEXT", "2024-01-01_00:00:00+00", "timestamp with time zone"}, {"TEXT", "2024-01-01_00:00:00+00 x", "text"}, {"TEXT", "2024-01-01_00:00:00", "text"}, {"TEXT", "{a,b}", "text"},
		{"BLOB", `\x00ff \x`, "bytea"}, {"BLOB", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "uuid"}, {"BLOB", "hello", "text"}, {"BLOB", "", "bytea"},
		{"", "1 2", "bigint"}, {"", `\x00`, "bytea"}, {"", "x", "text"}, {"", "", "text"},
		{"JSON", `{"a":1}`, "jsonb"}, {"UUID", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "text"}, {"STRING", "007", "text"},
	} {
		db := inMemory(t, "CREATE TABLE t (v "+c.declared+")")
		var s move.Shape
		for v := range strings.FieldsSeq(c.values) {
			s.Add([]byte(strings.ReplaceAll(v, "_", " ")))
		}
		typ := s.Type(readExisting(t, db).Tables[0].Columns[0])
		got := typ.SQL
		if got == "numeric" {
			got += " " + string(rune('0'+(typ.Mod-4)&0x7ff))
		}
		if got != c.want {
			t.Errorf("%q in %q: %s, want %s", c.values, c.declared, got, c.want)
		}
	}
}
