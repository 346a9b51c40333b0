package cluster_test

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/emulator/cluster"
	"github.com/flysql/flysql/internal/emulator/latency"
)

// An app in three regions, until somebody asks it to end. Without an Output this is
// compiled, and not run: it needs root and LiteFS.
func ExampleStart() {
	ctx := context.Background()
	text, err := os.ReadFile("fly.toml")
	if err != nil {
		log.Fatal(err)
	}
	config, err := flyconf.Parse("fly.toml", text)
	if err != nil {
		log.Fatal(err)
	}
	c, err := cluster.Start(ctx, cluster.Options{
		Dir: ".flysql/dev", Config: config, LiteFS: "litefs.yml",
		Regions: []string{"ord", "ams", "syd"}, Latency: latency.Real,
		Command: []string{"bin/app"}, Entrypoint: "bin/flysql-entrypoint", Litefs: "bin",
		Log: func(machine, line string) { log.Println(machine, line) },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	// A client is in a region by its host name: http://syd.localhost:8080/
	go func() { log.Println(http.ListenAndServe("127.0.0.1:8080", c.Edge)) }()

	for _, err := range []error{
		c.HandOff(ctx, "ord2"),     // the primary gives its lease away
		c.Cut("syd", true),         // nothing reaches syd any more
		c.Kill("ams1"),             // its host dies
		c.Start(ctx, "ams1"),       // and is back
		c.Cut("syd", false),        // with all that was written meanwhile
		c.Restart(ctx, "syd1"),     // in order
		c.Deploy(ctx, os.Args[1:]), // one machine after the other
	} {
		if err != nil {
			log.Print(err)
		}
	}
}
