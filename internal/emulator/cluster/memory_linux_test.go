package cluster_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/flysql/flysql/internal/emulator/cluster"
	"github.com/flysql/flysql/internal/testkit"
)

// What a machine takes beside its app, of memory: flysql-entrypoint and LiteFS. This
// program's own, with the edge and all relays, comes once.
func TestMemory(t *testing.T) {
	if os.Getenv("FLYSQL_TEST_DEPLOYS") == "" {
		testkit.NotRun(t, "quiet", "make soak")
	}
	o := prepare(t)
	o.Log = nil
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	of := map[string][]int{} // KB of each
	for _, m := range c.Machines() {
		for name, kb := range memory(t, o.Dir, m.ID) {
			of[name] = append(of[name], kb)
		}
	}
	for _, name := range []string{"flysql-entrypoi", "litefs", "guestbook"} {
		if len(of[name]) != 3 {
			t.Fatalf("processes: %v", of)
		}
		slices.Sort(of[name])
		t.Logf("%s: %.1f MB (Pss, median of three)", strings.Replace(name, "entrypoi", "entrypoint", 1), float64(of[name][1])/1024)
	}
	if beside := of["flysql-entrypoi"][1] + of["litefs"][1]; beside > 100<<10 {
		t.Errorf("a machine takes %d MB beside its app", beside>>10)
	}
}

// memory is what a machine's processes take, by name, in KB: shared pages in part.
func memory(t *testing.T, dir, id string) map[string]int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, environ := range all {
		env, _ := os.ReadFile(environ) // it may be gone
		if !bytes.Contains(env, fmt.Appendf(nil, "%s=%s:%s\x00", cluster.Marker, dir, id)) {
			continue
		}
		proc := filepath.Dir(environ)
		name, _ := os.ReadFile(proc + "/comm")
		rollup, _ := os.ReadFile(proc + "/smaps_rollup")
		for line := range strings.Lines(string(rollup)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
				kb, err := strconv.Atoi(f[1])
				if err != nil {
					t.Fatal(err)
				}
				found[strings.TrimSpace(string(name))] += kb
			}
		}
	}
	return found
}
