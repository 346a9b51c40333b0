package load

import (
	"net/http"
	"testing"

	"github.com/flysql/flysql/internal/emulator/edge"
	"github.com/flysql/flysql/replay"
)

// The names that are written here again, so that this package draws in neither.
func TestNames(t *testing.T) {
	if wayHeader != replay.WayHeader || edgeHeader != edge.WayHeader || regionHeader != edge.RegionHeader || tokenHeader != replay.HeaderName {
		t.Errorf("%q %q %q %q", wayHeader, edgeHeader, regionHeader, tokenHeader)
	}
}

func TestWayOf(t *testing.T) {
	for _, tt := range []struct {
		way, edge, token string
		want             Way
		machine          string
		told             bool
	}{
		{"", "", "", WayLocal, "", false},
		{"", "", "1.a", WayLocal, "", true},
		{"waited", "", "", WayWaited, "", true},
		{"forwarded", "nearest a1 ams", "", WayForwarded, "a1 ams", true},
		{"unknown", "", "", WayLocal, "", false},
		{"local", "", "", WayLocal, "", false},
		{"elsewhere", "", "", WayLocal, "", false},
		{"", "nearest a1 ams", "", WayLocal, "a1 ams", true},
		{"", "nearest a1 ams, replay o1 ord", "", WayReplayed, "o1 ord", true},
		{"", "cached o1 ord", "", WayReplayed, "o1 ord", true},
		{"", "nearest a1 ams, replay o1 ord, fallback a1 ams", "", WayReplayed, "a1 ams", true},
		{"", ",, ,", "", WayLocal, "", true},
	} {
		h := http.Header{}
		for name, value := range map[string]string{wayHeader: tt.way, edgeHeader: tt.edge, tokenHeader: tt.token} {
			if value != "" {
				h.Set(name, value)
			}
		}
		if way, machine, told := wayOf(h); way != tt.want || machine != tt.machine || told != tt.told {
			t.Errorf("%+v: %v %q %v", tt, way, machine, told)
		}
	}
}
