package move_test

import (
	"context"
	"fmt"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/lite"
)

// What an app's own migrations have made is read from its file; here it is made in memory.
func ExampleNewExistingPlan() {
	ctx := context.Background()
	builtin := func(name, sql string) *move.Type {
		return &move.Type{Name: move.Name{Schema: "pg_catalog", Name: name}, SQL: sql, Kind: move.BaseType, Mod: -1}
	}
	schema := &move.Schema{Tables: []*move.Table{{
		Name: move.Name{Schema: "public", Name: "guests"}, Kind: move.PlainTable,
		Columns: []*move.Column{
			{Name: "id", Type: builtin("int8", "bigint"), NotNull: true},
			{Name: "vip", Type: builtin("bool", "boolean")},
			{Name: "seen", Type: builtin("timestamptz", "timestamp with time zone")},
			{Name: "fullName", Type: builtin("text", "text")},
		},
	}}}
	db, err := lite.Open(ctx, ":memory:", false)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	if err := db.Exec(`CREATE TABLE Guests (id INTEGER PRIMARY KEY, vip TEXT CHECK (vip IN ('true', 'false')), seen INTEGER, full_name TEXT)`); err != nil {
		fmt.Println(err)
		return
	}
	existing, err := move.ReadExisting(db)
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := move.NewExistingPlan(ctx, schema, existing, move.ExistingOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range plan.Tables[0].Columns {
		fmt.Println(c.Source.Name, "->", c.Name, c.Form.Name)
	}
	fmt.Println(plan.Fits())
	// Output:
	// id -> id integer
	// vip -> vip true
	// PostgreSQL's data does not fit into the schema:
	//   public.guests.seen -> Guests.seen: danger (form-open): timestamp with time zone in a column that is declared INTEGER may be meant in several ways: say form = "micros" or "seconds" or "millis"
	//   public.guests."fullName": danger (column-missing): Guests has no column "fullName" in SQLite: "full_name" is meant? name = says so; else add it in a migration, or skip = true leaves its values out
}
