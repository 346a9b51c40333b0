package doctor

// litefsRules are about litefs.yml and what must go with it.
var litefsRules = []Rule{
	{
		ID: "FLY401", Severity: Error,
		Title: "LiteFS with machines that are stopped",
		Why:   "A machine that was stopped comes back with an old database, may win the lease, and newer rows are discarded.",
		check: func(c *checker) { checkLiteFSStop(c); checkRemoteStop(c) },
	},
	{
		ID: "FLY402", Severity: Warning,
		Title: "promote while the cluster grows",
		Why:   "A node that has not caught up takes the lease, and rows that it lacks are lost.",
		check: checkPromote,
	},
	{
		ID: "FLY403", Severity: Error,
		Title: "LiteFS's directories are wrong",
		Why:   "data.dir must be on the volume and beside fuse.dir: what is not on the volume is lost with the machine, and what is inside the other is hidden.",
		check: checkDataDir,
	},
	{
		ID: "FLY404", Severity: Error,
		Title: "LiteFS's proxy and the ports do not fit",
		Why:   "Fly's proxy talks to internal_port, LiteFS's proxy listens on proxy.addr and talks to the app at proxy.target: where one does not fit, nothing is served, or writes go past the primary.",
		check: checkProxy,
	},
	{
		ID: "FLY405", Severity: Error,
		Title: "a key that LiteFS does not know",
		Why:   "LiteFS does not start with it.",
	},
	{
		ID: "FLY406", Severity: Error,
		Title: "a variable that will be empty",
		Why:   "LiteFS puts nothing in its place: the lease is not found, or the node is no candidate.",
		check: checkVariables,
	},
	{
		ID: "FLY407", Severity: Error,
		Title: "the image lacks what LiteFS needs",
		Why:   "Without fuse3 nothing can be mounted, without CA certificates Consul cannot be reached, and without litefs there is nothing to start.",
		check: checkLiteFSImage,
	},
	{
		ID: "FLY408", Severity: Error,
		Title: "LiteFS's port is public",
		Why:   "Port 20202 takes anybody's import, export and promotion without asking who it is.",
		check: checkPublicPort,
	},
	{
		ID: "FLY409", Severity: Error,
		Title: "no candidate in the primary region",
		Why:   "No node may become primary: nothing can be written.",
		check: func(c *checker) { checkCandidate(c); checkRemoteCandidates(c) },
	},
	{
		ID: "FLY410", Severity: Warning,
		Title: "lease.hostname is not the machine's ID",
		Why:   "Writes are sent to the primary by the name that it gives, and Fly's proxy knows machines by their ID.",
		check: checkHostname,
	},
	{
		ID: "FLY411", Severity: Error,
		Title: "a database in a sub-directory of fuse.dir",
		Why:   "LiteFS serves files in the root of its directory only.",
		check: checkSubdirectory,
	},
	{
		ID: "FLY412", Severity: Error,
		Title: "LiteFS Cloud",
		Why:   "It ended in October 2024: backups that are meant to be made are not.",
		check: func(c *checker) { checkCloud(c); checkRemoteCloud(c) },
	},
	{
		ID: "FLY413", Severity: Error,
		Title: "Litestream beside a lease that moves",
		Why:   "Litestream keeps a node from following when it is demoted, and two primaries in turn write one backup.",
		check: checkMovingLease,
	},
	{
		ID: "FLY414", Severity: Warning,
		Title: "a migration that shrinks a database under LiteFS",
		Why:   "In WAL mode, LiteFS v0.5.14 panics when a transaction makes the database smaller by more than about 1 MiB: it is never replicated, nothing can write any more, and LiteFS may not start again on that node.",
		check: checkVacuum,
	},
	{
		ID: "FLY415", Severity: Warning,
		Title: "a machine with LiteFS that is not started again",
		Why:   "A LiteFS that has lost its lease, or hangs, ends with its machine, which then comes back as a replica. With the policy never it stays away.",
		check: checkRestart,
	},
	{
		ID: "FLY416", Severity: Warning,
		Title: "two primaries are not prevented",
		Why:   "LiteFS stays the primary for as long as the renewal of its lease hangs, while another node becomes it too: what one of them wrote is lost.",
		check: checkFence,
	},
	{
		ID: "FLY417", Severity: Warning,
		Title: "FLYSQL_LITEFS_IMPORT that stays",
		Why:   "It says where a database comes from when the mode changes. Once that is done, it does harm at most.",
		check: checkImport,
	},
	{
		ID: "FLY418", Severity: Note,
		Title: "a deploy that works in one order only",
		Why:   "A rolling deploy takes the machines in an order that Fly chooses: one that waits for the primary's migrations keeps the deploy from reaching the primary.",
		check: checkMigrateFrom,
	},
}
