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
	text := []byte(`app = "shop"
primary_regoin = "ord"

[http_service]
  internal_port = 8080

  [[http_service.checks]]
    interval = 15
`)
	cfg, err := flyconf.Parse("fly.toml", text)
	fmt.Println("error:", err != nil)
	for _, p := range cfg.Problems() {
		fmt.Printf("%s: %v\n%s", p.Severity, p, p.Excerpt(text))
	}
	// Output:
	// error: true
	// warning: fly.toml:2:1: primary_regoin: unknown key, which flyctl ignores; did you mean primary_region?
	// 2 | primary_regoin = "ord"
	//   | ^
	// error: fly.toml:8:5: http_service.checks[0].interval: is the integer 15, which flyctl reads as nanoseconds: write "15s" with quotes if it is seconds
	// 8 |     interval = 15
	//   |     ^
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

func ExampleKnownRegions() {
	for _, r := range flyconf.KnownRegions()[:2] {
		fmt.Println(r.Code, r.City)
	}
	fmt.Println("Miami closed:", flyconf.RegionClosed("mia"))
	// Output:
	// ams Amsterdam
	// arn Stockholm
	// Miami closed: true
}
