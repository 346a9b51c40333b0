// Package flydev runs an app in several regions for its own Go tests, as flysql dev does:
// real processes, real LiteFS, Fly's proxy, and faults when the test wants them.
//
//	func TestWritesGoOn(t *testing.T) {
//		c := flydev.Start(t, flydev.Options{Regions: []string{"ord", "ams", "syd"}})
//		ams := c.Client("ams")
//		sign(t, ams, c.URL("")+"/messages", "hello") // through the replica to the primary
//		c.Kill(c.Primary())
//		c.WaitFor("another primary", func() bool { return c.Primary() != "" })
//		sign(t, ams, c.URL("")+"/messages", "still here")
//	}
//
// All ends with the test, whichever way that does. When it has failed, what the machines
// printed is in its output, with the way that each request took.
//
// Starting takes seconds, most of them for building the app; a [Suite] lets the tests of a
// package share one cluster.
//
// The app is built as its Dockerfile says, and boots by flysql-entrypoint of its own
// module. For the go command to keep what that needs in go.mod and go.sum, any package
// of the module, a test for one, imports this package.
//
// LiteFS needs Linux, FUSE, root and the program litefs: see [Options]. What the machines
// have is under .flysql/test in the app's directory; a run that was killed has left its own
// there, and the next one takes that away.
package flydev
