package move_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/internal/move"
)

// overridden is a schema of tables whose names are plain and not.
func overridden() *move.Schema {
	builtin := func(name string) *move.Type {
		return &move.Type{Name: move.Name{Schema: "pg_catalog", Name: name}, SQL: name, Kind: move.BaseType, Mod: -1}
	}
	mood := &move.Type{Name: move.Name{Schema: "public", Name: "mood"}, SQL: "mood", Kind: move.EnumType, Mod: -1}
	table := func(schema, name string, columns ...string) *move.Table {
		t := &move.Table{Name: move.Name{Schema: schema, Name: name}, Kind: move.PlainTable}
		for _, c := range columns {
			t.Columns = append(t.Columns, &move.Column{Name: c, Type: builtin("uuid")})
		}
		return t
	}
	s := &move.Schema{Tables: []*move.Table{
		table("audit", "log", "id", "what"), table("audit", "users", "id"), table("extra", "log", "id"), table("public", "events", "id", "at"),
		table("public", "events_2024", "id", "at"), table("public", "orders", "id", "Total=Sum"), table("public", "users", "id", "email"), table("public", `We"ird.tbl`, "a.b"),
	}}
	s.Tables[3].Kind = move.PartitionedTable
	s.Tables[4].PartitionOf = &s.Tables[3].Name
	s.Tables[6].Columns = append(s.Tables[6].Columns, &move.Column{Name: "mood", Type: mood})
	return s
}

func TestOverrides(t *testing.T) {
	skip := move.TableOptions{Skip: true}
	column := func(name string, o move.ColumnOptions) move.TableOptions {
		return move.TableOptions{Columns: map[string]move.ColumnOptions{name: o}}
	}
	type tables = map[string]move.TableOptions
	for name, tt := range map[string]struct {
		file  move.Options
		flags move.Overrides
		want  move.Options
		err   string
	}{
		"nothing": {},
		"plain": {move.Options{Schemas: "prefix", Special: "keep"}, move.Overrides{Schemas: "bare", Special: "null"},
			move.Options{Schemas: "bare", Special: "null"}, ""},
		"only, without a dot": {move.Options{}, move.Overrides{Only: []string{"users"}},
			move.Options{Tables: tables{"audit.log": skip, "extra.log": skip, "public.events": skip, "public.orders": skip, `public."We""ird.tbl"`: skip}}, ""},
		"only, with patterns": {move.Options{}, move.Overrides{Only: []string{"audit.*", "public.?rders", `public.We"*`}},
			move.Options{Tables: tables{"extra.log": skip, "public.events": skip, "public.users": skip}}, ""},
		"only, over a file that skips": {move.Options{Tables: tables{"public.orders": skip, "audit.log": {Name: "trail"}}}, move.Overrides{Only: []string{"orders"}},
			move.Options{Tables: tables{"audit.log": skip, "audit.users": skip, "extra.log": skip, "public.events": skip, "public.users": skip, `public."We""ird.tbl"`: skip}}, ""},
		"exclude": {move.Options{Tables: tables{"public.orders": {Name: "purchases"}}}, move.Overrides{Exclude: []string{"*log", "extra.*"}},
			move.Options{Tables: tables{"audit.log": skip, "extra.log": skip, "public.orders": {Name: "purchases"}}}, ""},
		"where": {move.Options{}, move.Overrides{Where: []string{"users=email = 'a=b'", `"We""ird.tbl" = true`}},
			move.Options{Tables: tables{"public.users": {Where: "email = 'a=b'"}, `public."We""ird.tbl"`: {Where: "true"}}}, ""},
		"map a table": {move.Options{}, move.Overrides{Map: []string{"audit.log=trail", "users=people"}},
			move.Options{Tables: tables{"audit.log": {Name: "trail"}, "public.users": {Name: "people"}}}, ""},
		"map a column": {move.Options{Tables: tables{"public.orders": column("id", move.ColumnOptions{Form: "blob"})}}, move.Overrides{Map: []string{`orders."Total=Sum"=total`, "public.orders.id=key"}},
			move.Options{Tables: tables{"public.orders": {Columns: map[string]move.ColumnOptions{"id": {Form: "blob", Name: "key"}, "Total=Sum": {Name: "total"}}}}}, ""},
		"a column with a dot": {move.Options{}, move.Overrides{Map: []string{`public."We""ird.tbl"."a.b"=ab`}},
			move.Options{Tables: tables{`public."We""ird.tbl"`: column("a.b", move.ColumnOptions{Name: "ab"})}}, ""},
		"forms": {move.Options{Types: map[string]string{"uuid": "text"}}, move.Overrides{Forms: []string{"uuid=blob", "mood=text", "orders.id=text"}},
			move.Options{Types: map[string]string{"uuid": "blob", "public.mood": "text"}, Tables: tables{"public.orders": column("id", move.ColumnOptions{Form: "text"})}}, ""},

		"no such table":     {flags: move.Overrides{Where: []string{"user=true"}}, err: "--where user: there is no such table; users is meant?"},
		"two of a name":     {flags: move.Overrides{Where: []string{"log=true"}}, err: "--where log: there are audit.log and extra.log: name the schema, too"},
		"a partition":       {flags: move.Overrides{Only: []string{"events_2024"}}, err: "--only events_2024: no table is called so; it is a partition of public.events, and comes with it"},
		"no such column":    {flags: move.Overrides{Map: []string{"users.emial=e"}}, err: "--map users.emial: public.users has no column emial; email is meant?"},
		"no such type":      {flags: move.Overrides{Forms: []string{"uid=blob"}}, err: "--form uid: no column is of that type; uuid is meant?"},
		"no value":          {flags: move.Overrides{Map: []string{"users=", "=users", `"users=x`}}, err: `--map "\"users=x": write it as in --map 'orders=purchases'`},
		"a wrong word":      {flags: move.Overrides{Special: "drop"}, err: `special = "drop": it is refuse, keep or null`},
		"a NUL in the name": {flags: move.Overrides{Map: []string{"users=a\x00"}}, err: "tables.public.users: name: a NUL"},
	} {
		t.Run(name, func(t *testing.T) {
			before := clone(tt.file)
			got, err := tt.flags.Apply(overridden(), tt.file)
			if diff := cmp.Diff(before, clone(tt.file)); diff != "" {
				t.Errorf("the options that were given have changed (-before +after):\n%s", diff)
			}
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(clone(tt.want), clone(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if _, err := move.NewPlan(overridden(), got); err != nil && !strings.Contains(name, "forms") {
				t.Errorf("no plan: %v", err)
			}
		})
	}
}

// clone copies options, with maps where there are none.
func clone(o move.Options) move.Options {
	types, tables := map[string]string{}, map[string]move.TableOptions{}
	for k, v := range o.Types {
		types[k] = v
	}
	for k, v := range o.Tables {
		columns := map[string]move.ColumnOptions{}
		for name, c := range v.Columns {
			columns[name] = c
		}
		v.Columns = columns
		tables[k] = v
	}
	o.Types, o.Tables = types, tables
	return o
}

// Whatever somebody types ends, and names no table that is not there.
func FuzzOverrides(f *testing.F) {
	for _, seed := range []string{"users=x", "*a*b*c*d*e*f*", `"a.b"."c"=d`, "mood=text", "?", "audit.*"} {
		f.Add(seed)
	}
	s := overridden()
	names := map[string]bool{}
	for _, t := range s.Tables {
		names[t.String()] = true
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, v := range []move.Overrides{{Only: []string{text}}, {Exclude: []string{text}}, {Where: []string{text}}, {Map: []string{text}}, {Forms: []string{text}}} {
			o, err := v.Apply(s, move.Options{})
			if err != nil {
				continue
			}
			for name := range o.Tables {
				if !names[name] {
					t.Errorf("%q: options of %s", text, name)
				}
			}
		}
	})
}
