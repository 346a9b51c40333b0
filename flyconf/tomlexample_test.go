package flyconf_test

import (
	"fmt"
	"os"

	"github.com/flysql/flysql/flyconf"
)

func ExampleParseDocument() {
	d, err := flyconf.ParseDocument("fly.toml", []byte(`# The shop.
app = 'shop'          # unique on Fly
primary_region = 'ord'

[mounts]              # one volume
  source = 'data'
  destination = '/data'
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	// The model's paths find the file's own form: mounts[0] is [mounts] here.
	if source, ok := d.Get("mounts[0].source"); ok {
		line, col, _ := d.Position("mounts[0].source")
		fmt.Printf("%v at %d:%d\n", source, line, col)
	}
	if err := d.Set("mounts[0].initial_size", "3GB"); err != nil {
		fmt.Println(err)
		return
	}
	if err := d.Comment("primary_region", "Where the volume is."); err != nil {
		fmt.Println(err)
		return
	}
	os.Stdout.Write(d.Bytes())
	// Output:
	// data at 6:3
	// # The shop.
	// app = 'shop'          # unique on Fly
	// # Where the volume is.
	// primary_region = 'ord'
	//
	// [mounts]              # one volume
	//   source = 'data'
	//   destination = '/data'
	//   initial_size = "3GB"
}

func ExampleDocument_Set() {
	d, err := flyconf.ParseDocument("fly.toml", []byte(`app = "shop"

[http_service]
  internal_port = 8080 # what the app listens on

# One volume, for now.
[mounts]
  source = "data"
  destination = "/data"
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, edit := range []struct {
		path  string
		value any
	}{
		{"kill_signal", "SIGTERM"},
		{"http_service.internal_port", 3000},
		{"http_service.checks[0]", map[string]any{"path": "/up", "interval": "15s"}},
		{"mounts[1]", map[string]any{"source": "cache", "destination": "/cache", "processes": []string{"worker"}}},
		{flyconf.PathOf("env", "feature.flags"), "on"},
	} {
		if err := d.Set(edit.path, edit.value); err != nil {
			fmt.Println(err)
			return
		}
	}
	os.Stdout.Write(d.Bytes())
	// Output:
	// app = "shop"
	// kill_signal = "SIGTERM"
	//
	// [http_service]
	//   internal_port = 3000 # what the app listens on
	//
	//   [[http_service.checks]]
	//     path = "/up"
	//     interval = "15s"
	//
	// # One volume, for now.
	// [[mounts]]
	//   source = "data"
	//   destination = "/data"
	//
	// [[mounts]]
	//   source = "cache"
	//   destination = "/cache"
	//   processes = ["worker"]
	//
	// [env]
	//   "feature.flags" = "on"
}

func ExampleDocument_Remove() {
	d, err := flyconf.ParseDocument("fly.toml", []byte(`app = "shop"

[deploy]
  # It ran where there is no volume.
  release_command = "migrate" # before each release
  strategy = "rolling"

[[vm]]
  size = "shared-cpu-1x"

[[vm]]
  size = "performance-1x"
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, path := range []string{"deploy.release_command", "vm[1]", "swap_size_mb"} {
		if err := d.Remove(path); err != nil {
			fmt.Println(err)
			return
		}
	}
	os.Stdout.Write(d.Bytes())
	// Output:
	// app = "shop"
	//
	// [deploy]
	//   # It ran where there is no volume.
	//   strategy = "rolling"
	//
	// [[vm]]
	//   size = "shared-cpu-1x"
}

func ExampleDocument_Comment() {
	d, err := flyconf.ParseDocument("fly.toml", []byte("app = \"shop\"\n\n[mounts]\n  source = \"data\"\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 { // the second time, it stands there already
		if err := d.Comment("mounts[0]", "The database lives here."); err != nil {
			fmt.Println(err)
			return
		}
	}
	os.Stdout.Write(d.Bytes())
	// Output:
	// app = "shop"
	//
	// # The database lives here.
	// [mounts]
	//   source = "data"
}

func ExampleDocument_Config() {
	d, err := flyconf.ParseDocument("fly.toml", []byte("app = \"shop\"\n\n[http_service]\n  internal_port = 8080\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := d.Set("http_service.checks[0].interval", 15); err != nil {
		fmt.Println(err)
		return
	}
	_, err = d.Config()
	fmt.Println(err)
	// Output:
	// fly.toml:7:5: http_service.checks[0].interval: is the integer 15, which flyctl reads as nanoseconds: write "15s" with quotes if it is seconds
}

func ExamplePathOf() {
	fmt.Println(flyconf.PathOf("services", 0, "ports", 1, "handlers"))
	fmt.Println(flyconf.PathOf("env", "feature.flags"))
	// Output:
	// services[0].ports[1].handlers
	// env."feature.flags"
}
