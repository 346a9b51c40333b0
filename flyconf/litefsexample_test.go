package flyconf_test

import (
	"fmt"
	"os"

	"github.com/flysql/flysql/flyconf"
)

func ExampleParseLiteFS() {
	text := []byte(`
fuse:
  dir: "/litefs"
data:
  dir: "/data/litefs"
lease:
  type: "consul"
  candidate: ${FLY_REGION == PRIMARY_REGION}
  consul:
    url: "${FLY_CONSUL_URL}"
    key: "litefs/${FLY_APP_NAME}"
`)
	env := map[string]string{"FLY_REGION": "fra", "PRIMARY_REGION": "iad", "FLY_APP_NAME": "shop"}
	cfg, err := flyconf.ParseLiteFS("litefs.yml", text, func(name string) (string, bool) {
		value, known := env[name]
		return value, known
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := cfg.Validate(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cfg.Lease.Candidate, cfg.Lease.Consul.Key)
	for _, v := range cfg.Variables {
		if !v.Known {
			fmt.Printf("line %d: %s needs %s\n", v.Line, v.Key, v.Name)
		}
	}
	// Output:
	// false litefs/shop
	// line 10: lease.consul.url needs FLY_CONSUL_URL
}

func ExampleParseLiteFS_problems() {
	_, err := flyconf.ParseLiteFS("litefs.yml", []byte(`
lease:
  typ: "consul"
  reconnect-delay: 5
`), nil)
	fmt.Println(err)
	// Output:
	// litefs.yml:3:3: lease.typ: unknown key; did you mean type?
	// litefs.yml:4:3: lease.reconnect-delay: is a number without a unit: write a duration with its unit, as in "10s" or "5m"
}

func ExampleLiteFS_Validate() {
	cfg, err := flyconf.ParseLiteFS("litefs.yml", []byte(`
fuse: {dir: "/data"}
data: {dir: "/data/litefs"}
exec: "migrate && app"
`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cfg.Validate())
	// Output:
	// litefs.yml:3:8: data.dir: "/data/litefs" is inside of fuse.dir "/data", which is mounted over it: keep it elsewhere, on the volume
	// litefs.yml: lease.type: is missing: write "consul", or "static" for a primary that never changes
	// litefs.yml:4:1: exec: runs without a shell, and LiteFS drops everything from the & on: make it a list of commands, or run a script
}

func ExampleLiteFSDocument_Set() {
	d, err := flyconf.ParseLiteFSDocument("litefs.yml", []byte(`# How shop replicates.
lease:
  type: "static"   # for now
  candidate: true

exec: "shop"
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, edit := range []struct {
		path  string
		value any
	}{
		{"lease.type", "consul"},
		{"lease.candidate", "${FLY_REGION == PRIMARY_REGION}"},
		{"lease.consul.url", "${FLY_CONSUL_URL}"},
		{"fuse.dir", "/litefs"},
	} {
		if err := d.Set(edit.path, edit.value); err != nil {
			fmt.Println(err)
			return
		}
	}
	os.Stdout.Write(d.Bytes())
	// Output:
	// # How shop replicates.
	// lease:
	//   type: "consul"   # for now
	//   candidate: ${FLY_REGION == PRIMARY_REGION}
	//   consul:
	//     url: "${FLY_CONSUL_URL}"
	//
	// exec: "shop"
	//
	// fuse:
	//   dir: "/litefs"
}
