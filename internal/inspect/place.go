package inspect

import (
	"fmt"
	"path/filepath"
)

// CheckPlace returns why a database must not be made or replaced at path by giving a
// finished file its name: LiteFS would not see it, or somebody has the one there locked.
func CheckPlace(env []string, path string) error {
	mount, _, err := configured(env)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	in := &Database{LiteFS: &LiteFS{Mount: mount}}
	if mount != "" && in.inMount(dir) || hasLag(dir) {
		return fmt.Errorf("%s is in the LiteFS mount, which takes databases that are written through SQLite only: give a path on the volume, such as /data/%s", path, filepath.Base(path))
	}
	if locks, _ := locksOf(path); len(locks) > 0 {
		return fmt.Errorf("%s is open (%s): stop that, or give another name", path, locks[0])
	}
	return nil
}
