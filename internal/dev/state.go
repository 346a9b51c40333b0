package dev

import (
	"net/http"
	"time"
)

// State is all of a session at one moment. The page draws it, and --json prints it. It
// only ever grows.
type State struct {
	App     string `json:"app"`
	URL     string `json:"url"`    // of the edge, in the region of those who do not say
	Region  string `json:"region"` // that region
	Engine  string `json:"engine"` // "litefs", or "volume" for one machine without
	Why     string `json:"why"`    // it is not what was asked for: "no /dev/fuse"; "" where it is
	Latency string `json:"latency"`
	Ready   bool   `json:"ready"` // all machines have served once
	// Doing is a deploy that goes on: "building", "rolling ams1"; "" for none.
	Doing    string    `json:"doing"`
	Primary  string    `json:"primary"` // the machine that holds the lease; "" for nobody, and without LiteFS
	Regions  []Region  `json:"regions"`
	Machines []Machine `json:"machines"` // those of the primary region first
}

// Region is one that machines are in.
type Region struct {
	Code   string  `json:"code"`
	Name   string  `json:"name"` // "Amsterdam, Netherlands"
	Lat    float64 `json:"lat"`  // degrees
	Lon    float64 `json:"lon"`
	URL    string  `json:"url"`     // by which a browser is in it
	Cut    bool    `json:"cut"`     // off the network
	SlowMS float64 `json:"slow_ms"` // slowed down by so much, one way
}

// Machine is one of them.
type Machine struct {
	ID        string     `json:"id"`
	Region    string     `json:"region"`
	State     string     `json:"state"`   // "started", "stopped", "away" (on its way up or down)
	Healthy   bool       `json:"healthy"` // it is started, and its checks pass
	Role      string     `json:"role"`    // "primary", "replica"; "" for not known, and without LiteFS
	Databases []Database `json:"databases"`
	LagMS     *int64     `json:"lag_ms"` // behind the primary; null where that is not known
	Load      int        `json:"load"`   // requests that it is at
	Checks    []Check    `json:"checks"`
	PID       int        `json:"pid"`      // of its entrypoint; 0 while it is off
	Memory    int64      `json:"memory"`   // bytes of all its processes, shared ones in part (Pss); 0 where not known
	Log       string     `json:"log"`      // the file
	Error     string     `json:"error"`    // how it ended, where nobody had asked for it
	Restarts  int        `json:"restarts"` // how often it was started again by itself, as [[restart]] says
}

// Database is a file of a machine's LiteFS.
type Database struct {
	Name     string `json:"name"`
	Position string `json:"position"` // transaction and checksum
	Behind   *int64 `json:"behind"`   // transactions that the primary has, and this one not; null where not known
}

// Check is one of fly.toml's, and what came of it.
type Check struct {
	Name    string `json:"name"`
	Passing bool   `json:"passing"`
	Output  string `json:"output"`
}

// The types of an Event.
const (
	TypeState   = "state"   // something of State has changed; State is set
	TypeRequest = "request" // Request is set
	TypeLog     = "log"     // a machine, or the build, has printed a line
	TypeAction  = "action"  // somebody did something to a machine or a region: Action is set
)

// Event is something that happened.
type Event struct {
	Time    time.Time `json:"time"`
	Type    string    `json:"type"`
	State   *State    `json:"state,omitempty"`
	Request *Request  `json:"request,omitempty"`
	Log     *Log      `json:"log,omitempty"`
	Action  *Action   `json:"action,omitempty"`
}

// Log is a line. Machine is "" for the build.
type Log struct {
	Machine string `json:"machine"`
	Line    string `json:"line"`
}

// Action is one of the session's, begun or done.
type Action struct {
	Name   string `json:"name"`   // "kill", "stop", "start", "restart", "cut", "mend", "handoff", "slow", "choose", "deploy"
	Target string `json:"target"` // a machine or region; "" for deploy
	Done   bool   `json:"done"`
	Error  string `json:"error,omitempty"`
}

// Request is one request and its whole way. Durations are in milliseconds.
type Request struct {
	ID     string    `json:"id"` // Fly-Request-Id
	Time   time.Time `json:"time"`
	MS     float64   `json:"ms"`
	Client string    `json:"client"`
	Edge   string    `json:"edge"` // the region that it came in at
	Method string    `json:"method"`
	Host   string    `json:"host"`
	Path   string    `json:"path"`   // without the query
	Status int       `json:"status"` // 0 where the client went before
	Error  string    `json:"error,omitempty"`
	Open   bool      `json:"open,omitempty"` // the response goes on: MS is until it began
	Bytes  int64     `json:"bytes"`
	Hops   []Hop     `json:"hops"`
	// Way is it in one line: "edge ams -> ams1 replica -> replay -> ord1 primary, 182 ms".
	Way string `json:"way"`
}

// Hop is a machine that it was given to, or tried to be.
type Hop struct {
	Machine  string      `json:"machine"`
	Region   string      `json:"region"`
	Role     string      `json:"role"` // as it was then
	Why      string      `json:"why"`
	AfterMS  float64     `json:"after_ms"`
	MS       float64     `json:"ms"`
	Status   int         `json:"status"`
	Error    string      `json:"error,omitempty"`
	Replay   string      `json:"replay,omitempty"`
	Note     string      `json:"note,omitempty"`
	Request  http.Header `json:"request"` // without what is secret
	Response http.Header `json:"response"`
}
