// Package replay sends each HTTP request of an app whose database is copied to
// several machines to one that can answer it: a write to the primary, a read to
// wherever it is, but never to a past from before the client's own last write.
//
//	r, err := replay.New(replay.Config{DB: "app.db"})
//	if err != nil {
//		return err
//	}
//	defer r.Close()
//	return http.ListenAndServe(":8080", r.Handler(mux))
//
// Beside LiteFS it finds LiteFS by itself. On a machine without, a laptop say, it
// passes every request through untouched.
//
// # Writes
//
// GET, HEAD, OPTIONS and TRACE run where they arrive; every other method runs on the
// primary. On Fly.io a machine that is not the primary answers it with a fly-replay
// header, and Fly's proxy sends the request there. What Fly's proxy cannot replay (a
// body of more than 1 MB or of unknown length, an upgrade to WebSocket), and every
// request off Fly.io, is forwarded to the primary over the private network.
//
// A read that turns out to write is sent on all the same. On a replica the response
// of a read is held back until its handler is done, or has written
// [Config.HoldBytes], or flushes. When a write was refused until then (appdb tells the
// router of it through the request's context; for other packages there is
// [Redirected]), the response is dropped and the request goes to the primary.
// [EnsurePrimary] asks for that beforehand, and [Always] marks a route.
//
// # Reads
//
// A request in which the database was written is answered with a token: a cookie, and
// the header Flysql-Token for clients that keep none. It says how far the database had
// come. A replica that gets a token and has not come so far waits, and after
// [Config.ReadWait] sends the read to the primary. So a client sees what it has
// written, wherever its next request lands, and costs nobody else a wait.
//
// # What it does not do
//
// It never repeats a write whose outcome is not known: that is a 502. It does not
// order what different clients do. It does not look into databases: of who writes
// how much it knows only positions, by package engine.
package replay
