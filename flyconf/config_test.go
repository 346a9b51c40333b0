package flyconf

import "time"

// full uses every key of the model.
func full() *Config {
	start := false
	return &Config{
		App:           "shop",
		PrimaryRegion: "ord",
		KillSignal:    "SIGTERM",
		KillTimeout:   30 * time.Second,
		Deploy:        &Deploy{Strategy: "rolling", WaitTimeout: 10 * time.Minute},
		Env: map[string]string{
			"DATABASE_URL": "file:///data/shop.db",
			"EMPTY":        "",
			"QUOTED":       "a \"b\" \\ \n\tc",
		},
		Mounts: []Mount{{
			Source: "shop_data", Destination: "/data", InitialSizeGB: 1,
			AutoExtendThresholdPercent: 80, AutoExtendIncrementGB: 1, AutoExtendLimitGB: 10,
			SnapshotRetentionDays: 14,
		}},
		HTTPService: &HTTPService{
			InternalPort: 8080, ForceHTTPS: true, AutoStop: "stop", AutoStart: &start,
			Concurrency: &Concurrency{Type: "requests", SoftLimit: 200, HardLimit: 250},
			Checks: []HTTPCheck{
				{
					Method: "GET", Path: "/healthz",
					Interval: 15 * time.Second, Timeout: 5 * time.Second, GracePeriod: time.Hour,
					Headers: map[string]string{"X-Forwarded-Proto": "https"},
				},
				{Path: "/"},
			},
		},
		VMs: []VM{{Size: "shared-cpu-1x", MemoryMB: 512}},
	}
}

var fullComments = Comments{
	"":                                  "What every key looks like.\nhttps://fly.io/docs/reference/configuration/",
	"kill_signal":                       "SIGTERM, as Go programs expect.",
	"mounts":                            "One volume.\n\nIt belongs to one machine.",
	"http_service.min_machines_running": "None.",
	"http_service.checks.headers":       "The proxy redirects what came by http.",
	"no.such.key":                       "Not in the file.",
}
