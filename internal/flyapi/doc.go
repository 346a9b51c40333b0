// Package flyapi is Fly's Machines API as flysql uses it: one app's volumes, machines,
// snapshots, regions and the names of its secrets. The types are fly-go's; what is added
// is what a command that changes somebody's production needs:
//
//   - Every request goes through one limiter that keeps to Fly's limits, and is counted.
//   - Only what is safe is tried again: reads, and what a rate limit refused. fly-go
//     repeats a POST that was answered with 502 or 503, which makes a volume twice; here
//     such an answer never reaches it.
//   - A request whose outcome is not known says so: [ErrUnknown]. List, then decide.
//   - An [Error] is of a kind that tells the caller what to do, and says what the user can.
//   - The token reaches no log, error, JSON or printed value. Not even fly-go is given it.
//
// It is no client for the whole API: what no command asks for is not here, and no secret's
// value is ever asked for.
//
//	config, err := flyapi.FromEnv(flag, os.Getenv)
//	...
//	config.App = "shop"
//	client, err := flyapi.New(config)
//	...
//	volumes, err := client.Volumes(ctx)
//	if errors.Is(err, flyapi.ErrUnavailable) { ... }
//
// Package fakefly is the same API on this machine, for tests.
package flyapi
