// Package page is what a browser sees of a session of flysql dev: a map of its machines,
// the way of every request, the machines' logs, and buttons that do something to them.
//
//	p := page.Handler(session, "/_flysql")
//	defer p.Close()
//	mux.Handle("/_flysql", p)
//	mux.Handle("/_flysql/", p)
//
// It is one HTML document with its style and scripts, embedded and not built, and
// draws in nothing from elsewhere. Under its prefix it serves
//
//	GET  /events                        what happens, as server-sent events
//	GET  /api/state                     how all stands, as JSON: a dev.State
//	POST /api/machines/ID/ACTION        kill, stop, start, restart, handoff
//	POST /api/regions/CODE/ACTION       cut, mend, slow {"ms": 500}, choose
//	POST /api/deploy
//	POST /api/send                      {"method", "path", "region", "body"}: a request to the app
//
// # The events
//
// A stream begins with "hello" and "state", then tells what has been: requests, log lines
// and actions, as far as they are kept (some thousand), and goes on with what happens.
// Each is a dev.Event. Last-Event-ID goes on where a stream has ended. Who reads too
// slowly misses some, is told so by "gap", and delays nobody; who does not read at all is
// cut off.
//
// # Who may ask
//
// Other sites that are open in the same browser must not be able to kill machines, or to
// read logs. So a request must be for localhost or a loopback address (a name that was
// made to lead here is refused), one that does something must come with the header
// Flysql-Page, which no other site can send without being allowed to, and what the browser
// says of where it comes from (Origin, Sec-Fetch-Site) must be this page. The app's own
// pages are of the same origin where they share its port: they may do all of this.
package page
