package entrypoint

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/flysql/flysql/internal/nodestatus"
	"golang.org/x/sys/unix"
)

// Status is what a machine says of itself; docs/entrypoint.md has its JSON.
type Status = nodestatus.Status

const (
	// statusLimit bounds a look, whatever hangs.
	statusLimit = 2 * time.Second
	// statusPatience is how long it asks, so that there is time to tell what was heard.
	statusPatience = 1500 * time.Millisecond
)

// Look says how the machine is that c boots, beside the app that runs there or
// without it: which mode and role, where the databases stand, what room there is and
// which migrations are pending. It reads only, needs neither root nor a Command, and
// takes no longer than two seconds, whatever LiteFS or the lease server do; what it
// could not find out in that time it says. An error says that the configuration cannot
// be read, or that the disk does not answer.
func Look(ctx context.Context, c Config) (Status, error) {
	if c.DB == "" {
		return Status{}, errors.New("no database: set DATABASE_URL (file:///data/app.db) or --db")
	}
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	type seen struct {
		Status
		err error
	}
	found := make(chan seen, 1)
	go func() {
		s, err := (&boot{Config: c.withDefaults()}).observe(ctx)
		found <- seen{s, err}
	}()
	select {
	case s := <-found:
		return s.Status, s.err
	case <-time.After(statusLimit):
		return Status{}, errors.New("the disk that the database is on does not answer")
	}
}

func (b *boot) observe(ctx context.Context) (Status, error) {
	m, err := b.place()
	if err != nil {
		return Status{}, err
	}
	s := Status{Mode: volumeMode, Databases: []nodestatus.Database{}, Volume: nodestatus.Disk{Path: m.point}}
	on := b.dir
	if b.node != nil {
		on = b.node.data
	}
	if room, err := spaceOf(existing(on)); err == nil {
		s.Volume.Size, s.Volume.Free = room.total, room.free
	}
	usable := ""
	if b.node != nil {
		s.Mode = litefsMode
		usable = b.lookAtNode(ctx, &s)
	} else {
		b.lookAtFile(m, &s)
	}
	if _, err := os.Lstat(b.state.journal()); err == nil && s.Why == "" {
		s.Why = "a migration is under way, or was cut short"
	}
	s.Ready = s.Why == ""
	s.Migrations = b.lookAtMigrations(ctx, usable)
	return s, nil
}

// place finds the database, and the mount of what must outlive the machine, as guard
// does, but refuses nothing and makes nothing. What is mounted by LiteFS is not asked.
func (b *boot) place() (mount, error) {
	path, err := b.Config.path()
	if err != nil {
		return mount{}, err
	}
	file, err := b.litefsFile()
	if err != nil {
		return mount{}, err
	}
	mounts, err := readMounts(b.mountinfo)
	if err != nil {
		return mount{}, err
	}
	if file == "" {
		if path, err = resolve(path); err != nil {
			return mount{}, err
		}
		b.path, b.dir, b.state = path, filepath.Dir(path), stateOf(path)
		return mountAt(mounts, existing(b.dir)), nil
	}
	n, err := b.parseLiteFS(file)
	if err == nil {
		err = b.placesOf(n, path)
	}
	if err != nil {
		return mount{}, err
	}
	b.node, b.dir, b.path = n, n.mount, filepath.Join(n.mount, filepath.Base(path))
	b.state = stateOfNode(n.data, b.path, mounts)
	return mountAt(mounts, existing(n.data)), nil
}

// lookAtFile is a look at a database on a volume alone.
func (b *boot) lookAtFile(m mount, s *Status) {
	db := nodestatus.Database{Name: filepath.Base(b.path), Size: sizeOf(b.path), WAL: sizeOrNone(b.path + "-wal")}
	if db.Size == nil {
		s.Why = "there is no database yet at " + b.path
	} else {
		s.Databases = append(s.Databases, db)
	}
	if why := m.vanishes(); b.needsVolume(b.path) && why != "" {
		s.Why = b.dir + " is on no volume, but on " + m.fsType + " at " + m.point + ", " + why
	}
}

// lookAtNode is a look at a LiteFS node. It says why its mount should not be asked, or
// "": who asks one that hangs cannot be ended.
func (b *boot) lookAtNode(ctx context.Context, s *Status) (unusable string) {
	n := b.node
	lease := make(chan nodestatus.Lease, 1)
	go func() { lease <- b.lookAtLease(ctx) }()
	why, info := n.notReady(ctx)
	own := &nodestatus.Node{Answers: info.id != "", Hostname: n.hostname(), Watchdog: b.watched()}
	s.LiteFS, s.Why = own, why
	at := map[string]position{}
	if own.Answers {
		own.Role, own.Primary, own.Candidate, own.ClusterID = info.role(), info.Primary.Hostname, info.Candidate, info.ClusterID
		at, _ = databasesOf(ctx, n.api) // one that falls silent now has no positions
		if ms, known := n.lag(ctx); known && (info.IsPrimary || info.Primary.Hostname != "") {
			own.LagMS = &ms
		}
	} else {
		unusable = why
		own.ClusterID, _ = n.clusterID() // as another user, it cannot be read
	}
	if own.Watchdog == "fenced" {
		s.Why = "LiteFS is stopped, for its lease cannot be confirmed"
	}
	s.Databases = n.databases(at)
	own.Lease = <-lease
	return unusable
}

// databases joins what LiteFS says of its databases with what is on its disk, which
// only root may read.
func (n *node) databases(at map[string]position) []nodestatus.Database {
	names := sortedKeys(at)
	entries, _ := os.ReadDir(filepath.Join(n.data, "dbs"))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	found := []nodestatus.Database{}
	for _, name := range sorted(names) {
		dir := filepath.Join(n.data, "dbs", name)
		db := nodestatus.Database{Name: name, Size: sizeOf(filepath.Join(dir, "database"))}
		if db.Size != nil {
			db.WAL = sizeOrNone(filepath.Join(dir, "wal"))
		}
		if p := at[name]; p.tx != 0 {
			db.Position = p.String()
		} else if db.Size == nil || *db.Size == 0 {
			continue // it was opened, or dropped
		}
		found = append(found, db)
	}
	return found
}

func (b *boot) lookAtLease(ctx context.Context) nodestatus.Lease {
	l := nodestatus.Lease{Type: b.node.conf.Lease.Type}
	key := b.node.leaseKey(b.getenv)
	if key == nil {
		return l
	}
	h, _, err := key.holder(ctx, statusPatience)
	if l.Holder = h.Hostname; err != nil { // its own text may name a host that is secret
		l.Why = "the lease server does not answer"
	}
	return l
}

// watched is what the watchdog of the boot that runs says, or "".
func (b *boot) watched() string {
	data, err := os.ReadFile(filepath.Join(b.state.dir, watchFile))
	var w watchState
	if err != nil || json.Unmarshal(data, &w) != nil || w.Pid <= 0 {
		return ""
	}
	if err := unix.Kill(w.Pid, 0); err != nil && !errors.Is(err, unix.EPERM) {
		return ""
	}
	return w.State
}

// lookAtMigrations compares without a trace: no file is made, and no transaction that
// a crash left is undone, for this may be another user than the app's.
func (b *boot) lookAtMigrations(ctx context.Context, unusable string) nodestatus.Migrations {
	m := nodestatus.Migrations{Pending: []string{}}
	if len(b.MigrateCommand) > 0 {
		m.Tool, m.Why = "command", "only the command knows"
		return m
	}
	if err := b.openMigrations(); err != nil {
		m.Why = err.Error()
		return m
	}
	if b.set == nil {
		return m
	}
	m.Tool = string(b.set.Tool())
	if m.Why = unusable; m.Why != "" {
		return m
	}
	if m.Why = b.unsettled(ctx); m.Why != "" {
		return m
	}
	st, err := b.set.Status(ctx, b.path)
	if err != nil {
		m.Why = err.Error()
		return m
	}
	m.Applied, m.Dirty = len(st.Applied), st.Dirty
	for _, p := range st.Pending {
		m.Pending = append(m.Pending, p.File)
	}
	return m
}

// unsettled says why the database cannot be read without a trace, or "". A journal is
// there for as long as a transaction takes, so it is looked for more than once.
func (b *boot) unsettled(ctx context.Context) string {
	for {
		hot, _ := journalAt(b.path + "-journal")
		if !hot {
			break
		}
		select {
		case <-ctx.Done():
			return "a transaction is under way, or a crash left one"
		case <-time.After(5 * time.Millisecond):
		}
	}
	_, err := os.Stat(b.path + "-shm")
	if wal := sizeOf(b.path + "-wal"); b.node == nil && isNotExist(err) && wal != nil && *wal > 0 {
		return "nothing has the database open, and SQLite would have to recover its -wal"
	}
	return ""
}

// sizeOf is nil where there is no such file, or it may not be looked at.
func sizeOf(path string) *int64 {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() {
		return nil
	}
	size := info.Size()
	return &size
}

// sizeOrNone takes a file that is not there for an empty one.
func sizeOrNone(path string) *int64 {
	if size := sizeOf(path); size != nil {
		return size
	}
	return new(int64)
}
