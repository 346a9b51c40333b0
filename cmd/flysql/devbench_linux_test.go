package main

import (
	"net/http"
	"os"
	"testing"
)

// BenchmarkDevStart is from flysql dev to the first 200 in each of three regions, with
// programs that are built already, and again to its end.
func BenchmarkDevStart(b *testing.B) {
	for name, args := range map[string][]string{
		"three":  {"--regions", "ord,ams,syd"},
		"single": {"--no-litefs"},
	} {
		b.Run(name, func(b *testing.B) {
			a := newDevApp(b, true)
			buildFlysql(b)
			args := append(args, "--port", "0", "--latency", "none", "--fresh", "-e", "FLYSQL_MIGRATIONS", "--", a.guestbook)
			for b.Loop() {
				r := a.run(args...)
				url := r.url("ord")
				for _, region := range []string{"ord", "ams", "syd"} {
					a.get(url+"/healthz", region)
				}
				b.StopTimer()
				http.DefaultClient.CloseIdleConnections()
				r.signal(os.Interrupt)
				r.ends(130)
				b.StartTimer()
			}
		})
	}
}
