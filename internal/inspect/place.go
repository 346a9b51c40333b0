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
// finished file its name: LiteFS would not see it, or somebody has the one there open, and
// would go on writing to it under whichever name it has then.
func CheckPlace(env []string, path string) error {
	on, err := OnLiteFS(env, path)
	if err != nil {
		return err
	}
	if on {
		return fmt.Errorf("%s is in the LiteFS mount, which takes databases that are written through SQLite only: give a path on the volume, such as /data/%s", path, filepath.Base(path))
	}
	holders := openIn(path)
	locks, _ := locksOf(path)
	for _, l := range locks {
		holders = addHolder(holders, l.Holder)
	}
	if len(holders) > 0 {
		return fmt.Errorf("%s is open (%s): stop that, or give another name", path, holders[0])
	}
	return nil
}
