package page_test

import (
	"fmt"
	"net/http"

	"github.com/flysql/flysql/internal/dev/page"
	"github.com/flysql/flysql/internal/dev/page/pagetest"
)

// What a button does, a script may do as well.
func Example() {
	session := pagetest.New(1, "ord", "ams") // a *dev.Session, where something runs
	p := page.Handler(session, "/_flysql")
	defer p.Close()
	mux := http.NewServeMux()
	mux.Handle("/_flysql", p)
	mux.Handle("/_flysql/", p)

	fmt.Print(post(mux, "/_flysql/api/machines/ams1/handoff", "").Body)
	fmt.Println("primary:", session.State().Primary)
	fmt.Print(post(mux, "/_flysql/api/machines/syd1/kill", "").Body)
	// Output:
	// {"ok":true}
	// primary: ams1
	// {"ok":false,"error":"there is no machine \"syd1\""}
}
