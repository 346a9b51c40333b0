// Package cluster runs an app's machines on this machine: for each a process of
// flysql-entrypoint with a directory for its volume, and where there is a litefs.yml a
// LiteFS node of its own, mounted; with a lease server among them, and Fly's proxy in
// front.
//
//	c, err := cluster.Start(ctx, cluster.Options{
//		Dir: ".flysql/dev", Config: config, LiteFS: "litefs.yml", Regions: []string{"ord", "ams", "syd"},
//		Command: []string{"bin/app"}, Entrypoint: "bin/flysql-entrypoint",
//	})
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//	err = c.Edge.Server().Serve(listener)
//
// What a machine has is under Options.Dir and stays there; it is found again by the next
// Start. Whoever starts a cluster in a directory first ends what one that was killed has
// left running or mounted in it: a process is known by a variable in its environment,
// so that none but its own is ever touched.
//
// What a machine says to another one, LiteFS's stream, what an app forwards and what
// flysql-entrypoint asks at a boot or a hand-over, goes through a relay, which is as far as
// [Options.Latency] says, hangs where [Cluster.Cut] has cut, and is there only while the
// other one listens. The lease server tells each machine where the primary is by the relay
// that leads there from it; [Options.Consul] is asked by way of it. With lease.type static
// there is none, and the machine that lease.candidate says is the primary.
//
// # How it differs from Fly
//
// All machines are on one network, so each app is told by PORT to listen on a port of
// its own; one that does not heed it cannot run twice. Paths of fly.toml's [env] that lie
// under the volume's destination or LiteFS's directory are written anew. The entrypoint
// takes the marker of a machine here, FLYSQL_DEV_MACHINE, for the volume that it looks for
// on Fly, as long as what it is to keep lies in that machine's directory. Peers are named
// by FLYSQL_REPLAY_PEERS and FLYSQL_LITEFS_PEERS; the names under .internal are answered
// at FLYSQL_DEV_DNS, whose addresses are of loopback, one a machine. There is no image: the
// command runs on this machine's files, as this user.
//
// A machine that ends by itself is started again as [[restart]] says; one that is killed
// by [Cluster.Kill] is as one whose host is gone, and stays off until it is started.
package cluster
