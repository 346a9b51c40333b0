package doctor

// serviceRules are about the ways to the app: ports, checks, stops.
var serviceRules = []Rule{
	{
		ID: "FLY501", Severity: Error,
		Title: "a duration without a unit",
		Why:   "flyctl reads an integer as nanoseconds, milliseconds or seconds, depending on the section.",
	},
	{
		ID: "FLY502", Severity: Error,
		Title: "a table where flyctl wants another form",
		Why:   "The file does not load.",
	},
	{
		ID: "FLY503", Severity: Error,
		Title: "internal_port is not what the app listens on",
		Why:   "Fly's proxy reaches nobody: the deploy fails its checks, or requests fail.",
		check: checkInternalPort,
	},
	{
		ID: "FLY504", Severity: Warning,
		Title: "machines that stop and do not start",
		Why:   "With auto_stop_machines and without auto_start_machines, the app is gone once it was idle.",
		check: checkAutoStart,
	},
	{
		ID: "FLY505", Severity: Warning,
		Title: "suspend does not fit the machine",
		Why:   "Machines with more than 2 GB of memory, or with swap, cannot be suspended: they are stopped.",
		check: checkSuspend,
	},
	{
		ID: "FLY506", Severity: Warning,
		Title: "a check that is redirected",
		Why:   "Checks are plain http. An app that redirects http to https answers 301, and the check fails.",
		check: checkRedirect,
	},
	{
		ID: "FLY507", Severity: Warning,
		Title: "concurrency that does not say what it counts",
		Why:   "Without a type Fly counts connections; a soft limit above the hard one is never reached.",
	},
	{
		ID: "FLY508", Severity: Warning,
		Title: "kill_timeout is too short",
		Why:   "Fly stops the machine hard after it: requests under way, the last backup and LiteFS's handoff are cut off.",
		check: checkKillTimeout,
	},
	{
		ID: "FLY509", Severity: Error,
		Title: "a variable that is Fly's own",
		Why:   "Fly refuses names that begin with FLY_, and sets PRIMARY_REGION itself.",
	},
	{
		ID: "FLY510", Severity: Warning,
		Title: "a region that flysql does not know",
		Why:   "A volume can only be made in a region of Fly's: fly platform regions lists them.",
		check: checkRegion,
	},
}
