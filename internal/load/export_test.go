package load

import "time"

// Patient are options by which all requests are sent, however busy this machine is.
func Patient(o Options) Options {
	o.grace = time.Hour
	return o
}
