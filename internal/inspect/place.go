package inspect

import (
	"fmt"
	"path/filepath"
)

// OnLiteFS reports whether a path is in LiteFS's mount.
func OnLiteFS(env []string, path string) (bool, error) {
	mount, _, err := configured(env)
	if err != nil {
		return false, err
	}
	dir := filepath.Dir(path)
	in := &Database{LiteFS: &LiteFS{Mount: mount}}
	return mount != "" && in.inMount(dir) || hasLag(dir), nil
}

// CheckPlace returns why a database must not be made or replaced at path by giving a
// finished file its name: LiteFS would not see it, or somebody has the one there locked.
func CheckPlace(env []string, path string) error {
	on, err := OnLiteFS(env, path)
	if err != nil {
		return err
	}
	if on {
		return fmt.Errorf("%s is in the LiteFS mount, which takes databases that are written through SQLite only: give a path on the volume, such as /data/%s", path, filepath.Base(path))
	}
	if locks, _ := locksOf(path); len(locks) > 0 {
		return fmt.Errorf("%s is open (%s): stop that, or give another name", path, locks[0])
	}
	return nil
}
