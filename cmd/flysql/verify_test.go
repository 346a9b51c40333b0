package main

import (
	"testing"

	"github.com/flysql/flysql/internal/move/transfer"
)

// What was not compared is not called the same.
func TestVerifiedText(t *testing.T) {
	table := transfer.TableVerdict{Source: "public.t", Columns: []transfer.ColumnVerdict{{Name: "id", Same: true}}}
	for _, tt := range []struct{ unchecked, want string }{
		{"", "verified: counts, NULLs and checksums of each column and row of 1 table are the same in PostgreSQL and in the file\n"},
		{"its elements are kept with a loss", "verified: counts, NULLs and checksums of each column and row of 1 table, but for the columns named below, are the same in PostgreSQL and in the file\n" +
			"not compared: public.t.a: its elements are kept with a loss\n"},
	} {
		v := &transfer.Verification{Tables: []transfer.TableVerdict{table}}
		if tt.unchecked != "" {
			v.Tables[0].Columns = append(v.Tables[0].Columns, transfer.ColumnVerdict{Name: "a", Unchecked: tt.unchecked})
		}
		if got := verifiedText(v, "PostgreSQL"); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
