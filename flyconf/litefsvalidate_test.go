package flyconf

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLiteFSValidate(t *testing.T) {
	const lease = "lease: {type: static, advertise-url: \"http://h:1\", hostname: h}\n"
	const proxy = "proxy: {addr: \":8080\", target: \"localhost:8081\", db: app.db}\n"
	tests := []struct {
		name, text, want string
	}{
		{"static", lease, ""},
		{"consul", "lease: {type: consul, consul: {url: \"http://c:8500\", key: k}}\n" + proxy, ""},
		{"all of the model", fullLiteFS, ""},
		{"variables are not judged", "lease: {type: $A, candidate: $B, databases: [x]}\nfuse: {dir: $C}\ndata: {dir: $C, retention: $D}\nproxy: {target: $E, addr: $F, db: $G/x}\nhttp: {addr: $H}\nexec: $I;\nlog: {format: $J}\nbackup: {type: $K}\n", ""},
		{"nothing", "log:\n", "litefs.yml: lease.type: is missing: write \"consul\", or \"static\" for a primary that never changes"},
		{"directories", lease + "fuse: {dir: ''}\ndata:\n  dir: data\n",
			"litefs.yml:2:8: fuse.dir: is empty: give a directory, such as \"/litefs\"\n" +
				"litefs.yml:4:3: data.dir: \"data\" is relative: give an absolute path, such as \"/data/litefs\""},
		{"same directory", lease + "fuse: {dir: /d/}\ndata: {dir: /d}\n", "litefs.yml:3:8: data.dir: is the same directory as fuse.dir: keep LiteFS's own files elsewhere, on the volume"},
		{"data in fuse", lease + "fuse: {dir: /d}\ndata: {dir: /d/../d/x}\n", "litefs.yml:3:8: data.dir: \"/d/x\" is inside of fuse.dir \"/d\", which is mounted over it: keep it elsewhere, on the volume"},
		{"fuse in data", lease + "fuse: {dir: /d/x}\ndata: {dir: /d}\n", "litefs.yml:2:8: fuse.dir: \"/d/x\" is inside of data.dir \"/d\": mount it elsewhere, such as \"/litefs\""},
		{"siblings", lease + "fuse: {dir: /d}\ndata: {dir: /dx}\n", ""},
		{"lease type", "lease: {type: raft}\n", "litefs.yml:1:9: lease.type: \"raft\" is not one of consul, static"},
		{"static without addresses", "lease: {type: static}\n" + proxy,
			"litefs.yml:1:1: lease.advertise-url: is missing: with a static lease, replicas find the primary by it (\"http://<primary>:20202\")\n" +
				"litefs.yml:1:1: lease.hostname: is missing: with a static lease, the proxy sends writes to the machine that it names"},
		{"consul without addresses", "lease:\n  type: consul\n  consul: {ttl: 5s}\n  advertise-url: host:1\n",
			"litefs.yml:3:3: lease.consul.url: is missing: write \"${FLY_CONSUL_URL}\", which fly consul attach sets\n" +
				"litefs.yml:3:3: lease.consul.key: is missing: give a name that all nodes of this cluster use, such as \"litefs/${FLY_APP_NAME}\"\n" +
				"litefs.yml:3:12: lease.consul.ttl: 5s is too short: Consul takes 10s or more\n" +
				"litefs.yml:4:3: lease.advertise-url: is not a URL: write it as in \"http://host:port\""},
		{"candidate with a filter", "lease: {type: static, advertise-url: \"http://h:1\", databases: [x]}\n",
			"litefs.yml:1:52: lease.databases: is only for nodes that are no candidates, and LiteFS does not start: remove it, or set lease.candidate to false"},
		{"no proxy", lease + "proxy: {addr: \":1\"}\n", "litefs.yml:2:1: proxy: there is no proxy without proxy.target: give the app's address, such as \"localhost:8081\", or remove the section"},
		{"proxy without the rest", lease + "proxy: {target: \":1\"}\n",
			"litefs.yml:2:9: proxy.target: \":1\" is not an address: write it as in \"localhost:8081\"\n" +
				"litefs.yml:2:1: proxy.addr: is missing: give the address to listen on, such as \":8080\"\n" +
				"litefs.yml:2:1: proxy.db: is missing: name the database that clients wait for, such as \"app.db\""},
		{"proxy to itself", lease + "proxy: {addr: \":8080\", target: \"localhost:8080\", db: /litefs/app.db}\n",
			"litefs.yml:2:50: proxy.db: \"/litefs/app.db\" is a path: give only the name of the file in fuse.dir\n" +
				"litefs.yml:2:24: proxy.target: has the port that the proxy itself listens on: let the app listen on another"},
		{"proxy on the API's port", lease + "http: {addr: \":8080\"}\n" + proxy, "litefs.yml:3:9: proxy.addr: has the port of http.addr, LiteFS's API: choose another"},
		{"addresses", lease + "http: {addr: 8080}\nproxy: {addr: \"x:y\", target: \"h:99999\", db: x}\n",
			"litefs.yml:3:22: proxy.target: \"h:99999\" is not an address: write it as in \"localhost:8081\"\n" +
				"litefs.yml:3:9: proxy.addr: \"x:y\" is not an address: write it as in \":8080\"\n" +
				"litefs.yml:2:8: http.addr: \"8080\" is not an address: write it as in \":8080\""},
		{"commands", lease + "exec:\n  - cmd: \" \"\n  - cmd: \"migrate && app\"\n  - cmd: \"app 'x\"\n  - if-candidate: true\n  - cmd: \"app -x 'a;b' \\\\& \\\"c>d\\\"\"\n  - cmd: \"app $(x)\"\n",
			"litefs.yml:3:5: exec[0].cmd: is empty, at which LiteFS panics: give the command, or remove it\n" +
				"litefs.yml:4:5: exec[1].cmd: runs without a shell, and LiteFS drops everything from the & on: make it a list of commands, or run a script\n" +
				"litefs.yml:5:5: exec[2].cmd: has a quote that is not closed: LiteFS cannot run it\n" +
				"litefs.yml:6:5: exec[3]: is empty, at which LiteFS panics: give the command, or remove it\n" +
				"litefs.yml:8:5: exec[5].cmd: runs without a shell, and LiteFS cannot read the (: put it in quotes, or run a script"},
		{"one command", lease + "exec: \"app | tee\"\n", "litefs.yml:2:1: exec: runs without a shell, and LiteFS drops everything from the | on: make it a list of commands, or run a script"},
		{"durations", lease + "data: {retention: 0s, retention-monitor-interval: -1s}\n",
			"litefs.yml:2:8: data.retention: 0s leaves no time for snapshots: give a time, or http.snapshot-timeout\n" +
				"litefs.yml:2:23: data.retention-monitor-interval: -1s is negative"},
		{"LiteFS Cloud", lease + "backup: {type: litefs-cloud}\n", "litefs.yml:2:10: backup.type: LiteFS Cloud ended in October 2024: remove the section"},
		{"backup", lease + "backup: {type: file}\nlog: {format: xml}\n",
			"litefs.yml:2:1: backup.path: is missing: say where the backups go\n" +
				"litefs.yml:3:7: log.format: \"xml\" is not one of text, json"},
		{"backup type", lease + "backup: {type: s3}\n", "litefs.yml:2:10: backup.type: \"s3\" is not one of file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := ParseLiteFS("litefs.yml", []byte(tt.text), nil)
			if err == nil {
				err = c.Validate()
			}
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
