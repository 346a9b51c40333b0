package doctor

// bootRules are about releases and what the image starts.
var bootRules = []Rule{
	{
		ID: "FLY101", Severity: Error,
		Title: "release_command touches a database on a volume",
		Why:   "It runs on a machine of its own that has no volume: it migrates an empty database, and the real one stays as it is.",
		check: checkRelease,
	},
	{
		ID: "FLY102", Severity: Error,
		Title: "the ENTRYPOINT does not know machines without a volume",
		Why:   "A release_command, and each machine check, starts the image with its ENTRYPOINT on a machine that has no volume: what the ENTRYPOINT does with the database, it does to an empty one.",
		check: checkEntrypoint,
	},
	{
		ID: "FLY103", Severity: Warning,
		Title: "fly console has no volume",
		Why:   "fly console starts a new machine that has no volume: a console_command that opens the database finds none.",
		check: checkConsole,
	},
	{
		ID: "FLY104", Severity: Error,
		Title: "ENTRYPOINT in shell form",
		Why:   "A shell takes the ENTRYPOINT as text: CMD and [processes] are not given to it, and signals end the shell instead of the app.",
		check: checkShellEntrypoint,
	},
	{
		ID: "FLY105", Severity: Error,
		Title: "litefs mount as ENTRYPOINT takes no CMD",
		Why:   "litefs mount starts what exec in litefs.yml says. With a command behind it, and no --, it does not start at all.",
		check: checkLiteFSMount,
	},
	{
		ID: "FLY106", Severity: Warning,
		Title: "an entrypoint script that does not end in exec",
		Why:   "The shell stays the app's parent: it gets the signals, and the app is killed when the time is over.",
		check: checkScripts,
	},
	{
		ID: "FLY107", Severity: Warning,
		Title: "a variable that flysql-entrypoint does not know",
		Why:   "Names that begin with FLYSQL_ are its settings, but for a few that flysql's packages read in the app: any other does nothing, and what it was meant to set has its default.",
		check: checkSettingNames,
	},
	{
		ID: "FLY108", Severity: Error,
		Title: "a setting that flysql-entrypoint refuses",
		Why:   "It ends with exit code 78 before the app is started, at every boot.",
		check: checkSettingValues,
	},
	{
		ID: "FLY109", Severity: Error,
		Title: "LiteFS starts nothing",
		Why:   "litefs mount starts what stands behind its --, or what exec in litefs.yml says. Without either the databases are mounted, and no app runs.",
		check: checkLiteFSAlone,
	},
}
