package doctor

import (
	"testing"

	"github.com/flysql/flysql/flyconf"
)

// TestExcerpt holds the excerpts of findings to those of flyconf.
func TestExcerpt(t *testing.T) {
	text := "app = \"shop\"\n" + "\n\tx = 1\r\n[env]\n  A = \"secret\"\n\n\n\n\n  last = 2"
	app := appOf(map[string]string{"fly.toml": text})
	c := &checker{App: app}
	for _, p := range []*flyconf.Problem{
		{Line: 1, Col: 1}, {Line: 1, Col: 7}, {Line: 2, Col: 1}, {Line: 3, Col: 2}, {Line: 5, Col: 3, Key: "env.A"},
		{Line: 10, Col: 10}, {Line: 10, Col: 99}, {}, {Line: 99, Col: 1},
	} {
		got := c.at("fly.toml", p.Line, p.Col, p.Key).Excerpt
		if want := p.Excerpt([]byte(text)); got != want {
			t.Errorf("%d:%d:\n%s\nwant\n%s", p.Line, p.Col, got, want)
		}
	}
}
