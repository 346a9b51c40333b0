package main

import (
	"testing"
	"time"
	"unicode/utf8"

	"github.com/flysql/flysql/internal/move/transfer"
)

func TestImportProgress(t *testing.T) {
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		name     string
		now      transfer.Progress
		expected int64
		took     time.Duration
		want     string
	}{
		{"all is known", transfer.Progress{Stage: transfer.Copying, Table: "public.orders", Rows: 250_000, Bytes: 26 << 20, Estimate: 500_000}, 520_000, 4 * time.Second,
			"public.orders: 250,000 of ~500,000 rows, 26 MiB, 62,500 rows/s, 5s left, all 48%"},
		{"no estimate", transfer.Progress{Stage: transfer.Copying, Table: "public.orders", Rows: 5000, Bytes: 1 << 20, Estimate: -1}, -1, 2 * time.Second,
			"public.orders: 5,000 rows, 1.0 MiB, 2,500 rows/s"},
		{"more than was estimated", transfer.Progress{Stage: transfer.Copying, Table: "public.orders", Rows: 5000, Bytes: 1 << 20, Estimate: 100}, 100, 2 * time.Second,
			"public.orders: 5,000 of ~100 rows, 1.0 MiB, 2,500 rows/s, all 100%"},
		{"the beginning", transfer.Progress{Stage: transfer.Copying, Table: "public.orders", Estimate: 100}, 100, 0,
			"public.orders: 0 of ~100 rows, 0 B, all 0%"},
		{"a long name", transfer.Progress{Stage: transfer.Copying, Table: "public.a_table_with\na_name_too_long", Rows: 1, Estimate: -1}, -1, time.Second,
			"public.a_table_with\\n…: 1 rows, 0 B, 1 rows/s"},
		{"a stage of all", transfer.Progress{Stage: transfer.Checking}, 100, time.Second, "checking, and comparing with the source (10,000 rows)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &importProgress{expected: tt.expected, begun: begun, tableBegun: begun, last: tt.now}
			if tt.now.Table == "" {
				p.before = 10_000
			}
			got := p.text(begun.Add(tt.took))
			if got != tt.want || utf8.RuneCountInString(got) > statusWidth {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
