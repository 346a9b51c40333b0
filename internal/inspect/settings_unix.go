//go:build unix

package inspect

import "github.com/flysql/flysql/entrypoint"

// defaultLiteFS is where LiteFS's configuration is, where nothing else is said.
const defaultLiteFS = entrypoint.DefaultLiteFS

// settingsOf reads the environment as flysql-entrypoint does. What it would refuse, it
// says at a boot.
func settingsOf(env []string) settings {
	inv, _ := entrypoint.FromEnv(nil, env)
	s := settings{
		databaseURL: lookup(env, "DATABASE_URL"),
		migrations:  inv.MigrationsDir, tool: inv.MigrateTool, table: inv.MigrateTable,
		command: len(inv.MigrateCommand) > 0, litefs: inv.LiteFS,
	}
	if inv.DB != s.databaseURL || lookup(env, "FLYSQL_DB") != "" {
		s.flysqlDB = inv.DB
	}
	return s
}
