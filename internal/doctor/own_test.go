package doctor

import "testing"

// TestOwnFiles checks flysql's own deployment, which flysql init wrote.
func TestOwnFiles(t *testing.T) {
	for _, f := range checkDir(t, "../..").Findings {
		if f.Severity != Note {
			t.Errorf("%s: %s: %s", f.Place, f.Rule.ID, f.Message)
		}
	}
}
