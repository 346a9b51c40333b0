package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/internal/flyapi/fakefly"
)

// BenchmarkStatus is flysql status of 200 machines and 200 volumes, by two calls. The
// machines are stopped: how long it takes to ask one is the network's matter.
func BenchmarkStatus(b *testing.B) {
	fake := fakefly.New()
	b.Cleanup(fake.Close)
	fake.AddApp("shop", "personal")
	regions := []string{"ams", "fra", "syd", "iad"}
	for i := range 200 {
		v := fake.AddVolume("shop", fly.Volume{Name: "data", Region: regions[i%len(regions)], SizeGb: 1, SnapshotRetention: 14, AutoBackupEnabled: true})
		m := shopMachine(v)
		m.State = "stopped"
		fake.AddMachine("shop", m)
	}
	dir := b.TempDir()
	config := filepath.Join(dir, "fly.toml")
	if err := os.WriteFile(config, []byte(remoteTOML), 0o644); err != nil {
		b.Fatal(err)
	}
	env := []string{"FLY_FLAPS_BASE_URL=" + fake.URL(), "FLY_API_TOKEN=" + fakefly.Token, "HOME=" + dir, "FLYSQL_FLY_SPEED=100000"}
	for b.Loop() {
		var out, errs bytes.Buffer
		if code := run(b.Context(), []string{"status", "--config", config}, env, nil, &out, &errs); code != 0 {
			b.Fatalf("code %d: %s", code, errs.String())
		}
	}
	total := 0
	for _, n := range fake.Calls() {
		total += n
	}
	b.ReportMetric(float64(total)/float64(b.N), "calls/op")
}
