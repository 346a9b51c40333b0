package load_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/flysql/flysql/internal/load"
)

func app() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			http.Redirect(w, r, "/", http.StatusSeeOther)
		}
	}))
}

func ExampleRun() {
	s := app()
	defer s.Close()
	read, _ := load.ParseRead("/")
	write, _ := load.ParseWrite("POST /messages text=hello+{{n}}", "", "")
	result, err := load.Run(context.Background(), load.Options{URL: s.URL, Rate: 200, For: 500 * time.Millisecond, Writes: 0.2,
		Reads: []load.Request{read}, Write: []load.Request{write}}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	p := result.Report()
	fmt.Println(load.Percent(p.Reads.Success), load.Percent(p.Writes.Success), p.Statuses[1].What)
	// Output: 100% 100% 303 See Other
}

func ExampleCompare() {
	first, second := app(), app()
	defer first.Close()
	defer second.Close()
	read, _ := load.ParseRead("/")
	o := load.Options{URL: first.URL, Rate: 100, For: 400 * time.Millisecond, Reads: []load.Request{read}}
	other := o
	other.URL = second.URL
	both, err := load.Compare(context.Background(), o, other, 2, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	p := both.Report()
	fmt.Println(p.Rounds, "rounds, too few to tell:", p.Ratios[0].What, p.Ratios[0].Told)
	// Output: 2 rounds, too few to tell: p50 false
}

func ExampleParseWrite() {
	_, err := load.ParseWrite("POST /messages text={{number}}", "", "")
	fmt.Println(err)
	// Output: column 21: {{number}} is no value: {{n}}, {{visitor}}, {{region}}, {{run}}, {{random}} are
}

func ExampleReport_WriteHTML() {
	s := app()
	defer s.Close()
	read, _ := load.ParseRead("/")
	result, err := load.Run(context.Background(), load.Options{URL: s.URL, Rate: 100, For: 100 * time.Millisecond, Reads: []load.Request{read}}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	var page strings.Builder
	err = result.Report().WriteHTML(&page)
	fmt.Println(err, strings.Count(page.String(), "<svg "), "plots")
	// Output: <nil> 2 plots
}
