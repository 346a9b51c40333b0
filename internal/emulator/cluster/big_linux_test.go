package cluster_test

import (
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/emulator/cluster"
)

// A database file of 3 GB is used where it is: a start copies it nowhere, and takes no
// longer for it. It is sparse here, so that a copy would show on the disk.
func TestBigFile(t *testing.T) {
	t.Parallel()
	o := alone(t)
	db := filepath.Join(o.Dir, "machines/ams1/volume/app.db")
	took := func() time.Duration {
		t.Helper()
		began := time.Now()
		c, err := cluster.Start(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		up := time.Since(began)
		front := httptest.NewServer(c.Edge)
		defer front.Close()
		(&visitor{t: t, base: front.URL, region: "ams"}).signs("in " + db)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		return up
	}
	took()
	small := took()
	before := onDisk(t, o.Dir)
	if err := os.Truncate(db, 3<<30); err != nil {
		t.Fatal(err)
	}
	big := took()
	grown := onDisk(t, o.Dir) - before
	t.Logf("it serves after %v, and %v with 3 GB; the disk has %d KB more", small, big, grown>>10)
	if grown > 8<<20 {
		t.Errorf("the disk has %d KB more", grown>>10)
	}
	if big > 3*small+3*time.Second {
		t.Errorf("it serves after %v, and %v with a small file", big, small)
	}
	if info, err := os.Stat(db); err != nil || info.Size() != 3<<30 {
		t.Errorf("%v, %v", info, err)
	}
}

// onDisk is what a directory takes on its disk, in bytes.
func onDisk(t *testing.T, dir string) (size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}
