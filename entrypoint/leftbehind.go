package entrypoint

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// An image whose mode has changed, deployed without the steps that take the database
// along, would start its app on an empty database, beside the one with the rows.

// importOff is the value of Config.Import by which an empty database is meant.
const importOff = "off"

// leftOnVolume refuses to begin a cluster's database anew where the volume has one of
// its name, from before LiteFS.
func (b *boot) leftOnVolume() error {
	at, err := positionOf(b.path)
	if err != nil {
		return failed("", "read the database's position: %w", err)
	}
	if at.tx > 0 {
		return nil
	}
	mounts, err := readMounts(b.mountinfo)
	if err != nil {
		return failed("", "read the mounts: %w", err)
	}
	volume := mountAt(mounts, existing(b.node.data))
	dirs := []string{volume.point}
	if dir := filepath.Dir(b.node.data); mountAt(mounts, existing(dir)).id == volume.id {
		dirs = append(dirs, dir)
	}
	for _, dir := range dirs {
		file := filepath.Join(dir, filepath.Base(b.path))
		if holdsSomething(file) {
			return refused("take it along by one deploy with FLYSQL_LITEFS_IMPORT="+file+"; where an empty database is meant, FLYSQL_LITEFS_IMPORT=off",
				"the cluster has no database, and %s, from before LiteFS, is on the volume: the app would start on an empty one", file)
		}
	}
	return nil
}

// leftInLiteFS refuses to begin a database on a volume where LiteFS has one of its
// name.
func (b *boot) leftInLiteFS() error {
	if b.Import == importOff || holdsSomething(b.path) {
		return nil
	}
	name := filepath.Base(b.path)
	dirs := []string{b.dir}
	if b.mount != "/" && b.mount != b.dir {
		dirs = append(dirs, b.mount)
	}
	for _, dir := range dirs {
		for _, data := range append([]string{dir}, subdirectories(dir)...) {
			db := filepath.Join(data, "dbs", name)
			if holdsSomething(filepath.Join(db, "database")) {
				return refused("deploy the image from before, which runs LiteFS, and take the database out of it: litefs export -name "+name+" "+b.path+" (flysql init --mode volume prints all steps); where an empty database is meant, FLYSQL_LITEFS_IMPORT=off",
					"%s is not there, and %s has the database of LiteFS: the app would start on an empty one", b.path, db)
			}
		}
	}
	return nil
}

// holdsSomething tells whether a file is there and not empty.
func holdsSomething(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Size() > 0
}

// maxEntries is how many entries of a volume are looked at for LiteFS's data.
const maxEntries = 1000

// subdirectories lists those of a directory, in order.
func subdirectories(dir string) []string {
	d, err := os.Open(dir)
	if err != nil {
		return nil // that the directory cannot be used is told elsewhere
	}
	defer d.Close() // it was only read
	entries, err := d.ReadDir(maxEntries)
	if err != nil {
		return nil
	}
	var found []string
	for _, e := range entries {
		if e.Type()&fs.ModeType == fs.ModeDir {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(found)
	return found
}
