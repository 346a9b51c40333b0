// Package fakefly is Fly's Machines API on this machine, for tests: apps, regions, hosts,
// volumes, snapshots, machines, leases and the names of secrets, as far as flysql asks for
// them. It speaks HTTP, so FLY_FLAPS_BASE_URL leads a command to it as a user runs it.
//
//	fake := fakefly.Start(t)
//	fake.AddApp("shop", "personal")
//	fake.AddVolume("shop", fly.Volume{Name: "data", Region: "ams", SizeGb: 1})
//	env := fake.Env()
//	...
//	fake.Fail("CreateVolume", fakefly.BadGatewayAfterSuccess)
//	...
//	fake.Calls()["CreateVolume"]
//
// Calls have the names of flyapi.Client's methods. Nothing in it depends on the time of
// day: its clock stands until a test moves it, ids follow from the order of creation, and
// what takes Fly a while takes the fake a number of looks: a machine goes from created to
// starting to started as it is asked for, and a snapshot from waiting to created.
//
// What it answers is held to Fly's published OpenAPI document by a test.
package fakefly
