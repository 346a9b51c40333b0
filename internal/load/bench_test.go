package load

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// BenchmarkCeiling asks for more requests a second than can be sent, of a handler that does
// nothing, on the same machine: flysql load with visitors, cookies, regions and writes, and
// vegeta as its own command uses it, which sends one GET.
func BenchmarkCeiling(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	const rate, most = 100_000, 64
	b.Run("by=load", func(b *testing.B) {
		o := Options{URL: s.URL, Rate: rate, For: time.Second, Writes: 0.1, Reads: []Request{read(b, "/")}, Write: []Request{write(b, "POST / text={{n}}")}, Regions: []string{"ams", "ord"}, Max: most}
		sent, took := 0, time.Duration(0)
		for b.Loop() {
			began := time.Now()
			result, err := Run(context.Background(), o, nil)
			if err != nil {
				b.Fatal(err)
			}
			took += time.Since(began)
			sent += len(result.samples)
		}
		b.ReportMetric(float64(sent)/took.Seconds(), "requests/s")
	})
	b.Run("by=vegeta", func(b *testing.B) {
		sent, took := 0, time.Duration(0)
		for b.Loop() {
			began := time.Now()
			target := vegeta.NewStaticTargeter(vegeta.Target{Method: "GET", URL: s.URL})
			var m vegeta.Metrics
			for r := range vegeta.NewAttacker(vegeta.MaxWorkers(most)).Attack(target, vegeta.Rate{Freq: rate, Per: time.Second}, 2*time.Second, "") {
				m.Add(r)
			}
			m.Close()
			took += time.Since(began)
			sent += int(m.Requests)
		}
		b.ReportMetric(float64(sent)/took.Seconds(), "requests/s")
	})
}
