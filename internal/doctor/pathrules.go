package doctor

// pathRules are about where the database is, in all files together.
var pathRules = []Rule{
	{
		ID: "FLY301", Severity: Error,
		Title: "the database is not on the volume",
		Why:   "Everything outside a mount is lost with the machine, at every deploy.",
		check: checkPlaces,
	},
	{
		ID: "FLY302", Severity: Error,
		Title: "a file URL with a host in it",
		Why:   "In file://data/app.db, data is a host, not a directory: write three slashes.",
		check: checkURLs,
	},
	{
		ID: "FLY304", Severity: Error,
		Title: "two files name two databases",
		Why:   "The entrypoint looks after one database and the app opens another.",
		check: checkSame,
	},
	{
		ID: "FLY305", Severity: Warning,
		Title: "VOLUME in the Dockerfile differs from the mount",
		Why:   "Docker makes an empty volume of its own there, which Fly does not keep.",
		check: checkVolumeLine,
	},
	{
		ID: "FLY306", Severity: Warning,
		Title: "a user that may not write to the volume",
		Why:   "Fly gives a volume to the user that the image starts as. flysql-entrypoint needs root to look after it, and a user that a script becomes has no right to write there.",
		check: checkUser,
	},
	{
		ID: "FLY307", Severity: Warning,
		Title: "database files can reach the image",
		Why:   "A local database in the build context is copied into the image: its rows are published with it, and hide that the volume is empty.",
		check: checkIgnored,
	},
	{
		ID: "FLY308", Severity: Warning,
		Title: "an SQLite that can corrupt a WAL",
		Why:   "Before 3.51.3, SQLite has a bug in WAL reset that can corrupt a database.",
		check: checkSQLite,
	},
}
