package transfer_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/dump"
	"github.com/flysql/flysql/internal/move/transfer"
	"github.com/flysql/flysql/internal/testkit"
)

// A dump that has rows only fills a schema that is there with what PostgreSQL itself would
// have, but for what only a type tells: arrays, and times without a zone, in text.
func TestImportDataOnly(t *testing.T) {
	t.Parallel()
	db := testkit.Postgres(t)
	db.Exec(shopPG)
	for name, flags := range map[string][]string{"copy": nil, "inserts": {"--column-inserts"}} {
		t.Run(name, func(t *testing.T) {
			data, err := db.Program("pg_dump", append(flags, "--data-only", "-d", db.URL)...).Output()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "data.sql")
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			ctx := context.Background()
			d, err := dump.Open(ctx, file, dump.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { d.Close() })
			var tables []transfer.DataTable
			for _, table := range d.Data() {
				tables = append(tables, transfer.DataTable(table))
			}
			source, err := transfer.Untyped(d, tables)
			if err != nil {
				t.Fatal(err)
			}
			path := existing(t, shopLite)
			e, err := transfer.ReadExisting(ctx, path)
			if err != nil {
				t.Fatal(err)
			}
			if source, err = transfer.Typed(ctx, source, e, move.Options{}); err != nil {
				t.Fatal(err)
			}
			plan, err := move.NewExistingPlan(ctx, source.Schema(), e, move.ExistingOptions{})
			if err != nil {
				t.Fatal(err)
			}
			r, err := transfer.Import(ctx, source, plan, path, transfer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Rows != 4001 || !r.Verification.Equal() {
				t.Errorf("%d rows, the same: %v", r.Rows, r.Verification.Equal())
			}
			other := existing(t, shopLite)
			live, plan := planInto(t, db.URL, other, move.ExistingOptions{})
			if _, err := transfer.Import(ctx, live, plan, other, transfer.Options{}); err != nil {
				t.Fatal(err)
			}
			const rows = `SELECT group_concat(concat_ws('|', id, name, email, vip, ref, hex(key), since, born, prefs, hex(photo), score, typeof(score)), char(10)) ||
				(SELECT group_concat(concat_ws('|', id, customer, state, total, tax, typeof(tax), weight, typeof(weight), paid_at, sent), char(10)) FROM orders) FROM customers`
			if d := cmp.Diff(text(t, sqlite(t, other), rows), text(t, sqlite(t, path), rows)); d != "" {
				t.Errorf("by the dump:\n%s", d)
			}
			if got := text(t, sqlite(t, path), "SELECT tags || ' ' || (SELECT open_at FROM orders WHERE id = 3) FROM customers WHERE id = 4"); got != "{a,4} 2024-01-04 00:00:00" {
				t.Error(got)
			}
		})
	}
	t.Run("without columns", func(t *testing.T) {
		data, err := db.Program("pg_dump", "--inserts", "--data-only", "-d", db.URL).Output()
		if err != nil {
			t.Fatal(err)
		}
		d, err := dump.Read(context.Background(), "stdin", strings.NewReader(string(data)), dump.Options{TempDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		if _, err := transfer.Untyped(d, []transfer.DataTable{transfer.DataTable(d.Data()[0])}); err == nil || !strings.Contains(err.Error(), "dump again with --column-inserts") {
			t.Errorf("error %v", err)
		}
	})
}
