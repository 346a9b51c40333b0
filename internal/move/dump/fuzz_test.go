package dump_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/dump"
)

// FuzzDump: whatever a dump holds, it is refused, or it can be planned, and its rows are
// as many as were counted, each of as many fields as were asked for.
func FuzzDump(f *testing.F) {
	old, err := os.ReadFile("testdata/old.sql")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(old))
	for _, body := range []string{
		"CREATE TABLE public.t (a integer, b numeric(3,1)[] DEFAULT '{}'::numeric[] NOT NULL, c public.x, CONSTRAINT k CHECK ((a > 0)))\nINHERITS (public.p);\nINSERT INTO public.t VALUES (1, '{}', E'\\x41') ON CONFLICT DO NOTHING;",
		"CREATE TABLE public.e (at date) PARTITION BY RANGE (at);\nCREATE TABLE public.f (at date);\nALTER TABLE ONLY public.e ATTACH PARTITION public.f DEFAULT;\nCOPY public.f (at) FROM stdin;\n\\N\n\\.\n",
		"CREATE TYPE public.a AS ENUM ('b');\nCREATE DOMAIN public.d AS public.a CONSTRAINT c CHECK ((VALUE <> 'x'::public.a));\nCREATE TYPE public.r AS RANGE (subtype = public.d);\nCREATE TYPE public.p AS (a public.r[]);",
		"CREATE FUNCTION public.f(a integer DEFAULT (1)) RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END;\nCOMMENT ON FUNCTION public.f(a integer) IS 'x';\n/* /* ; */ */ SELECT pg_catalog.setval('public.s', 1, true);",
		"CREATE VIEW public.v AS\n SELECT 1 AS a\n  WITH LOCAL CHECK OPTION;\nCREATE RULE r AS ON DELETE TO public.v DO INSTEAD (SELECT 1; SELECT 2);\nCREATE POLICY p ON public.t USING ((a > 1)) WITH CHECK (true);\nGRANT SELECT(a) ON TABLE public.t TO x;",
		"\\connect -reuse-previous=on \"dbname='a b'\"\nCREATE SEQUENCE public.s AS smallint INCREMENT BY -1;\nSET standard_conforming_strings = off;\nCOMMENT ON SEQUENCE public.s IS 'it''s \\' \\101';",
	} {
		f.Add(body)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		d, err := dump.Read(context.Background(), "app.sql", strings.NewReader(head+text+tail), dump.Options{TempDir: dir})
		if err != nil {
			if err.Error() == "" || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q", err.Error())
			}
			return
		}
		defer d.Close()
		_, _ = move.NewPlan(d.Schema(), move.Options{}) // it may refuse, and must not panic
		for _, data := range d.Data() {
			columns := data.Columns
			if table := tableOf(d.Schema(), data.Table); columns == nil && table != nil {
				columns = copied(table)
			}
			var b bytes.Buffer
			n, err := d.CopyTo(context.Background(), &b, data.Table, columns)
			if err != nil {
				continue // DEFAULT for a value, a row of other columns
			}
			lines := strings.Split(b.String(), "\n")
			if int64(len(lines)-1) != n {
				t.Fatalf("%d lines and %d rows", len(lines)-1, n)
			}
			for _, line := range lines[:len(lines)-1] {
				if len(columns) > 0 && strings.Count(line, "\t") != len(columns)-1 {
					t.Fatalf("%q has not %d fields", line, len(columns))
				}
			}
		}
	})
}

func tableOf(s *move.Schema, name move.Name) *move.Table {
	for _, t := range s.Tables {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// A dump of rows, read wholly and then once more.
func BenchmarkDump(b *testing.B) {
	for _, c := range []struct{ name, before, row, after string }{
		{"copy", "COPY public.t (a, b, c) FROM stdin;\n", "12345\t6ba7b810-9dad-11d1-80b4-00c04fd430c8\tsome text of a usual length, with nothing in it\n", "\\.\n"},
		{"inserts", "", "INSERT INTO public.t VALUES (12345, '6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'some text of a usual length, with nothing in it');\n", ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			text := head + "CREATE TABLE public.t (a integer, b uuid, c text);\n" + c.before + strings.Repeat(c.row, 100000) + c.after + tail
			path := b.TempDir() + "/dump.sql"
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				d, err := dump.Open(b.Context(), path, dump.Options{})
				if err != nil {
					b.Fatal(err)
				}
				n, err := d.CopyTo(b.Context(), new(counter), public("t"), []string{"a", "b", "c"})
				if err != nil || n != 100000 {
					b.Fatal(n, err)
				}
				d.Close()
			}
		})
	}
}
