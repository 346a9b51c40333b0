package doctor

// remoteRules are about what runs on Fly: doctor --remote.
var remoteRules = []Rule{
	{
		ID: "FLY207", Severity: Error, Remote: true,
		Title: "a machine without a volume, or a volume without a machine",
		Why:   "A machine without its volume writes to a disk that vanishes; a volume without a machine may be where the rows are that somebody misses, and costs as much as one in use.",
		check: checkAttached,
	},
	{
		ID: "FLY208", Severity: Error, Remote: true,
		Title: "fewer volumes than machines in a region",
		Why:   "Each machine needs a volume of its own: fly deploy stops at the first that finds none.",
		check: checkVolumeCounts,
	},
	{
		ID: "FLY303", Severity: Warning, Remote: true,
		Title: "a secret that overrides env",
		Why:   "Secrets win over [env]: what stands in fly.toml has no effect, and the app may open another database than the one that was looked after.",
		check: checkOverridden,
	},
	{
		ID: "FLY601", Severity: Error, Remote: true,
		Title: "a host that is down",
		Why:   "A volume is on one host. Until that is back, nobody can read or write what is on it; Fly moves no volume by itself.",
		check: checkHosts,
	},
	{
		ID: "FLY602", Severity: Warning, Remote: true,
		Title: "no recent snapshot",
		Why:   "When the volume's host fails, the last snapshot that is whole is what is left of it.",
		check: checkRecentSnapshots,
	},
	{
		ID: "FLY603", Severity: Warning, Remote: true,
		Title: "a volume whose snapshots are not as fly.toml says",
		Why:   "fly deploy sets them when it makes a volume, and never again.",
		check: checkSnapshotSettings,
	},
	{
		ID: "FLY604", Severity: Error, Remote: true,
		Title: "no FLY_CONSUL_URL for the lease",
		Why:   "LiteFS has no lease server then, and does not start.",
		check: checkConsulSecret,
	},
	{
		ID: "FLY605", Severity: Warning, Remote: true,
		Title: "a machine that is not as fly.toml says",
		Why:   "What was changed by hand, or by a deploy that did not reach all machines, is undone by the next deploy, or works on one machine only.",
		check: checkDrift,
	},
	{
		ID: "FLY606", Severity: Warning, Remote: true,
		Title: "machines of one group with different images",
		Why:   "A deploy stopped half-way: two releases use one database, whose schema is that of the newer.",
		check: checkImages,
	},
	{
		ID: "FLY607", Severity: Warning, Remote: true,
		Title: "a machine that got stuck",
		Why:   "It serves nothing, and stands in the way of deploys.",
		check: checkStuck,
	},
	{
		ID: "FLY608", Severity: Error, Remote: true,
		Title: "more than one primary",
		Why:   "Both take writes, and one of them will lose its own.",
		check: checkPrimaries,
	},
	{
		ID: "FLY609", Severity: Error, Remote: true,
		Title: "no primary",
		Why:   "Nobody can write, and nodes that start wait for one.",
		check: checkNoPrimary,
	},
	{
		ID: "FLY610", Severity: Warning, Remote: true,
		Title: "a replica that stays behind",
		Why:   "It serves old data, and would lose the rest if it became the primary.",
		check: checkBehind,
	},
	{
		ID: "FLY611", Severity: Error, Remote: true,
		Title: "nodes with different histories",
		Why:   "They are no copies of one database: what is written to the one never reaches the other.",
		check: checkHistories,
	},
}
