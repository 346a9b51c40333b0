package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/flysql/flysql/internal/load"
)

// TestLoadScripts runs flysql load against an app, as a user runs it: $URL is quick, $SLOW
// takes 60 ms, $BROKEN fails every second request, $DEAD takes no connection.
func TestLoadScripts(t *testing.T) {
	t.Parallel()
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	urls := map[string]string{"URL": loadedApp(t, 0, 0), "SLOW": loadedApp(t, 60*time.Millisecond, 0), "BROKEN": loadedApp(t, 0, 2), "DEAD": dead.URL}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/load",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			for name, url := range urls {
				env.Setenv(name, url)
			}
			return nil
		},
		Cmds: scriptCommands,
	})
}

// loadedApp is an app on two machines, the second of which writes. Each fails-th request
// fails.
func loadedApp(t *testing.T, takes time.Duration, fails int) string {
	n := make(chan int, 1)
	n <- 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := <-n + 1
		n <- i
		time.Sleep(takes) // the app's time, not the test's
		w.Header().Set("Flysql-Dev-Way", "nearest ams1 ams")
		switch {
		case fails > 0 && i%fails == 0:
			http.Error(w, "no", http.StatusServiceUnavailable)
		case r.URL.Path == "/nosuch":
			http.NotFound(w, r)
		case r.Method == http.MethodPost:
			w.Header().Set("Flysql-Dev-Way", "nearest ams1 ams, replay ord1 ord")
			http.Redirect(w, r, "/", http.StatusSeeOther)
		default:
			fmt.Fprint(w, "hello")
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// What --json prints is the report that docs/load.md documents.
func TestLoadJSON(t *testing.T) {
	t.Parallel()
	var stdout, stderr strings.Builder
	args := []string{"load", loadedApp(t, 0, 0), "--rate", "100", "--for", "300ms", "--writes", "50%", "--write", "POST / text={{n}}", "--regions", "ams,ord", "--warm-up", "0s", "--json"}
	if code := run(t.Context(), args, nil, strings.NewReader(""), &stdout, &stderr); code != 0 || stderr.String() != "" {
		t.Fatalf("exit code %d\n%s", code, stderr.String())
	}
	type group struct {
		Name    string
		Count   int
		Success float64
		Latency map[string]float64 `json:"latency_ms"`
	}
	var p struct {
		All, Writes group
		Ways        []group
	}
	if err := json.Unmarshal([]byte(stdout.String()), &p); err != nil {
		t.Fatal(err)
	}
	if p.All.Count != 30 || p.Writes.Count != 15 || p.All.Success != 1 || len(p.Ways) != 4 || p.Ways[2].Name != "replayed" || p.Ways[2].Count != 15 || p.All.Latency["p50"] <= 0 || p.All.Latency["p99_9"] <= 0 {
		t.Errorf("%+v", p)
	}
}

func TestLoadProgress(t *testing.T) {
	p := load.Progress{Elapsed: 12345 * time.Millisecond, For: 30 * time.Second, Done: 2400, PerSecond: 199.9, P50: 2100 * time.Microsecond, P99: 14 * time.Millisecond}
	if got, want := loadProgressText(p), "12s of 30s, 199/s, p50 2.1ms, p99 14ms"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	p.WarmUp, p.Failed, p.Elapsed = true, 1200, 900*time.Millisecond
	if got, want := loadProgressText(p), "warm-up: 900ms of 30s, 199/s, p50 2.1ms, p99 14ms, 1,200 failed"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A target that is fast because it fails is not called faster without a word.
func TestRatioSentenceFailures(t *testing.T) {
	r := &load.ComparisonReport{Rounds: load.EnoughRounds, First: &load.Report{}, Second: &load.Report{}, Ratios: []load.Ratio{{What: "p50", Of: "all", Median: 0.1, Least: 0.1, Most: 0.2, Rounds: 6, Told: true}}}
	r.First.All.Success, r.Second.All.Success = 1, 0.25
	if got, want := ratioSentence(r), "; but 100% succeeded at the first and 25% at the second, and a failure may be faster than the rest"; !strings.HasSuffix(got, want) {
		t.Errorf("%q, want %q at its end", got, want)
	}
	if r.Second.All.Success = 1; strings.Contains(ratioSentence(r), "but") {
		t.Errorf("%q, where all succeeded", ratioSentence(r))
	}
}
