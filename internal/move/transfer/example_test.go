package transfer_test

import (
	"fmt"

	"github.com/flysql/flysql/internal/move/transfer"
)

// What Import and Verify find is told table by table.
func ExampleVerification() {
	v := &transfer.Verification{Tables: []transfer.TableVerdict{
		{Source: "public.users", Name: "users", Rows: transfer.Pair{PostgreSQL: 3, SQLite: 3}, SameRows: true},
		{Source: "public.orders", Name: "orders", Rows: transfer.Pair{PostgreSQL: 9, SQLite: 8},
			Differences: []transfer.Difference{{Key: []string{"7"}, Kind: "missing", Count: 1}, {Key: []string{"8"}, Kind: "changed", Columns: []string{"total"}, Count: 1}}},
	}}
	fmt.Println(v.Tables[0])
	if !v.Equal() {
		fmt.Println(&transfer.DifferenceError{Verification: v})
	}
	// Output:
	// public.users: 3 rows, the same
	// the file differs from PostgreSQL: public.orders: 9 rows in PostgreSQL, 8 in SQLite, row 7 is missing, row 8 has changed in total
}
