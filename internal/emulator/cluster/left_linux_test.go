package cluster

import "testing"

// A process is known by the whole marker, or with all machines by its directory alone.
func TestHasMarker(t *testing.T) {
	const dir = Marker + "=/app/.flysql/dev:"
	for _, tt := range []struct {
		env       string
		marker    string
		beginning bool
		want      bool
	}{
		{"A=1\x00" + dir + "ord1\x00B=2", dir + "ord1", false, true},
		{dir + "ord12", dir + "ord1", false, false},
		{dir + "ord1", dir, true, true},
		{dir + "old:ord1", dir, true, false}, // of the directory dev:old
		{dir + "old/x:ord1", dir, true, false},
		{"X" + dir + "ord1", dir, true, false},
		{"", dir, true, false},
	} {
		if got := hasMarker([]byte(tt.env), []byte(tt.marker), tt.beginning); got != tt.want {
			t.Errorf("%q of %q: %v", tt.marker, tt.env, got)
		}
	}
}
