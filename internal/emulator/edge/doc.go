// Package edge is Fly's proxy on one machine: it takes an app's HTTP requests as if it
// stood in every region, and gives each to one of the app's machines, by the rules that
// Fly documents.
//
//	e, err := edge.New(edge.Options{App: config.App, Service: service, Latency: latency.Real})
//	if err != nil {
//		return err
//	}
//	defer e.Close()
//	e.Set(machines)
//	err = e.Server().Serve(listener)
//
// Who asks is in one place here, so a request says which region it comes from: by the
// first label of its host (http://syd.localhost:8080), by the header [RegionHeader], or
// not at all, then it comes from [Options.Region]. Its edge is the one in that region.
//
// # What it follows
//
// https://fly.io/docs/networking/dynamic-request-routing/ for fly-replay in both forms,
// the replay cache, and the headers by which a client chooses;
// https://fly.io/docs/reference/load-balancing/ and
// https://fly.io/docs/reference/fly-proxy-autostop-autostart/ for which machine is taken,
// started and stopped; https://fly.io/docs/reference/health-checks/ for who is well;
// https://fly.io/docs/networking/request-headers/ for what is added; and the list of the
// proxy's errors, https://fly.io/docs/reference/error-codes/, whose codes the edge's own
// answers begin with. The tests go through these point by point.
//
// # Where no document says
//
//   - The status of the proxy's own answers: here 502, 503, 508 (replayed too often) and
//     413 (too large to replay).
//   - How often a request may be replayed: here 5 times.
//   - How long a request waits for a machine below its hard_limit: [Options.Patience].
//   - What becomes of a client's own fly-replay-src, fly-replay-failed,
//     fly-replay-cache-status and fly-preferred-instance-unavailable. Here they pass
//     through where the edge has nothing to say itself: an app must not believe them.
//   - Unknown fields of fly-replay, and a list of regions without quotes: here an error,
//     so that they are seen.
//   - Whether edges share a replay cache: here they do. A cached machine that cannot
//     be reached is forgotten, and the request takes its usual way.
//   - Transformations: here they last for later replays of the same request, and a
//     fallback gets the request as it was.
//   - Who answers Expect: 100-continue: here the edge, at once.
//   - Early hints of a machine that replays: here they pass, without fly-replay.
//   - Headers whose names have _ for -, which CGI and its like take for the same: here they
//     pass through, as any header does that is not the edge's.
//   - How large fly-replay may be: here 64 KB, in both forms.
//   - What is sent again: a request of which nothing has reached a machine; and, where a
//     connection that was to be used again had ended, one that HTTP lets be sent again: GET
//     and its like, and what a client gives an Idempotency-Key.
//   - Which of fly-force-instance-id, fly-force-region, fly-prefer-instance-id and
//     fly-prefer-region wins: here they are taken together, force before prefer, so that
//     no preferred machine leads out of a forced region; a cached replay goes before the
//     preferences, and gives way to force.
//
// # What it does not do
//
// There is no TLS, so force_https redirects nobody, see [Options.HTTPS]. Nothing is
// compressed, statics are not served, PROXY protocol, UDP, Flycast and CONNECT are not
// there. Server and Fly-Cache-Status are not added to responses. The time from client to
// edge is added once to a request and once to its response, not to what follows on an
// open stream; the time between edge and machine is added to every byte. With it, an
// upgraded connection ends both ways at once.
package edge
