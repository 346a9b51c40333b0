package load

import (
	"net/http"
	"slices"
	"strings"
)

// Where responses tell the way that their requests took. Package replay and the edge of
// flysql dev have the first two as WayHeader; who has written gets a token of package replay.
const (
	wayHeader   = "Flysql-Way"
	edgeHeader  = "Flysql-Dev-Way"
	tokenHeader = "Flysql-Token"
)

// Way is how a request came to its answer among an app's machines.
type Way uint8

// The ways.
const (
	WayUnknown   Way = iota
	WayLocal         // answered where it arrived
	WayWaited        // there too, after a wait for the client's own last write
	WayReplayed      // by another machine, to which the proxy sent it
	WayForwarded     // by another machine, to which the first one sent it
)

var wayNames = []string{"unknown", "local", "waited", "replayed", "forwarded"}

func (w Way) String() string { return wayNames[w] }

// wayOf reads a response's header. told is false where nothing in it is of flysql's: then
// the app may have been at any number of machines. machine is "id region" where that is said.
func wayOf(h http.Header) (way Way, machine string, told bool) {
	way = WayLocal
	if hops := h.Get(edgeHeader); hops != "" && len(hops) < 2000 {
		told = true
		for hop := range strings.SplitSeq(hops, ", ") {
			why, at, _ := strings.Cut(hop, " ")
			if why == "replay" || why == "cached" || why == "fallback" {
				way = WayReplayed
			}
			machine = short(at, 60)
		}
	}
	if i := slices.Index(wayNames, h.Get(wayHeader)); i >= int(WayWaited) {
		return Way(i), machine, true
	}
	return way, machine, told || h.Get(tokenHeader) != ""
}
