package scaffold

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/flysql/flysql/flyconf"
)

// Mode is how the database is kept.
type Mode string

// The modes. The zero value stands for the one that the repository has.
const (
	Volume Mode = "volume" // on the volume of one machine
	LiteFS Mode = "litefs" // on every machine's volume; LiteFS copies it from the primary to the others
)

const (
	// fuseDir is where LiteFS shows the databases, unless litefs.yml has another
	// place. It is no directory of the volume's: LiteFS mounts it.
	fuseDir = "/litefs"
	// litefsPort is that of LiteFS's own API, by which the machines talk.
	litefsPort = 20202
)

// CheckMode says why a mode is none.
func CheckMode(m Mode) error {
	if m == "" || m == Volume || m == LiteFS {
		return nil
	}
	return fmt.Errorf("%q is unknown: use %s, one machine with a volume, or %s, replicas in several regions", m, Volume, LiteFS)
}

// dir is the directory that the database lies in.
func (a Answers) dir() string {
	if a.Mode == LiteFS {
		return cmp.Or(a.FUSE, fuseDir)
	}
	return a.mount()
}

// proxied tells whether LiteFS's own proxy stands before the app, so that writes reach
// the primary. An app with flysql's package replay needs none.
func (a Answers) proxied() bool { return a.Mode == LiteFS && a.Proxy != 0 }

// listens is the port that Fly's proxy sends requests to.
func (a Answers) listens() int {
	if a.proxied() {
		return a.Proxy
	}
	return a.Port
}

// completeMode answers how the database is kept, and where that leaves the mounts.
func (f *Facts) completeMode(a *Answers, m Main) error {
	if f.Fly != nil && f.Fly.Err == nil {
		db, err := f.Fly.database(m.Database)
		if err != nil && a.DB == "" {
			return &AnswerError{Err: err}
		}
		if db == "" && f.LiteFS != nil {
			db = f.unset(m, f.LiteFS.fuse())
		}
		if db == "" && f.Fly.Source != "" {
			db = f.unset(m, a.mount())
		}
		if db == "" && m.Database.Var == "" {
			db = pathOf(m.Database.Literal)
		}
		if db == "" && f.runsLiteFS() {
			a.From = LiteFS
			db = f.waitedFor()
		}
		switch {
		case db != "" && f.LiteFS != nil && within(db, f.LiteFS.fuse()):
			a.From = LiteFS
		case a.From == "" && (db != "" || f.Fly.Source != ""): // a volume holds it, wherever
			a.From = Volume
		}
		a.Was = db
	}
	if a.Mode == "" {
		a.Mode = cmp.Or(a.From, Volume)
	}
	if f.LiteFS != nil && f.LiteFS.Config != nil {
		a.FUSE = f.LiteFS.fuse()
		// Elsewhere than it is, LiteFS would begin anew.
		if data := path.Clean(f.LiteFS.Config.Data.Dir); within(data, a.mount()) && plainMount.MatchString(data) {
			a.Data = data
		}
	}
	return nil
}

// unset is the database in a directory that is the app's where fly.toml names none:
// by the image's variables, or by the code.
func (f *Facts) unset(m Main, dir string) string {
	var list []string
	if f.Docker != nil {
		for _, name := range []string{m.Database.variable(), databaseURL} {
			list = append(list, m.Database.in(name, f.Docker.Env[name]))
		}
	}
	for _, db := range append(list, m.Database.Default) {
		if checkDB(db, dir) == nil {
			return db
		}
	}
	return ""
}

// runsLiteFS tells whether the image that there is has LiteFS, and its configuration.
func (f *Facts) runsLiteFS() bool {
	return f.LiteFS != nil && f.LiteFS.Config != nil && f.Docker != nil && f.Docker.LiteFS
}

// waitedFor is the database that LiteFS's proxy waits for; empty where it names none.
func (f *Facts) waitedFor() string {
	db := path.Join(f.LiteFS.fuse(), f.LiteFS.Config.Proxy.DB)
	if checkDB(db, f.LiteFS.fuse()) != nil {
		return ""
	}
	return db
}

// completePorts answers what the app listens on, and in LiteFS mode what LiteFS's
// proxy does. An app that reads PORT can be told another one, so that the proxy
// takes over the port that Fly knows; else the proxy moves. One that needs no proxy
// listens as on a volume.
func (f *Facts) completePorts(a *Answers, m Main) {
	given := a.Port
	known := 0 // internal_port of fly.toml
	if f.Fly != nil && f.Fly.Err == nil {
		known = f.Fly.Port
	}
	direct := a.Mode == Volume || m.Replay
	behind := 0 // the app's port behind LiteFS's proxy
	if a.From == LiteFS {
		behind = f.LiteFS.port("proxy.target")
	}
	switch {
	case given != 0:
	case direct && a.From == LiteFS && !m.ReadsPort && behind != 0:
		a.Port = behind
	case direct:
		a.Port = cmp.Or(known, m.Port)
	case behind != 0:
		a.Port = behind
	case m.ReadsPort:
		a.Port = next(cmp.Or(known, m.Port))
	default:
		a.Port = cmp.Or(known, m.Port)
	}
	if direct {
		a.Proxy = 0
		return
	}
	switch {
	case a.Proxy != 0 && a.Proxy != a.Port: // complete already
	case known != 0 && known != a.Port:
		a.Proxy = known
	case m.ReadsPort && given == 0 && a.Port == next(m.Port):
		a.Proxy = m.Port
	default:
		a.Proxy = next(a.Port)
	}
}

// next is the port beside another.
func next(port int) int {
	port++
	if port == litefsPort {
		port++
	}
	if port > 65535 {
		return DefaultPort
	}
	return port
}

// completeDB answers where the database lies. A change of the mode moves it, and
// keeps the file's name.
func (f *Facts) completeDB(a *Answers, m Main) {
	if db := a.Was; a.DB == "" && db != "" && (a.App == f.Fly.App || path.Base(db) != f.Fly.App+".db") {
		a.DB = db
		if a.Mode != a.From {
			a.DB = path.Join(a.dir(), path.Base(db))
		}
	}
	if literal := m.Database.Literal; a.DB == "" && m.Database.Var == "" && checkDB(literal, a.dir()) == nil {
		a.DB = literal // it is there already
	}
	if a.DB == "" {
		a.DB = f.unset(m, a.dir())
	}
	if a.DB == "" && m.Database.DirVar+m.Database.DirFlag != "" {
		a.DB = path.Join(a.dir(), m.Database.Literal)
	}
	if a.DB == "" {
		a.DB = path.Join(a.dir(), a.App+".db")
	}
}

// ParseRegions reads a list of regions, as in "ams,syd". Each is named once.
func ParseRegions(list []string) []string {
	var regions []string
	for _, part := range list {
		for r := range strings.SplitSeq(part, ",") {
			if r = strings.TrimSpace(r); r != "" && !slices.Contains(regions, r) {
				regions = append(regions, r)
			}
		}
	}
	return regions
}

// validateMode reports what is wrong with the answers that only one mode has.
func (a Answers) validateMode() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := CheckMode(a.Mode); err != nil {
		bad("--mode %w", err)
	}
	for _, r := range a.Regions {
		if err := flyconf.CheckRegion(r); err != nil {
			bad("--regions %w", err)
		}
	}
	if a.Mode != LiteFS {
		if len(a.Regions) > 0 {
			bad("--regions %s: a volume belongs to one machine, which is in one region; machines in more regions would each have a database of their own. Replicas need --mode litefs", strings.Join(a.Regions, ","))
		}
		return errors.Join(errs...)
	}
	if a.Port == litefsPort || a.Proxy == litefsPort {
		bad("--port %d is that of LiteFS's own API: choose another", litefsPort)
	}
	if within(a.dir(), a.mount()) || within(a.mount(), a.dir()) {
		bad("the volume is mounted at %s and LiteFS mounts its directory at %s: neither may be inside of the other; change fuse.dir in litefs.yml", a.mount(), a.dir())
	}
	return errors.Join(errs...)
}
