package flyconf

import "time"

// Config is one fly.toml. Its zero value is an empty file, which Validate
// refuses for want of an app name. A Config may be read by several goroutines at
// once, and is changed by assigning to its fields.
type Config struct {
	App           string        // app: the app's name, unique on Fly
	PrimaryRegion string        // primary_region: where volumes and the first machine are made, "iad"
	KillSignal    string        // kill_signal: "SIGTERM"; empty leaves it to Fly, whose documents disagree on the default
	KillTimeout   time.Duration // kill_timeout: from the signal to a hard stop; 0 is Fly's default of 5 s, at most 300 s

	Deploy      *Deploy           // [deploy]; nil leaves it out
	Env         map[string]string // [env]: the machine's environment; secrets of the same name win
	Mounts      []Mount           // [[mounts]]: volumes, at most one for a machine
	HTTPService *HTTPService      // [http_service]; nil leaves it out
	VMs         []VM              // [[vm]]

	source source // where Parse found each key; empty for a Config made in code
}

// Deploy is how `fly deploy` replaces machines.
type Deploy struct {
	Strategy    string        // strategy: "rolling" (Fly's default), "immediate", "canary" or "bluegreen"; the last two cannot be used with volumes
	WaitTimeout time.Duration // wait_timeout: how long a machine may take to become healthy; 0 is flyctl's default
}

// Mount is a volume and where a machine finds it.
type Mount struct {
	Source        string // source: the volume's name: lowercase letters, digits and underscores, at most 30
	Destination   string // destination: an absolute path in the machine, not "/"
	InitialSizeGB int    // initial_size, with which `fly deploy` makes the volume; 0 leaves it to flyctl (1 GB) or the API (3 GB)

	// Fly extends the volume by the increment once it is fuller than the
	// threshold, up to the limit. All three or none: without the limit, the
	// file loads and the volume never grows.
	AutoExtendThresholdPercent int // auto_extend_size_threshold: 50 to 99
	AutoExtendIncrementGB      int // auto_extend_size_increment
	AutoExtendLimitGB          int // auto_extend_size_limit: at most 500

	SnapshotRetentionDays int // snapshot_retention: how long daily snapshots are kept, 1 to 60; 0 is Fly's default of 5
}

// HTTPService is the app as Fly's proxy sees it, on ports 80 and 443.
type HTTPService struct {
	InternalPort int    // internal_port: what the app listens on, 1 to 65535
	ForceHTTPS   bool   // force_https: redirect http to https
	AutoStop     string // auto_stop_machines: "off", "stop" or "suspend" an idle machine; empty leaves it out
	AutoStart    *bool  // auto_start_machines: start a stopped one for a request; nil leaves it out

	// MinMachinesRunning (min_machines_running) is how many machines of the
	// primary region are never stopped.
	MinMachinesRunning int

	Concurrency *Concurrency // [http_service.concurrency]; nil leaves it out
	Checks      []HTTPCheck  // [[http_service.checks]]
}

// Concurrency is how much a machine takes before the proxy prefers another
// (soft) and before it refuses (hard).
type Concurrency struct {
	Type      string // type: "requests" or "connections"
	SoftLimit int    // soft_limit; 0 leaves it out
	HardLimit int    // hard_limit; 0 leaves it out
}

// HTTPCheck is a request by which Fly finds out whether the app is well.
type HTTPCheck struct {
	Method      string            // method: "GET"
	Path        string            // path: "/healthz"
	Interval    time.Duration     // interval between two; 0 leaves it out
	Timeout     time.Duration     // timeout of one; 0 leaves it out
	GracePeriod time.Duration     // grace_period after a start, in which failures do not count; 0 leaves it out
	Headers     map[string]string // headers of the request
}

// VM is the size of a machine.
type VM struct {
	Size     string // size: "shared-cpu-1x"
	MemoryMB int    // memory, a multiple of 256; 0 is the size's own
}
