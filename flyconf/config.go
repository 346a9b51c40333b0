package flyconf

import (
	"maps"
	"slices"
	"time"
)

// Config is one fly.toml, with every key that flyctl knows. Its zero value is an
// empty file, which Validate refuses for want of an app name. A Config may be
// read by several goroutines at once, and is changed by assigning to its fields.
//
// A zero field leaves its key out of the file, unless its comment says
// otherwise. Where a zero in the file means something else than no key, the
// field is a pointer.
//
// Every table has a field Extra. Parse puts there what the other fields do not
// hold: keys that flyctl does not know, and keys of other fields whose value in
// the file is a zero ("path = ”") or of an old form. Render writes them back. A
// field that is set goes before an Extra of the same name.
type Config struct {
	App              string            `fly:"app"`                                    // the app's name, unique on Fly
	PrimaryRegion    string            `fly:"primary_region"`                         // where volumes and the first machine are made, "iad"
	KillSignal       string            `fly:"kill_signal"`                            // "SIGTERM"; empty leaves it to Fly, whose documents disagree on the default
	KillTimeout      time.Duration     `fly:"kill_timeout,seconds"`                   // from the signal to a hard stop; 0 is Fly's default of 5 s, at most 300 s
	SwapSizeMB       *int              `fly:"swap_size_mb"`                           // swap space in megabytes; nil leaves it out
	ConsoleCommand   string            `fly:"console_command"`                        // what `fly console` runs
	HostDedicationID string            `fly:"host_dedication_id"`                     // the dedicated hosts to run on
	MachineConfig    string            `fly:"machine_config"`                         // a machine's configuration as JSON, or the name of a file with it
	Container        string            `fly:"container"`                              // which of machine_config's containers is the app
	Experimental     *Experimental     `fly:"experimental"`                           // nil leaves the table out, here and below
	Build            *Build            `fly:"build"`                                  // how the image is made
	Deploy           *Deploy           `fly:"deploy"`                                 // how a release replaces the one before
	Env              map[string]string `fly:"env,text,legacy"`                        // the machine's environment; secrets of the same name win
	Processes        map[string]string `fly:"processes,legacy"`                       // process groups and their commands; none is the one group "app"
	Mounts           []Mount           `fly:"mounts,alias=mount,single"`              // volumes, at most one for a process group
	HTTPService      *HTTPService      `fly:"http_service"`                           // the app on ports 80 and 443
	Services         []Service         `fly:"services,single"`                        // the app on other ports, or with more to say
	Checks           map[string]Check  `fly:"checks,legacy"`                          // health checks that do not steer the proxy, by name
	Files            []File            `fly:"files"`                                  // files written into the machine
	MachineChecks    []MachineCheck    `fly:"machine_checks"`                         // machines that test a release
	Restart          []Restart         `fly:"restart"`                                // what to do when the program ends
	VMs              []VM              `fly:"vm,alias=compute,alias=computes,single"` // sizes of machines
	Statics          []Static          `fly:"statics"`                                // directories of the image that the proxy serves
	Metrics          []Metrics         `fly:"metrics,alias=metric,single"`            // where Prometheus metrics are

	Extra map[string]any // what the fields above do not hold

	source source     // where Parse found each key; empty for a Config made in code
	read   []*Problem // what Parse found
}

// Build is how `fly deploy` makes the image.
type Build struct {
	Builder     string            `fly:"builder"`                         // a Cloud Native Buildpacks builder
	Buildpacks  []string          `fly:"buildpacks"`                      // for the builder
	Image       string            `fly:"image"`                           // an image that exists already; nothing is built
	Builtin     string            `fly:"builtin"`                         // one of flyctl's own builders
	Dockerfile  string            `fly:"dockerfile"`                      // default "Dockerfile"
	Ignorefile  string            `fly:"ignorefile"`                      // default ".dockerignore"
	BuildTarget string            `fly:"build-target,alias=build_target"` // the stage of the Dockerfile to build
	Args        map[string]string `fly:"args"`                            // ARGs of the Dockerfile
	Settings    map[string]any    `fly:"settings"`                        // for builtin
	Compose     *Compose          `fly:"compose"`                         // containers of a machine
	Extra       map[string]any
}

// Compose has the machine's containers read from a Docker Compose file.
type Compose struct {
	File  string `fly:"file"` // default: the file that flyctl finds
	Extra map[string]any
}

// Deploy is how `fly deploy` replaces machines.
type Deploy struct {
	Strategy              string        `fly:"strategy"`                // "rolling" (Fly's default), "immediate", "canary" or "bluegreen"; the last two cannot be used with volumes
	MaxUnavailable        *float64      `fly:"max_unavailable"`         // machines to replace at a time: a share below 1, a number from 1; nil is 0.33
	WaitTimeout           time.Duration `fly:"wait_timeout"`            // how long a machine may take to become healthy; 0 is flyctl's default
	ReleaseCommand        string        `fly:"release_command"`         // runs before the release in a machine of its own, without volumes
	ReleaseCommandTimeout time.Duration `fly:"release_command_timeout"` // 0 is flyctl's default of 5 minutes
	SeedCommand           string        `fly:"seed_command"`            // as release_command, on the first deploy only
	ReleaseCommandVM      *VM           `fly:"release_command_vm"`      // the size of that machine; nil takes the app's
	Extra                 map[string]any
}

// Mount is a volume and where a machine finds it.
type Mount struct {
	Source        string `fly:"source"`                 // the volume's name: lowercase letters, digits and underscores, at most 30
	Destination   string `fly:"destination"`            // an absolute path in the machine, not "/"
	InitialSizeGB int    `fly:"initial_size,gb,number"` // with which `fly deploy` makes the volume; 0 leaves it to flyctl (1 GB) or the API (3 GB)

	// Fly extends the volume by the increment once it is fuller than the
	// threshold, up to the limit. All three or none: without the limit, the
	// file loads and the volume never grows.
	AutoExtendThresholdPercent int `fly:"auto_extend_size_threshold,positive"` // 50 to 99
	AutoExtendIncrementGB      int `fly:"auto_extend_size_increment,gb"`       // at most 100
	AutoExtendLimitGB          int `fly:"auto_extend_size_limit,gb"`           // at most 500

	SnapshotRetentionDays int      `fly:"snapshot_retention,positive"` // how long daily snapshots are kept, 1 to 60; 0 is Fly's default of 5
	ScheduledSnapshots    *bool    `fly:"scheduled_snapshots"`         // whether Fly makes them; nil is yes
	Processes             []string `fly:"processes"`                   // the process groups that have the volume; nil is the default group only

	Extra map[string]any // flyctl drops unknown keys here without a word: Validate refuses them
}

// VM is the size of machines.
type VM struct {
	Size             string   `fly:"size"`                      // "shared-cpu-1x"
	MemoryMB         int      `fly:"memory,alias=memory_mb,mb"` // a multiple of 256; 0 is the size's own
	CPUs             int      `fly:"cpus"`                      // 0 is the size's own
	CPUKind          string   `fly:"cpu_kind"`                  // "shared" or "performance"
	GPUs             int      `fly:"gpus"`                      //
	GPUKind          string   `fly:"gpu_kind"`                  // "a10", "l40s"
	HostDedicationID string   `fly:"host_dedication_id"`        // the dedicated hosts to run on
	MaxMemoryMB      int      `fly:"max_memory_mb"`             // up to which memory may grow
	PersistRootfs    string   `fly:"persist_rootfs"`            // "never", "always" or "restart"
	KernelArgs       []string `fly:"kernel_args"`               //
	Processes        []string `fly:"processes"`                 // the process groups of this size; nil is all that no other [[vm]] names
	Extra            map[string]any
}

// File is a file that Fly writes into the machine before it starts. Its content
// is that of one of the three sources.
type File struct {
	GuestPath  string   `fly:"guest_path"`  // where, an absolute path
	LocalPath  string   `fly:"local_path"`  // a file beside fly.toml
	SecretName string   `fly:"secret_name"` // a secret whose value is base64
	RawValue   string   `fly:"raw_value"`   // base64
	Processes  []string `fly:"processes"`   // nil is the default group
	Extra      map[string]any
}

// Restart is what Fly does when a machine's program ends.
type Restart struct {
	Policy    string   `fly:"policy"`    // "always", "never" or "on-failure"
	Retries   int      `fly:"retries"`   // for on-failure
	Processes []string `fly:"processes"` // nil is the default group
	Extra     map[string]any
}

// Static is a directory of the image that Fly's proxy serves by itself.
type Static struct {
	GuestPath     string `fly:"guest_path"`     // the directory, an absolute path
	URLPrefix     string `fly:"url_prefix"`     // "/assets"
	TigrisBucket  string `fly:"tigris_bucket"`  // serve from this bucket instead
	IndexDocument string `fly:"index_document"` // "index.html"
	Extra         map[string]any
}

// Metrics is where Fly's Prometheus collects an app's metrics.
type Metrics struct {
	Port      int      `fly:"port"`      // 1 to 65535
	Path      string   `fly:"path"`      // "/metrics"
	HTTPS     bool     `fly:"https"`     //
	Processes []string `fly:"processes"` // nil is the default group
	Extra     map[string]any
}

// Experimental is what flyctl has not made part of the other tables.
type Experimental struct {
	Cmd              []string  `fly:"cmd,orstring"`        // instead of the image's CMD
	Entrypoint       []string  `fly:"entrypoint,orstring"` // instead of its ENTRYPOINT
	Exec             []string  `fly:"exec,orstring"`       // instead of both
	AutoRollback     bool      `fly:"auto_rollback"`       //
	EnableConsul     bool      `fly:"enable_consul"`       // not what attaches Consul: `fly consul attach` is
	EnableEtcd       bool      `fly:"enable_etcd"`         //
	LazyLoadImages   bool      `fly:"lazy_load_images"`    //
	UseZstd          bool      `fly:"use_zstd"`            // compress the image with zstd
	Compression      string    `fly:"compression"`         // "gzip" or "zstd"
	CompressionLevel *int      `fly:"compression_level"`   //
	MachineConfig    string    `fly:"machine_config"`      // as the key of the same name at the top
	Attached         *Attached `fly:"attached"`            //
	Extra            map[string]any
}

// Attached is what an extension hands to the apps that it is attached to.
type Attached struct {
	Secrets *AttachedSecrets `fly:"secrets"`
	Extra   map[string]any
}

// AttachedSecrets are secrets under the names that attached apps see.
type AttachedSecrets struct {
	Export map[string]string `fly:"export"`
	Extra  map[string]any
}

// Groups returns the names of the process groups in order: those of Processes,
// or else "app".
func (c *Config) Groups() []string {
	if len(c.Processes) == 0 {
		return []string{defaultGroup}
	}
	return slices.Sorted(maps.Keys(c.Processes))
}

// DefaultGroup is the process group that has what names no group, a mount
// without processes say: "app" where there is one, else the first by name.
func (c *Config) DefaultGroup() string {
	if groups := c.Groups(); !slices.Contains(groups, defaultGroup) {
		return groups[0]
	}
	return defaultGroup
}

// GroupMounts returns the mounts of a process group's machines. A mount without
// processes belongs to the default group alone.
func (c *Config) GroupMounts(group string) []Mount {
	var out []Mount
	for _, m := range c.Mounts {
		if slices.Contains(m.Processes, group) || len(m.Processes) == 0 && group == c.DefaultGroup() {
			out = append(out, m)
		}
	}
	return out
}

const defaultGroup = "app"
