package move_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/testkit"
)

// With functions = "none", what another driver would lack is left out, and named.
func TestPlanWithoutFunctions(t *testing.T) {
	t.Parallel()
	db := everything(t)
	db.Exec("ALTER TABLE parent ADD COLUMN lower_code text DEFAULT lower('É')")
	p := newPlan(t, readSchema(t, db), move.Options{Functions: "none"})
	if text := strings.Join(p.DDL(), "\n"); len(p.Functions) > 0 || strings.Contains(text, "pg_") {
		t.Errorf("functions %v in\n%s", p.Functions, text)
	}
	var left []string
	for _, l := range p.Left {
		if strings.Contains(l.Reason, "which only package appdb has") {
			left = append(left, l.Kind+" "+l.Name)
		}
	}
	want := []string{"generated column public.parent.twice", "check public.parent.mail (public.email)", "default public.parent.lower_code", "index public.parent.lower_idx"}
	if d := cmp.Diff(want, left); d != "" {
		t.Errorf("left, -want +got:\n%s", d)
	}
	target := openSQLite(t, p)
	execute(t, target, p.After())
	sound(t, target)
}

// A plan's file of options makes the same plan.
func TestPlanTOML(t *testing.T) {
	t.Parallel()
	db := everything(t)
	db.Exec("INSERT INTO parent (code, price, feeling, updated_at) VALUES ('a', 12.50, 'sad', 'infinity'); INSERT INTO child VALUES (1, NULL, NULL, 'note'), (1, NULL, NULL, NULL); INSERT INTO events VALUES ('2024-05-05 00:00:00.5', 'x')")
	s := readSchema(t, db)
	for name, o := range map[string]move.Options{
		"defaults": {},
		"others": {Schemas: "bare", Special: convert.Keep, Types: map[string]string{"numeric": "scaled", "timestamptz": "micros", "uuid": "blob"}, Tables: map[string]move.TableOptions{
			"public.child":          {Name: `chi"ld`, Where: "note <> ''", Columns: map[string]move.ColumnOptions{"note": {Name: "a\nb", Special: convert.Refuse}}},
			"public.heir":           {Skip: true},
			"public.dropped":        {Columns: map[string]move.ColumnOptions{"a": {Skip: true}}},
			"public.events":         {WithoutRowID: true, Columns: map[string]move.ColumnOptions{"at": {Form: "appdb"}}},
			`public."We""ird; tbl"`: {Columns: map[string]move.ColumnOptions{"c\"d\ne": {Name: "plain"}}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlan(t, s, o)
			if name == "others" {
				target := openSQLite(t, p)
				if rows := fill(t, db, p, target); rows != 3 {
					t.Errorf("%d rows, want 3: one that where leaves out", rows)
				}
				sound(t, target)
			}
			read, err := move.ReadOptions("flysql-import.toml", p.TOML())
			if err != nil {
				t.Fatalf("%v\n%s", err, p.TOML())
			}
			again := newPlan(t, s, read)
			if d := cmp.Diff(p.DDL(), again.DDL()); d != "" {
				t.Errorf("its options make another plan:\n%s", d)
			}
			if d := cmp.Diff(string(p.TOML()), string(again.TOML())); d != "" && name == "others" {
				third, err := move.ReadOptions("again", again.TOML())
				if err != nil || !bytes.Equal(newPlan(t, s, third).TOML(), again.TOML()) {
					t.Errorf("its options do not settle: %v\n%s", err, d)
				}
			}
		})
	}
}

func TestPlanOptionsThatDoNotFit(t *testing.T) {
	t.Parallel()
	s := readSchema(t, everything(t))
	_, err := move.NewPlan(s, move.Options{Types: map[string]string{"numeric": "exact"}, Tables: map[string]move.TableOptions{
		"public.parnt": {Skip: true}, "public.parent": {Columns: map[string]move.ColumnOptions{"pirce": {}, "code": {Form: "blob"}}}}})
	for _, want := range []string{"there is no table public.parnt; public.parent is meant?", "has no column pirce; price is meant?", `types: numeric = "exact": it has "text", "scaled", "real"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: no %q", err, want)
		}
	}
	_, err = move.NewPlan(s, move.Options{Tables: map[string]move.TableOptions{"public.parent": {Columns: map[string]move.ColumnOptions{"price": {Form: "blob"}}}}})
	if want := `public.parent.price: form "blob": a column of type numeric(10,2) has "text" or "scaled" or "real"`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestReadOptionsErrors(t *testing.T) {
	for in, want := range map[string]string{
		"specail = \"keep\"":                          `f.toml:1:1: unknown key "specail"; "special" is meant?`,
		"\n[tables.\"public.t\"]\nnmae = \"x\"":       `f.toml:3:1: unknown key "tables.public.t.nmae"; "name" is meant?`,
		"[tables.t.columns.c]\nfrom = \"x\"":          `f.toml:2:1: unknown key "tables.t.columns.c.from"; "form" is meant?`,
		"schemas = 1":                                 "f.toml:1:11: ",
		"a = ":                                        "f.toml:1:4: ",
		"functions = \"some\"":                        `f.toml: functions = "some": it is appdb or none`,
		"special = \"drop\"":                          `f.toml: special = "drop": it is refuse, keep or null`,
		"[tables.t.columns.c]\nspecial = \"\\u0001\"": `f.toml: tables.t.columns.c: special = "\x01": it is`,
	} {
		if _, err := move.ReadOptions("f.toml", []byte(in)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
}

// A plan says by what the database sorted, if anything does.
func TestPlanCollation(t *testing.T) {
	t.Parallel()
	icu := readSchema(t, testkit.Postgres(t, "LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' LOCALE 'C.UTF-8'")).Server
	icu.Database = "test"
	for _, c := range []struct {
		server move.Server
		want   string
	}{
		{icu, "test: warning (collation-order): text sorts by its bytes, and not as de-DE: capitals before small letters, é after z"},
		{move.Server{}, "the database: warning (collation-order): text sorts by its bytes, whatever the database's collation is, which a dump does not say: capitals before small letters, é after z"},
		{move.Server{Collation: "C.UTF-8", Provider: "builtin"}, ""},
		{move.Server{Collation: "C", Provider: "icu"}, "the database: warning (collation-order): text sorts by its bytes, and not as C: capitals before small letters, é after z"},
	} {
		got := ""
		for _, l := range newPlan(t, &move.Schema{Server: c.server}, move.Options{}).Losses {
			got += l.String()
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.server, got, c.want)
		}
	}
}
