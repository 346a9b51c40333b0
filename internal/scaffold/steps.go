package scaffold

import (
	"cmp"
	"fmt"
	"path"
	"strings"
)

// steps are the commands that come next, in an order in which no row is lost and
// no empty database is served.
func (f *Facts) steps(a Answers, m Main) []Step {
	switch {
	case a.From == Volume && a.Mode == LiteFS:
		return append(toLiteFS(a), f.laterDeploys(a, m)...)
	case a.From == LiteFS && a.Mode == Volume:
		return toVolume(a)
	case a.Mode == LiteFS:
		return append(firstLiteFS(a), f.laterDeploys(a, m)...)
	}
	return []Step{
		{"fly apps create " + a.App, "once; if the name is taken: flysql init --app OTHER --force"},
		// One machine, because a second would have a second, empty database.
		{"fly deploy --ha=false", "one machine; the first deploy makes its volume"},
		{"fly logs", "the boot, step by step"},
	}
}

// firstLiteFS deploys the primary alone: replicas come when there is something to
// copy, and never compete for the first lease.
func firstLiteFS(a Answers) []Step {
	steps := []Step{
		{"fly apps create " + a.App, "once; if the name is taken: flysql init --app OTHER --force"},
		{"fly consul attach", "once; sets FLY_CONSUL_URL, by which the machines agree on the primary"},
		{"fly deploy --ha=false", "the first deploy makes the primary alone, in " + a.Region + ", and its volume"},
		{"fly logs", "wait until the app has started there"},
	}
	return append(steps, scaleOut(a)...)
}

// laterDeploys have a migrate command run before the replicas' new code is: it is the
// primary's, and replicas do not wait for it. Where the entrypoint migrates by files, a
// plain fly deploy will do.
func (f *Facts) laterDeploys(a Answers, m Main) []Step {
	if f.migrateCommand(a, m) == "" {
		return nil
	}
	return []Step{{"fly deploy --only-regions " + a.Region, "each later deploy begins with the primary, which alone runs FLYSQL_MIGRATE; then fly deploy, for the others. Keep one machine in " + a.Region}}
}

// scaleOut adds the replicas.
func scaleOut(a Answers) []Step {
	if len(a.Regions) == 0 {
		return nil
	}
	return []Step{{"flysql regions add " + strings.Join(a.Regions, " "), "a volume and a replica for each; it ends when they have caught up"}}
}

// toLiteFS moves the database of a volume into LiteFS: the entrypoint imports it,
// with what is in its WAL, before anything else is in the cluster and before the app
// is started.
func toLiteFS(a Answers) []Step {
	old := cmp.Or(a.Was, path.Join(a.mount(), path.Base(a.DB)))
	var steps []Step
	if a.Was == "" {
		steps = append(steps, Step{fmt.Sprintf("fly ssh console -C %q", "ls -l "+a.mount()), "which file is the database? below, it is taken to be " + old})
	}
	steps = append(steps, []Step{
		{"fly volumes list", "note the volume's id; there is one machine now, and stays one until the end"},
		{"fly volumes snapshots create ID", "the backup: go on when fly volumes snapshots list ID shows it"},
		{"fly consul attach", "sets FLY_CONSUL_URL, by which the machines agree on the primary"},
		{"fly deploy --ha=false --env FLYSQL_LITEFS_IMPORT=" + old, "stops the app, imports the database into LiteFS, starts the app; the old file stays as it is"},
		{"fly logs", "must have the line import ok, with the size of the database"},
		{fmt.Sprintf(`fly ssh console -C "mv %s %s.before-litefs"`, old, old), "keep it until you are sure; it must not be taken for the database again"},
	}...)
	return append(steps, scaleOut(a)...)
}

// toVolume moves the database out of LiteFS. The export comes after the last write
// and before the image without LiteFS.
func toVolume(a Answers) []Step {
	db := path.Base(cmp.Or(a.Was, a.DB))
	return []Step{
		{"fly scale count 0 --region REGION", "for each region but " + a.Region + ": the replicas go, their volumes stay until you destroy them"},
		{"fly scale count 1 --region " + a.Region, "where there are more: the one that goes may be the primary, and with it up to a second of writes, so let nobody write meanwhile"},
		{"fly volumes list", "note the id of the volume in " + a.Region},
		{"fly volumes snapshots create ID", "the backup: go on when fly volumes snapshots list ID shows it"},
		{"fly machine list", "note the id of the machine that is left"},
		{`fly machine update ID --command "sleep infinity" --skip-health-checks`, "stops the app: from here on nothing is written or served. LiteFS goes on"},
		{fmt.Sprintf(`fly ssh console -C "sh -c 'test ! -e %s && test ! -e %s-wal && litefs export -name %s %s'"`, a.DB, a.DB, db, a.DB), "prints Export of database; where it prints nothing, a file of that name is there already: move it and its -wal away first"},
		{"fly deploy --ha=false", "the app starts, on the volume"},
		{"fly ssh console -C \"ls -l " + a.mount() + "\"", "look at the app; " + path.Join(litefsData(a), "dbs") + ", LiteFS's copy, can go when you are sure"},
		{"fly consul detach", "it is no longer needed"},
	}
}
