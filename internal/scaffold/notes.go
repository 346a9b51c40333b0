package scaffold

import (
	"cmp"
	"fmt"
	"strings"
)

// replicas says where they are to run.
func replicas(a Answers) string {
	switch len(a.Regions) {
	case 0:
		return ", no replicas yet"
	case 1:
		return ", a replica in " + a.Regions[0]
	}
	return ", replicas in " + strings.Join(a.Regions, ", ")
}

// modeNotes say what the mode means.
func (f *Facts) modeNotes(a Answers) []string {
	if a.Mode != LiteFS {
		if f.LiteFS == nil {
			return nil
		}
		return []string{fmt.Sprintf("%s is not used: this is one machine with a volume, and the image does not have the file. flysql init --mode litefs sets LiteFS up", f.LiteFS.Path)}
	}
	list := []string{
		"LiteFS comes without support from Fly: it is stable, but below 1.0, and LiteFS Cloud, with its backups, ended on 2024-10-15. You run it yourself: watch the logs, keep backups, and read docs/litefs.md before the first failover",
		"a primary that dies without a warning takes with it the writes that no replica has got yet, up to about a second of them; until another one has the lease, 18 to 21 seconds, nothing can be written",
	}
	if f.LiteFS != nil && f.LiteFS.Config != nil && len(f.LiteFS.Config.Exec) > 0 {
		list = append(list, f.execNote(a))
	}
	if f.LiteFS != nil && f.LiteFS.Config != nil && f.LiteFS.Config.Lease.Promote {
		list = append(list, fmt.Sprintf("lease.promote goes off in %s: a machine that becomes the primary because it has just started may not have caught up, and newer rows of the others would be lost", f.LiteFS.Path))
	}
	return list
}

// execNote says what becomes of what LiteFS ran.
func (f *Facts) execNote(a Answers) string {
	exec := f.LiteFS.Config.Exec
	last := exec[len(exec)-1].Cmd
	note := fmt.Sprintf("the exec section goes from %s: flysql-entrypoint starts LiteFS, and the app when LiteFS is ready. ", f.LiteFS.Path)
	if f.Docker != nil && f.Docker.Mounts {
		note += fmt.Sprintf("The image runs %q now", cmp.Or(a.Command, last))
	} else {
		note += fmt.Sprintf("What it ran is %q: give that by --command where the image's own command is another", last)
	}
	for _, e := range exec[:len(exec)-1] {
		note += fmt.Sprintf("; %q, which it ran before, is not run any more: where that migrates, set it as FLYSQL_MIGRATE in fly.toml's [env]", e.Cmd)
	}
	return note
}

// flyNotes say what the files that are there have that does not go with the mode.
func (f *Facts) flyNotes(a Answers, m Main) []string {
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	for _, name := range f.Litestream {
		if a.Mode == LiteFS {
			add("%s: Litestream beside LiteFS works on a fixed primary only; on one that changes, it keeps a machine that is no longer the primary from following. It is left as it is, and must not be started", name)
			continue
		}
		add("%s: Litestream goes well with a volume. Have it replicate %s, and start the app by it: --command \"litestream replicate -exec APP\"", name, a.DB)
	}
	e := f.Fly
	if e == nil {
		return list
	}
	if e.Err != nil {
		return append(list, "nothing of the present fly.toml could be taken over: "+e.Err.Error())
	}
	if a.From == Volume && a.Mode == Volume && a.Was == "" && m.Database.Server == "" {
		add("fly.toml has a volume, and no file says which database is on it: %s is set. Where the app runs with another one already, which fly ssh console -C \"ls %s\" and fly secrets list show, name it by --db, for this one would be empty", a.DB, a.mount())
	}
	if e.Builder != "" {
		add("the builder %s goes from fly.toml: the image is built by the Dockerfile, which has flysql-entrypoint", e.Builder)
	}
	if e.Image != "" {
		add("fly.toml deploys the image %s, and nothing is built: remove build.image, or build that image by the Dockerfile here, since it must start by flysql-entrypoint", e.Image)
	}
	if e.Release != "" {
		then := "flysql-entrypoint migrates at boot, on the machine that has the volume"
		switch {
		case f.migrateCommand(a, m) == e.Release:
			then = "flysql-entrypoint runs it at boot instead, on the machine that has the volume: it is FLYSQL_MIGRATE now"
		case a.Migrations == NoMigrations:
			then = "no program of the image is called so: set FLYSQL_MIGRATE in [env] to what migrates in this image, and flysql-entrypoint runs it at boot, on the machine that has the volume"
		}
		add("release_command = %q goes from fly.toml: it runs on a machine of its own that has no volume, so it would migrate an empty database and leave the real one as it is. %s", e.Release, then)
	}
	if a.Mode != LiteFS && a.Port == e.Port && m.Port != e.Port && strings.HasPrefix(m.PortReason, "the code has") {
		add("fly.toml has internal_port = %d, but %s: --port %d if the code is right", e.Port, m.PortReason, m.Port)
	}
	if a.From != "" && a.From != a.Mode {
		add("the database moves from %s to %s: the steps below take it along; docs/init.md has them too", cmp.Or(a.Was, f.dirOf(a.From, a)), a.DB)
	}
	return list
}

// dirOf is the directory of the database in a mode.
func (f *Facts) dirOf(mode Mode, a Answers) string {
	a.Mode = mode
	return a.dir()
}
