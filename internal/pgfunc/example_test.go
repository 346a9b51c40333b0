package pgfunc_test

import (
	"database/sql"
	"fmt"

	"github.com/flysql/flysql/internal/pgfunc"
)

func ExampleRegister() {
	if err := pgfunc.Register(); err != nil {
		fmt.Println(err)
		return
	}
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	var lower, sum string
	err = db.QueryRow("SELECT pg_lower('ÉCOLE'), pg_numeric_add('0.1', '0.20')").Scan(&lower, &sum)
	fmt.Println(lower, sum, err)
	// Output: école 0.30 <nil>
}
