package dump_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flysql/flysql/internal/move/dump"
)

// A row of 64 MB goes through without being held.
func TestHugeRow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dump.sql")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 64 << 20
	part := strings.Repeat("5c", 1<<20)
	for _, s := range append(append([]string{head, "CREATE TABLE public.t (a bytea);\nCOPY public.t (a) FROM stdin;\n\\\\x"}, slices.Repeat([]string{part}, size/len(part))...), "\n\\.\n", tail) {
		if _, err := f.WriteString(s); err != nil {
			t.Fatal(err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	d, err := dump.Open(context.Background(), path, dump.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var n counter
	if rows, err := d.CopyTo(context.Background(), &n, public("t"), []string{"a"}); err != nil || rows != 1 || n != size+4 {
		t.Errorf("%d rows, %d bytes, %v", rows, n, err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("it took %d bytes of memory", used)
	}
}

// counter counts the bytes that are written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// Two thousand tables are read in a moment, and a directory is refused by name.
func TestMany(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&b, "CREATE TABLE public.t%d (a integer);\nCOPY public.t%d (a) FROM stdin;\n%d\n\\.\nALTER TABLE ONLY public.t%d ADD CONSTRAINT t%d_pkey PRIMARY KEY (a);\n", i, i, i, i, i)
	}
	d := mustRead(t, head+b.String()+tail)
	if n := len(d.Schema().Tables); n != 2000 {
		t.Errorf("%d tables", n)
	}
	var readers sync.WaitGroup
	for i := range 4 {
		readers.Go(func() {
			for n := i; n < 2000; n += 50 {
				if got := rowsOf(t, d, public(fmt.Sprint("t", n)), "a"); got != fmt.Sprintln(n) {
					t.Errorf("t%d: %q", n, got)
				}
			}
		})
	}
	readers.Wait()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "toc.dat"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dump.Open(context.Background(), dir, dump.Options{}); err == nil || !strings.Contains(err.Error(), "directory format; write it as SQL: pg_restore -f dump.sql "+dir) {
		t.Error(err)
	}
}
