package flyconf

import "time"

// HTTPService is the app as Fly's proxy sees it, on ports 80 and 443.
type HTTPService struct {
	InternalPort int    `fly:"internal_port,positive"`      // what the app listens on, 1 to 65535
	ForceHTTPS   bool   `fly:"force_https,always"`          // redirect http to https; always written
	AutoStop     string `fly:"auto_stop_machines,autostop"` // "off", "stop" or "suspend" an idle machine; empty leaves it out
	AutoStart    *bool  `fly:"auto_start_machines"`         // start a stopped one for a request; nil leaves it out

	// MinMachinesRunning is how many machines of the primary region are never
	// stopped. It is always written.
	MinMachinesRunning int `fly:"min_machines_running,always"`

	Processes []string `fly:"processes"` // the groups that serve; needed as soon as there are [processes]

	Concurrency   *Concurrency   `fly:"concurrency"`
	TLSOptions    *TLSOptions    `fly:"tls_options"`
	HTTPOptions   *HTTPOptions   `fly:"http_options"`
	Checks        []HTTPCheck    `fly:"checks"`
	MachineChecks []MachineCheck `fly:"machine_checks"`
	Extra         map[string]any
}

// Service is the app as Fly's proxy sees it, on any ports.
type Service struct {
	Protocol           string   `fly:"protocol"`                     // "tcp" or "udp"
	InternalPort       int      `fly:"internal_port,loose,positive"` // what the app listens on, 1 to 65535
	Processes          []string `fly:"processes"`                    // the groups that serve; needed as soon as there are [processes]
	AutoStop           string   `fly:"auto_stop_machines,autostop"`  // as in HTTPService
	AutoStart          *bool    `fly:"auto_start_machines"`          // as in HTTPService
	MinMachinesRunning *int     `fly:"min_machines_running"`         // nil leaves it out

	Concurrency   *Concurrency       `fly:"concurrency,softhard"`
	Ports         []Port             `fly:"ports,single"`
	TCPChecks     []TCPCheck         `fly:"tcp_checks,single"`
	HTTPChecks    []ServiceHTTPCheck `fly:"http_checks,single"`
	MachineChecks []MachineCheck     `fly:"machine_checks"`
	Extra         map[string]any
}

// Port is a port, or a range of ports, on which the proxy takes connections.
type Port struct {
	Port              *int               `fly:"port,loose"`  // 1 to 65535
	StartPort         *int               `fly:"start_port"`  // or the first
	EndPort           *int               `fly:"end_port"`    // and the last of a range
	Handlers          []string           `fly:"handlers"`    // what ends at the proxy: "http", "tls", "pg_tls", "proxy_proto", "edge_http"
	ForceHTTPS        bool               `fly:"force_https"` // redirect http to https
	TLSOptions        *TLSOptions        `fly:"tls_options"`
	HTTPOptions       *HTTPOptions       `fly:"http_options"`
	ProxyProtoOptions *ProxyProtoOptions `fly:"proxy_proto_options"`
	Extra             map[string]any
}

// TLSOptions is how the proxy speaks TLS to clients.
type TLSOptions struct {
	ALPN              []string `fly:"alpn"`                // "h2", "http/1.1"
	Versions          []string `fly:"versions"`            // "TLSv1.2", "TLSv1.3"
	DefaultSelfSigned *bool    `fly:"default_self_signed"` // serve a self-signed certificate where there is no other
	Extra             map[string]any
}

// HTTPOptions is how the proxy speaks HTTP.
type HTTPOptions struct {
	Compress           *bool                `fly:"compress"`             // compress responses
	H2Backend          *bool                `fly:"h2_backend"`           // speak HTTP/2 without TLS to the app
	IdleTimeout        *int                 `fly:"idle_timeout"`         // seconds
	HeadersReadTimeout *int                 `fly:"headers_read_timeout"` // seconds
	Response           *HTTPResponseOptions `fly:"response"`
	ReplayCache        []ReplayCache        `fly:"replay_cache"`
	Extra              map[string]any
}

// HTTPResponseOptions is what the proxy changes in responses.
type HTTPResponseOptions struct {
	Pristine *bool          `fly:"pristine"` // leave responses alone
	Headers  map[string]any `fly:"headers"`  // a string or list of strings sets a header, false removes it
	Extra    map[string]any
}

// ReplayCache is a part of the app's URLs whose fly-replay answers the proxy
// remembers.
type ReplayCache struct {
	PathPrefix  string `fly:"path_prefix"`
	TTLSeconds  int    `fly:"ttl_seconds"`
	Type        string `fly:"type"` // "cookie" or "header"
	Name        string `fly:"name"` // of that cookie or header
	AllowBypass bool   `fly:"allow_bypass"`
	Extra       map[string]any
}

// ProxyProtoOptions is how the proxy speaks the PROXY protocol to the app.
type ProxyProtoOptions struct {
	Version string `fly:"version"` // "v1", the default, or "v2"
	Extra   map[string]any
}

// Concurrency is how much a machine takes before the proxy prefers another
// (soft) and before it refuses (hard).
type Concurrency struct {
	Type      string `fly:"type"`                // "requests" or "connections"
	SoftLimit int    `fly:"soft_limit,positive"` // 0 leaves it out
	HardLimit int    `fly:"hard_limit,positive"` // 0 leaves it out
	Extra     map[string]any
}

// HTTPCheck is a request by which Fly finds out whether the app is well.
//
// flyctl reads an integer duration here as nanoseconds.
type HTTPCheck struct {
	Method        string            `fly:"method"`          // "GET"
	Path          string            `fly:"path"`            // "/healthz"
	Interval      time.Duration     `fly:"interval"`        // between two; 0 leaves it out
	Timeout       time.Duration     `fly:"timeout"`         // of one; 0 leaves it out
	GracePeriod   time.Duration     `fly:"grace_period"`    // after a start, in which failures do not count; 0 leaves it out
	Protocol      string            `fly:"protocol"`        // "http", the default, or "https"
	TLSSkipVerify bool              `fly:"tls_skip_verify"` // take any certificate
	TLSServerName string            `fly:"tls_server_name"` // the name on the certificate
	Headers       map[string]string `fly:"headers"`         // of the request
	Extra         map[string]any
}

// ServiceHTTPCheck is an HTTPCheck of [[services]], where flyctl reads an integer
// duration as milliseconds.
type ServiceHTTPCheck struct {
	Method        string            `fly:"method"`              // "GET"
	Path          string            `fly:"path"`                // "/healthz"
	Interval      time.Duration     `fly:"interval,ms"`         // as in HTTPCheck
	Timeout       time.Duration     `fly:"timeout,ms"`          //
	GracePeriod   time.Duration     `fly:"grace_period,ms"`     //
	Protocol      string            `fly:"protocol"`            // "http", the default, or "https"
	TLSSkipVerify bool              `fly:"tls_skip_verify"`     // take any certificate
	TLSServerName string            `fly:"tls_server_name"`     // the name on the certificate
	Headers       map[string]string `fly:"headers,text,legacy"` // of the request
	Extra         map[string]any
}

// TCPCheck is a connection by which Fly finds out whether the app is well.
type TCPCheck struct {
	Interval    time.Duration `fly:"interval,ms"`     // as in HTTPCheck
	Timeout     time.Duration `fly:"timeout,ms"`      //
	GracePeriod time.Duration `fly:"grace_period,ms"` //
	Extra       map[string]any
}

// Check is a health check outside of any service. A machine that fails it holds
// a deploy back, and still gets requests.
type Check struct {
	Port          *int              `fly:"port"`                // of the app; needed
	Type          string            `fly:"type"`                // "http" or "tcp"; needed
	Method        string            `fly:"method"`              // "GET"
	Path          string            `fly:"path"`                // "/healthz"
	Interval      time.Duration     `fly:"interval,ms"`         // at least 2 s; 0 leaves it out
	Timeout       time.Duration     `fly:"timeout,ms"`          // at most 1 minute; 0 leaves it out
	GracePeriod   time.Duration     `fly:"grace_period,ms"`     // as in HTTPCheck
	Protocol      string            `fly:"protocol"`            // "http", the default, or "https"
	TLSSkipVerify bool              `fly:"tls_skip_verify"`     // take any certificate
	TLSServerName string            `fly:"tls_server_name"`     // the name on the certificate
	Processes     []string          `fly:"processes"`           // nil is the default group
	Headers       map[string]string `fly:"headers,text,legacy"` // of the request
	Extra         map[string]any
}

// MachineCheck is a machine that `fly deploy` starts to test a release. It has
// the image's ENTRYPOINT, no volumes, and FLY_TEST_COMMAND=1 in its environment.
type MachineCheck struct {
	Image       string        `fly:"image"`        // default: the release's own
	Command     []string      `fly:"command"`      // the test
	Entrypoint  []string      `fly:"entrypoint"`   // instead of the image's
	KillSignal  string        `fly:"kill_signal"`  //
	KillTimeout time.Duration `fly:"kill_timeout"` //
	Extra       map[string]any
}
