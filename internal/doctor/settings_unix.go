//go:build unix

package doctor

import (
	"strings"

	"github.com/flysql/flysql/entrypoint"
)

// settingNames are the variables that flysql-entrypoint knows.
func settingNames() []string { return entrypoint.Variables() }

// outputNames are the variables that it sets for the app, where they are not set.
func outputNames() []string { return entrypoint.Outputs() }

// readSettings are the settings as flysql-entrypoint reads them; false where it would
// refuse them.
func readSettings(args, environ []string) (bootSettings, bool) {
	inv, err := entrypoint.FromEnv(args, environ)
	if err != nil {
		return bootSettings{}, false
	}
	s := bootSettings{
		grace: inv.Grace, handoff: inv.Handoff, fence: !inv.NoFence, migrateFrom: string(inv.MigrateFrom),
		migrations: inv.MigrationsDir != "", importFrom: inv.Import, neverPrimary: inv.NeverPrimary,
	}
	if s.grace == 0 {
		s.grace = entrypoint.DefaultGrace
	}
	if s.handoff == 0 {
		s.handoff = entrypoint.DefaultHandoff
	}
	s.handoff = max(s.handoff, 0) // negative: not at all
	if s.migrateFrom == "" {
		s.migrateFrom = string(entrypoint.FromPrimary)
	}
	return s, true
}

// refusals are why flysql-entrypoint would not take the settings, whatever else is
// missing.
func refusals(environ []string) []string {
	environ = append([]string{"FLYSQL_DB=/data/app.db"}, environ...)
	inv, err := entrypoint.FromEnv([]string{"app"}, environ)
	inv.Config.Env = environ
	var list []string
	for _, err := range []error{err, inv.Validate()} {
		if err != nil {
			list = append(list, strings.Split(err.Error(), "\n")...)
		}
	}
	return list
}
