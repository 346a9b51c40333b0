package flyconf_test

import (
	"fmt"
	"os"

	"github.com/flysql/flysql/flyconf"
)

func ExampleParse() {
	cfg, err := flyconf.Parse("fly.toml", []byte(`
app = "shop"
primary_region = "ord"

[mounts]
  source = "shop_data"
  destination = "/data"
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cfg.App, cfg.PrimaryRegion, cfg.Mounts[0].Destination)
	// Output: shop ord /data
}

func ExampleParse_problems() {
	_, err := flyconf.Parse("fly.toml", []byte(`
app = "shop"
primary_regoin = "ord"

[[http_service.checks]]
  interval = 15
`))
	fmt.Println(err)
	// Output:
	// fly.toml:6:3: http_service.checks[0].interval: is an integer, which Fly does not read as seconds: write a quoted duration, as in "15s"
	// fly.toml:3:1: primary_regoin: unknown key; did you mean primary_region?
}

func ExampleRender() {
	text, err := flyconf.Render(&flyconf.Config{
		App:           "shop",
		PrimaryRegion: "ord",
		Mounts: []flyconf.Mount{{
			Source:        "shop_data",
			Destination:   "/data",
			InitialSizeGB: 1,
		}},
	}, flyconf.Comments{"mounts": "The database lives here."})
	if err != nil {
		fmt.Println(err)
		return
	}
	os.Stdout.Write(text)
	// Output:
	// app = "shop"
	// primary_region = "ord"
	//
	// # The database lives here.
	// [[mounts]]
	//   source = "shop_data"
	//   destination = "/data"
	//   initial_size = "1GB"
}

func ExampleConfig_Validate() {
	cfg := &flyconf.Config{App: "My Shop", KillSignal: "TERM"}
	fmt.Println(cfg.Validate())
	// Output:
	// app: "My Shop" is not an app name: use lowercase letters, digits and dashes, and no dash at either end
	// kill_signal: "TERM" is not one of SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2, SIGKILL, SIGSTOP
}
