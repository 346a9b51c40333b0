package inspect

import (
	"fmt"
	"strings"
)

// Holder is a process that holds a lock.
type Holder struct {
	PID  int
	Name string // "" where it is not known
}

// String is "guestbook, pid 32".
func (h Holder) String() string {
	if h.Name == "" {
		return fmt.Sprintf("pid %d", h.PID)
	}
	return fmt.Sprintf("%s, pid %d", h.Name, h.PID)
}

// lock is a POSIX lock on a part of a file.
type lock struct {
	Holder
	write      bool
	start, end int64 // end is part of it
}

func (l lock) covers(at int64) bool { return l.start <= at && at <= l.end }

// holders names who has the database locked, for the end of a message.
func (d *Database) holders() string {
	if d.LiteFS != nil {
		return ""
	}
	var list []Holder
	for _, suffix := range []string{"", "-shm"} {
		locks, _ := locksOf(d.Path + suffix)
		for _, l := range locks {
			list = addHolder(list, l.Holder)
		}
	}
	if len(list) == 0 {
		return ""
	}
	var names []string
	for _, h := range list {
		names = append(names, h.String())
	}
	return " (" + strings.Join(names, ", ") + ")"
}
