//go:build !unix

package inspect

// flysql-entrypoint is for Linux, and does not build here: of its settings only those
// of the database count.

const defaultLiteFS = ""

func settingsOf(env []string) settings {
	return settings{
		flysqlDB: lookup(env, "FLYSQL_DB"), databaseURL: lookup(env, "DATABASE_URL"),
		migrations: lookup(env, "FLYSQL_MIGRATIONS"), tool: lookup(env, "FLYSQL_MIGRATE_TOOL"), table: lookup(env, "FLYSQL_MIGRATE_TABLE"),
		command: lookup(env, "FLYSQL_MIGRATE") != "", litefs: "off",
	}
}
