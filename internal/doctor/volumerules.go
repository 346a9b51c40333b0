package doctor

// volumeRules are about [mounts] and what runs beside them.
var volumeRules = []Rule{
	{
		ID: "FLY201", Severity: Error,
		Title: "a strategy that volumes do not allow",
		Why:   "canary and bluegreen start a second machine beside the first, and a volume belongs to one machine: the second has an empty database, or the deploy stops.",
	},
	{
		ID: "FLY202", Severity: Error,
		Title: "more than one volume for a process group",
		Why:   "A machine takes one volume.",
	},
	{
		ID: "FLY203", Severity: Error,
		Title: "a mount for a process group that there is not",
		Why:   "flyctl leaves the volume out without a word, and the database is on a disk that vanishes.",
	},
	{
		ID: "FLY204", Severity: Error,
		Title: "a mount without a proper destination",
		Why:   "The volume cannot be mounted there.",
	},
	{
		ID: "FLY205", Severity: Error,
		Title: "a volume name that Fly refuses",
		Why:   "The first deploy cannot make the volume.",
	},
	{
		ID: "FLY206", Severity: Error,
		Title: "a volume without primary_region",
		Why:   "fly deploy does not know where to make it.",
	},
	{
		ID: "FLY209", Severity: Error,
		Title: "more than one machine, and nothing that copies the database",
		Why:   "Each machine has a volume of its own: the second one has a second, empty database, and requests reach one or the other.",
		check: func(c *checker) { checkMachines(c); checkRemoteMachines(c) },
	},
	{
		ID: "FLY210", Severity: Warning,
		Title: "one volume, and nobody thought of copies",
		Why:   "A volume is on one host. When that fails, what is left is Fly's daily snapshot, kept for 5 days unless told otherwise.",
		check: checkCopies,
	},
	{
		ID: "FLY211", Severity: Error,
		Title: "a process group uses the database without a volume",
		Why:   "It has a machine of its own, whose database is another one, on a disk that vanishes.",
		check: checkGroupVolumes,
	},
	{
		ID: "FLY212", Severity: Error,
		Title: "a volume that does not grow as it says",
		Why:   "threshold, increment and limit are needed together, within their ranges and in quotes: else the file does not load, or the volume never grows, and a full disk stops all writes.",
	},
	{
		ID: "FLY213", Severity: Warning,
		Title: "a volume that has no room to grow",
		Why:   "With a limit at or below its size, the volume never grows.",
		check: checkGrowth,
	},
	{
		ID: "FLY214", Severity: Error,
		Title: "snapshots kept for a time that Fly refuses",
		Why:   "Fly keeps snapshots for 1 to 60 days.",
	},
	{
		ID: "FLY215", Severity: Warning,
		Title: "no snapshots and no backup",
		Why:   "With scheduled_snapshots = false, and nothing else that copies the database, one broken disk is the end of it.",
		check: checkSnapshots,
	},
	{
		ID: "FLY216", Severity: Note,
		Title: "snapshot settings reach new volumes only",
		Why:   "fly deploy sets them when it makes a volume; those that exist keep what they have.",
		check: checkNewVolumes,
	},
	{
		ID: "FLY217", Severity: Error,
		Title: "an unknown key under mounts",
		Why:   "flyctl drops it without a word, even with --strict: what it was meant to set stays as it is.",
	},
}
