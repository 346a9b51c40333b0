package replay

import "github.com/flysql/flysql/engine"

// place is where the primary is: the hostname of a machine, or a region, where the
// engine knows no more. The zero value is nowhere.
type place struct {
	name   string
	region bool
}

func placeOf(st *engine.State) place {
	if st.Primary != "" || st.Region == "" {
		return place{name: st.Primary}
	}
	return place{name: st.Region, region: true}
}

// field is the one of fly-replay that takes the name.
func (p place) field() string {
	if p.region {
		return "region"
	}
	return "instance"
}

// String is for logs and for who asked.
func (p place) String() string {
	if p.region {
		return "in " + p.name
	}
	return p.name
}
