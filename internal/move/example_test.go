package move_test

import (
	"fmt"

	"github.com/flysql/flysql/internal/move"
)

// A schema comes from ReadSchema, or from a dump; here it is written out.
func ExampleNewPlan() {
	in := func(name string) move.Name { return move.Name{Schema: "public", Name: name} }
	builtin := func(name, sql string, mod int32) *move.Type {
		return &move.Type{Name: move.Name{Schema: "pg_catalog", Name: name}, SQL: sql, Kind: move.BaseType, Mod: mod}
	}
	schema := &move.Schema{
		Server: move.Server{Version: 150000, Database: "shop", Encoding: "UTF8", Collation: "C.UTF-8", Ctype: "C.UTF-8", Provider: "libc"},
		Tables: []*move.Table{{
			Name: in("orders"), Kind: move.PlainTable,
			Columns: []*move.Column{
				{Name: "id", Type: builtin("int8", "bigint", -1), NotNull: true, Identity: "by default"},
				{Name: "total", Type: builtin("numeric", "numeric(10,2)", 10<<16|2+4), NotNull: true, Default: "0"},
				{Name: "at", Type: builtin("timestamptz", "timestamp with time zone", -1), Default: "now()"},
			},
			Constraints: []*move.Constraint{
				{Name: "orders_pkey", Kind: move.PrimaryKey, Columns: []string{"id"}},
				{Name: "orders_total_check", Kind: move.Check, Columns: []string{"total"}, Expr: "(total >= (0)::numeric)"},
			},
			Triggers: []*move.Trigger{{Name: "orders_touch", Function: in("touch"), Enabled: "origin"}},
		}},
	}
	plan, err := move.NewPlan(schema, move.Options{Types: map[string]string{"numeric": "scaled"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(plan.Tables[0].Create)
	fmt.Println(plan.Tables[0].CopySQL())
	for _, l := range plan.Left {
		fmt.Println(l)
	}
	// Output:
	// CREATE TABLE "orders" (
	//   "id" INTEGER PRIMARY KEY AUTOINCREMENT,
	//   "total" INTEGER NOT NULL DEFAULT (0) CHECK (typeof("total") IN ('integer', 'null') AND "total" BETWEEN -9999999999 AND 9999999999),
	//   "at" DATETIME DEFAULT (rtrim(rtrim(strftime('%Y-%m-%d %H:%M:%f', 'now'), '0'), '.') || '+00:00') CHECK ("at" GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]*+00:00' AND "at" NOT GLOB '*.*0+00:00'),
	//   CONSTRAINT "orders_total_check" CHECK (("total" >= 0))
	// )
	// COPY (SELECT id, total, at FROM ONLY public.orders) TO STDOUT
	// trigger public.orders.orders_touch is not carried (danger): its function public.touch is PostgreSQL's: write it anew for SQLite, or into the app
}

// Flags of a command line win over what a file of options says.
func ExampleOverrides_Apply() {
	uuid := &move.Type{Name: move.Name{Schema: "pg_catalog", Name: "uuid"}, SQL: "uuid", Kind: move.BaseType, Mod: -1}
	table := func(schema, name string) *move.Table {
		return &move.Table{Name: move.Name{Schema: schema, Name: name}, Kind: move.PlainTable, Rows: -1, Columns: []*move.Column{{Name: "id", Type: uuid}}}
	}
	schema := &move.Schema{Tables: []*move.Table{table("audit", "log"), table("public", "orders")}}
	flags := move.Overrides{Exclude: []string{"audit.*"}, Map: []string{"orders=purchases", "orders.id=key"}, Forms: []string{"uuid=blob"}}
	options, err := flags.Apply(schema, move.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := move.NewPlan(schema, options)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range plan.Tables {
		for _, c := range t.Columns {
			fmt.Println(t.Source, "->", t.Name, c.Source.Describe(), "->", t.Declaration(c))
		}
	}
	_, err = move.Overrides{Only: []string{"order"}}.Apply(schema, options)
	fmt.Println(err)
	// Output:
	// public.orders -> purchases uuid -> "key" BLOB CHECK (typeof("key") IN ('blob', 'null') AND length("key") = 16)
	// --only order: no table is called so; orders is meant?
}
