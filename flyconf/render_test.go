package flyconf

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pelletier/go-toml/v2"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// sameModel compares what a Config says, not where it was read.
var sameModel = cmpopts.IgnoreUnexported(Config{})

func TestRenderGolden(t *testing.T) {
	got, err := Render(full(), fullComments)
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "full.toml")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("differs from %s; if that is meant, run go test ./flyconf -update (-want +got):\n%s", golden, diff)
	}
}

func TestRenderRefusesInvalid(t *testing.T) {
	c := full()
	c.App = "My Shop"
	got, err := Render(c, nil)
	if err == nil || !strings.Contains(err.Error(), `app: "My Shop" is not an app name`) {
		t.Errorf("err = %v, want the app name's", err)
	}
	if got != nil {
		t.Errorf("rendered %q beside the error", got)
	}
}

// TestRenderParseRoundTrip renders random configs, reads them back by Parse and
// by a plain TOML decoder, and renders again.
func TestRenderParseRoundTrip(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		want := randomConfig(r)
		text, err := Render(want, Comments{"": "random", "mounts": "x", "env": "# y"})
		if err != nil {
			t.Fatalf("seed %d: %v\n%+v", seed, err, want)
		}
		got, err := Parse("fly.toml", text)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		if diff := cmp.Diff(want, got, sameModel); diff != "" {
			t.Fatalf("seed %d: (-want +got):\n%s\n%s", seed, diff, text)
		}
		var plain struct {
			Env map[string]string
		}
		if err := toml.Unmarshal(text, &plain); err != nil {
			t.Fatalf("seed %d: a plain decoder: %v", seed, err)
		}
		if diff := cmp.Diff(want.Env, plain.Env, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d: a plain decoder reads another env (-want +got):\n%s", seed, diff)
		}
		again, err := Render(got, Comments{"": "random", "mounts": "x", "env": "# y"})
		if err != nil || string(again) != string(text) {
			t.Fatalf("seed %d: a second Render differs (%v):\n%s", seed, err, cmp.Diff(string(text), string(again)))
		}
	}
}

// randomConfig is a valid Config, with text that is hard to quote.
func randomConfig(r *rand.Rand) *Config {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	seconds := func(limit int) time.Duration { return time.Duration(r.IntN(limit+1)) * time.Second }
	text := func() string {
		runes := []rune("ab Z09_-./:=#\"'\\\n\r\t\x01\x7fé日\u2028😀[]{}")
		var b strings.Builder
		for range r.IntN(12) {
			b.WriteRune(runes[r.IntN(len(runes))])
		}
		return b.String()
	}
	c := &Config{
		App:           fmt.Sprintf("a%d-b", r.IntN(1000)),
		PrimaryRegion: pick("iad", "ord", "fra"),
		KillSignal:    pick(append(killSignals, "")...),
		KillTimeout:   seconds(300),
	}
	if r.IntN(2) == 0 {
		c.Deploy = &Deploy{Strategy: pick("", "rolling", "immediate"), WaitTimeout: seconds(7200)}
	}
	if r.IntN(4) > 0 {
		c.Env = map[string]string{}
		for i := range r.IntN(5) {
			c.Env[fmt.Sprintf("V_%d", i)] = text()
		}
	}
	if r.IntN(3) > 0 {
		m := Mount{
			Source: pick("data", "a_1"), Destination: pick("/data", "/var/lib/my app"),
			InitialSizeGB: r.IntN(501), SnapshotRetentionDays: r.IntN(61),
		}
		if r.IntN(2) == 0 {
			m.AutoExtendThresholdPercent, m.AutoExtendIncrementGB, m.AutoExtendLimitGB = 50+r.IntN(50), 1+r.IntN(100), 1+r.IntN(500)
		}
		c.Mounts = []Mount{m}
	}
	if r.IntN(3) > 0 {
		s := &HTTPService{
			InternalPort: 1 + r.IntN(65535), ForceHTTPS: r.IntN(2) == 0,
			AutoStop: pick("", "off", "stop", "suspend"), MinMachinesRunning: r.IntN(3),
		}
		if r.IntN(2) == 0 {
			start := r.IntN(2) == 0
			s.AutoStart = &start
		}
		if r.IntN(2) == 0 {
			s.Concurrency = &Concurrency{Type: pick(loadTypes...), SoftLimit: r.IntN(9), HardLimit: r.IntN(9)}
		}
		for range r.IntN(3) {
			check := HTTPCheck{
				Method: pick("", "GET", "HEAD"), Path: pick("", "/", "/up?x=\"1\""),
				Interval: seconds(90), Timeout: seconds(90), GracePeriod: seconds(90) * 61,
			}
			if r.IntN(2) == 0 {
				check.Headers = map[string]string{"X-Forwarded-Proto": "https", "a.b!": "é\"\\"}
			}
			s.Checks = append(s.Checks, check)
		}
		c.HTTPService = s
	}
	for range r.IntN(3) {
		c.VMs = append(c.VMs, VM{Size: pick("", "shared-cpu-1x"), MemoryMB: 256 * r.IntN(9)})
	}
	return c
}
