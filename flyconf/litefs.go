package flyconf

import "time"

// LiteFS is one litefs.yml, the configuration of LiteFS v0.5: every key that it
// knows, with LiteFS's own defaults for those that the file leaves out. It is
// for reading; ParseLiteFSDocument makes what edits the file.
type LiteFS struct {
	ExitOnError  bool         // exit-on-error: stop the machine when LiteFS cannot start; true by default
	SkipSync     bool         // skip-sync: run exec before the node has caught up
	StrictVerify bool         // strict-verify: check the whole database at every transaction; slow
	Exec         []LiteFSExec // exec: commands that run one after the other; the last is the app

	Data struct {
		Dir                      string        // data.dir: databases and transaction files; "/var/lib/litefs" by default
		Compress                 bool          // data.compress: transaction files with LZ4; true by default
		Retention                time.Duration // data.retention of transaction files; 10 m by default
		RetentionMonitorInterval time.Duration // data.retention-monitor-interval; 1 m by default
	}
	FUSE struct {
		Dir        string // fuse.dir: where the app sees its databases; "/litefs" by default
		AllowOther bool   // fuse.allow-other: users other than root see them too
		Debug      bool   // fuse.debug
	}
	HTTP struct {
		Addr            string        // http.addr of the API that the nodes use; ":20202" by default
		SnapshotTimeout time.Duration // http.snapshot-timeout; 0 is data.retention
	}
	Proxy struct {
		Addr                   string        // proxy.addr: "host:port" or ":port"
		Target                 string        // proxy.target: the app's "host:port"; empty runs no proxy
		DB                     string        // proxy.db: the database whose position clients wait for
		MaxLag                 time.Duration // proxy.max-lag above which /litefs/health fails; 10 s by default
		Debug                  bool          // proxy.debug
		Passthrough            []string      // proxy.passthrough: paths that go to the app as they are; * matches anything
		AlwaysForward          []string      // proxy.always-forward: paths whose reads go to the primary too
		PrimaryRedirectTimeout time.Duration // proxy.primary-redirect-timeout; 5 s by default
		ReadTimeout            time.Duration // proxy.read-timeout; 0 is none
		ReadHeaderTimeout      time.Duration // proxy.read-header-timeout; 10 s by default
		WriteTimeout           time.Duration // proxy.write-timeout; 0 is none
		IdleTimeout            time.Duration // proxy.idle-timeout; 30 s by default
	}
	Lease struct {
		Type           string        // lease.type: "consul" or "static"
		Hostname       string        // lease.hostname, by which replicas know the primary; empty is the machine's own with consul
		AdvertiseURL   string        // lease.advertise-url: this node's API, for the others
		Candidate      bool          // lease.candidate: may become primary; with static, is the primary; true by default
		Promote        bool          // lease.promote: become primary after a start
		ReconnectDelay time.Duration // lease.reconnect-delay; 1 s by default
		DemoteDelay    time.Duration // lease.demote-delay; 10 s by default
		Databases      []string      // lease.databases: those that a replica copies; empty is all

		Consul struct {
			URL       string        // lease.consul.url; may hold a token
			Key       string        // lease.consul.key, the same on all nodes of the cluster
			TTL       time.Duration // lease.consul.ttl; 0 is 10 s
			LockDelay time.Duration // lease.consul.lock-delay; 0 is 1 s
		}
	}
	Backup struct {
		Type      string // backup.type: "file", or "litefs-cloud", which no longer exists
		Path      string // backup.path, of "file"
		URL       string // backup.url, of "litefs-cloud"
		Cluster   string // backup.cluster, of "litefs-cloud"
		AuthToken string // backup.auth-token, of "litefs-cloud": a secret
	}
	Log struct {
		Format    string // log.format: "text", the default, or "json"
		Timestamp bool   // log.timestamp
		Debug     bool   // log.debug
	}
	Tracing struct {
		Enabled   bool   // tracing.enabled; true by default
		Path      string // tracing.path of the log; empty writes none
		MaxSizeMB int    // tracing.max-size of one file; 64 by default
		MaxCount  int    // tracing.max-count of old files; 8 by default
		Compress  bool   // tracing.compress old files; true by default
	}

	// Variables are the environment variables that values of the file use, in
	// its order.
	Variables []LiteFSVariable

	source     source
	unresolved map[string]bool // keys whose value holds a variable that is not known
}

// LiteFSExec is one command of exec.
type LiteFSExec struct {
	Cmd         string // cmd: split into words by LiteFS itself, without a shell
	IfCandidate bool   // if-candidate: only where lease.candidate is true
}

// LiteFSVariable is one use of an environment variable.
type LiteFSVariable struct {
	Name      string
	Key       string // whose value uses it: "lease.consul.url"; empty where it stands outside of values
	Line, Col int
	Known     bool // it was given to ParseLiteFS
	Compared  bool // it stands in ${A == B} or ${A != B}, where it may well be empty
}

// newLiteFS returns what LiteFS does without a file.
func newLiteFS() *LiteFS {
	c := &LiteFS{ExitOnError: true}
	c.Data.Dir = "/var/lib/litefs"
	c.Data.Compress = true
	c.Data.Retention = 10 * time.Minute
	c.Data.RetentionMonitorInterval = time.Minute
	c.FUSE.Dir = "/litefs"
	c.HTTP.Addr = ":20202"
	c.Proxy.MaxLag = 10 * time.Second
	c.Proxy.PrimaryRedirectTimeout = 5 * time.Second
	c.Proxy.ReadHeaderTimeout = 10 * time.Second
	c.Proxy.IdleTimeout = 30 * time.Second
	c.Lease.Candidate = true
	c.Lease.ReconnectDelay = time.Second
	c.Lease.DemoteDelay = 10 * time.Second
	c.Log.Format = "text"
	c.Tracing.Enabled = true
	c.Tracing.MaxSizeMB = 64
	c.Tracing.MaxCount = 8
	c.Tracing.Compress = true
	return c
}

// ParseLiteFS reads a litefs.yml; name is what errors call the file. It reports
// every problem that it finds, joined, each a *Problem with its place: YAML that
// is not valid, keys that LiteFS does not know, at which it refuses to start
// (with the nearest one that it does), and values of the wrong type. Where it is
// YAML, the result has what could be taken, beside the error; else it is nil. Whether
// the values make sense together is Validate's to say.
//
// Before LiteFS reads the YAML, it replaces $NAME, ${NAME}, ${A == B}, ${A != B}
// and the same with a quoted text for B, all over the file. ParseLiteFS does so
// with the variables that env knows; one that is known not to be set is "", true.
// A value that holds a variable which env does not know is not judged: a string
// has it as it is written, anything else keeps LiteFS's default. A nil env knows
// none. On a machine that is:
//
//	func(name string) (string, bool) { return os.Getenv(name), true }
//
// Its errors show neither values of the file nor of env, which may be secrets.
func ParseLiteFS(name string, data []byte, env func(name string) (value string, known bool)) (*LiteFS, error) {
	if err := checkSourceText(name, data); err != nil {
		return nil, err
	}
	plain, err := expandLiteFS(name, data, nil)
	if err != nil {
		return nil, err
	}
	c := newLiteFS()
	// Where the variables stand is only to be seen before they are replaced.
	doc, err := parseLiteFSYAML(name, plain)
	if env == nil || len(plain.marks) == 0 {
		if err != nil {
			return nil, err
		}
		c.Variables = doc.variables(plain)
	} else {
		text, expandErr := expandLiteFS(name, data, env)
		if expandErr != nil {
			return nil, expandErr
		}
		if err != nil {
			c.Variables = text.uses()
		} else {
			c.Variables = doc.variables(text)
		}
		if doc, err = parseLiteFSYAML(name, text); err != nil {
			return nil, err
		}
	}
	if doc.root == nil {
		return nil, &Problem{File: name, Message: "is empty, which LiteFS does not start with: it needs at least lease.type"}
	}
	r := newLiteFSReader(doc, c)
	r.read()
	return c, r.problems.err()
}
