// Package nodestatus is what a machine says of itself: flysql-entrypoint --status
// --json prints a Status in it, and flysql reads that through Fly's API. It is the one
// form that both know, and imports nothing.
//
//	data, err := json.Marshal(nodestatus.Status{Mode: nodestatus.Volume, Ready: true})
package nodestatus

// The modes of a machine.
const (
	Volume = "volume" // the database is on the machine's volume alone
	LiteFS = "litefs" // the machine is a node of a LiteFS cluster
)

// The roles of a LiteFS node. An empty one is not known.
const (
	Primary = "primary"
	Replica = "replica"
)

// Status is one look at a machine. It only ever grows.
type Status struct {
	Version string `json:"version"` // of flysql-entrypoint
	Mode    string `json:"mode"`    // Volume or LiteFS
	// Ready tells that the database can be used: it is there, no migration is under
	// way, and a LiteFS node is the primary or has caught up with one.
	Ready bool   `json:"ready"`
	Why   string `json:"why"` // it is not; "" where it is

	LiteFS     *Node      `json:"litefs"` // null without LiteFS
	Databases  []Database `json:"databases"`
	Volume     Disk       `json:"volume"`
	Migrations Migrations `json:"migrations"`
}

// Node is the machine's LiteFS.
type Node struct {
	Answers   bool   `json:"answers"` // its API does; where not, what follows is not known
	Role      string `json:"role"`
	Hostname  string `json:"hostname"` // what this node is called in the lease
	Primary   string `json:"primary"`  // who this node takes for the primary; "" is nobody
	Candidate bool   `json:"candidate"`
	ClusterID string `json:"cluster_id"`
	// LagMS is how far it is behind, in milliseconds, by the clocks of two machines;
	// null where that is not known, and before a replica has caught up once.
	LagMS    *int64 `json:"lag_ms"`
	Lease    Lease  `json:"lease"`
	Watchdog string `json:"watchdog"` // ok, fenced, killed, ended; "" where none runs
}

// Lease is what the lease server says.
type Lease struct {
	Type   string `json:"type"`   // consul or static
	Holder string `json:"holder"` // the node that has it; "" is nobody, or not known
	Why    string `json:"why"`    // it is not known
}

// Database is one file. Sizes are in bytes; one that is not known is null.
type Database struct {
	Name     string `json:"name"`
	Position string `json:"position"` // LiteFS's: transaction and checksum; "" without it
	Size     *int64 `json:"size"`
	WAL      *int64 `json:"wal"` // what is not in the file yet
}

// Disk is what the database, or LiteFS's data, is on, in bytes.
type Disk struct {
	Path string `json:"path"` // where it is mounted; "" where that is not known
	Size int64  `json:"size"`
	Free int64  `json:"free"`
}

// Migrations compares the image's with the database's.
type Migrations struct {
	Tool    string   `json:"tool"` // "" where the image has none
	Applied int      `json:"applied"`
	Pending []string `json:"pending"` // files
	Dirty   bool     `json:"dirty"`   // golang-migrate's mark
	Why     string   `json:"why"`     // it is not known
}
