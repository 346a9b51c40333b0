package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flysql/flysql/internal/testkit"
)

// build builds a package of this directory as the Dockerfile does.
func build(b *testing.B, pkg string) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "binary")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// cost is what one run of a command took.
type cost struct {
	took time.Duration
	peak int64 // bytes of memory, what came before an exec included; 0 where it is not measured
}

// toApp runs a command that ends in testdata/app, and measures up to the app's
// first instruction. A shell forks it: the kernel counts a parent's memory as the
// child's until the child's exec, and this process is large.
func toApp(b *testing.B, env []string, argv ...string) cost {
	b.Helper()
	cmd := exec.Command("sh", append([]string{"-c", `"$@"; exit $?`, "sh"}, argv...)...)
	cmd.Env = append(os.Environ(), env...)
	start := monotonic(b)
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%v: %v", argv, err)
	}
	var at, kb int64
	if _, err := fmt.Sscan(string(out), &at, &kb); err != nil {
		b.Fatalf("%v printed %q: %v", argv, out, err)
	}
	return cost{time.Duration(at - start), kb << 10}
}

func monotonic(b *testing.B) int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		b.Fatal(err)
	}
	return ts.Nano()
}

// whole runs a command to its end.
func whole(b *testing.B, argv ...string) cost {
	b.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return cost{took: time.Since(start)}
}

func median[T cmp.Ordered](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

// reportPair runs both in turns, so that the machine's mood is the same for both,
// and reports medians, and the median of the pairs' ratios.
func reportPair(b *testing.B, nameA, nameB string, runA, runB func() cost) {
	b.Helper()
	runA() // warm: the page cache, the linker's
	runB()
	var a, z, ratio, more []float64
	var memA, memZ []int64
	for b.Loop() {
		x, y := runA(), runB()
		a, z = append(a, x.took.Seconds()*1e3), append(z, y.took.Seconds()*1e3)
		ratio = append(ratio, x.took.Seconds()/y.took.Seconds())
		more = append(more, (x.took-y.took).Seconds()*1e3)
		memA, memZ = append(memA, x.peak), append(memZ, y.peak)
	}
	b.ReportMetric(0, "ns/op") // of a pair: says nothing
	b.ReportMetric(median(a), nameA+"-ms")
	b.ReportMetric(median(z), nameB+"-ms")
	b.ReportMetric(median(ratio), "ratio")
	b.ReportMetric(median(more), "more-ms")
	if a, z := median(memA), median(memZ); a > 0 {
		b.ReportMetric(float64(a)/(1<<20), nameA+"-peak-MB")
		b.ReportMetric(float64(z)/(1<<20), nameB+"-peak-MB")
	}
}

// BenchmarkBoot is a boot with nothing pending against sh -c 'exec app', from the
// start to the app's first instruction.
func BenchmarkBoot(b *testing.B) {
	entrypoint, app := build(b, "."), build(b, "./testdata/app")
	env := []string{"DATABASE_URL=file://" + filepath.Join(b.TempDir(), "app.db"), "FLYSQL_MIGRATIONS=" + writeMigrations(b, 3)}
	toApp(b, env, entrypoint, app) // migrates
	reportPair(b, "entrypoint", "sh",
		func() cost { return toApp(b, env, entrypoint, app) },
		func() cost { return toApp(b, env, "sh", "-c", "exec "+app) })
}

// BenchmarkMigrate is a whole boot that applies n goose migrations to a new
// database against goose's own command.
func BenchmarkMigrate(b *testing.B) {
	goose, err := exec.LookPath("goose")
	if err != nil {
		testkit.NotRun(b, "goose", "make bench")
	}
	entrypoint := build(b, ".")
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			migrations := writeMigrations(b, n)
			fresh := func() string { return filepath.Join(b.TempDir(), "app.db") }
			reportPair(b, "entrypoint", "goose",
				func() cost {
					return whole(b, entrypoint, "--db", fresh(), "--migrations", migrations, "true")
				},
				func() cost { return whole(b, goose, "-dir", migrations, "sqlite3", fresh(), "up") })
		})
	}
}

func writeMigrations(b *testing.B, n int) string {
	b.Helper()
	dir := b.TempDir()
	for i := 1; i <= n; i++ {
		text := fmt.Sprintf("-- +goose Up\nCREATE TABLE t%d (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\nINSERT INTO t%d (name) VALUES ('one');\n-- +goose Down\nDROP TABLE t%d;\n", i, i, i)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d_t.sql", i)), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}
