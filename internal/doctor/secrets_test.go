package doctor

import (
	"strings"
	"testing"
)

// TestSecrets: no finding shows a secret that stands where it points.
func TestSecrets(t *testing.T) {
	r := checkArchive(t, `
-- fly.toml --
app = "shop"
primary_region = "iad"
env = { PORT = "3000", FLY_TOKEN = "hunter2", LITEFS_CLOUD_TOKEN = "hunter2" }

[build.args]
  TOKEN = "hunter2"

[http_service]
  internal_port = 8080

  [[http_service.checks]]
    interval = 5

    [http_service.checks.headers]
      "bad name" = "hunter2"
-- Dockerfile --
FROM debian:bookworm-slim
ENV DATABASE_URL=file:///litefs/x/hunter.db TOKEN=hunter2
ENV LITEFS_CLOUD_TOKEN hunter2
RUN apt-get update
COPY litefs.yml /etc/litefs.yml
CMD ["litefs", "mount"]
-- litefs.yml --
data:
  dir: /data/${DIR_TOKEN}
lease:
  type: consul
  advertise-url: "hunter2@${FLY_NAME}"
  candidate: false
  consul:
    url: "hunter2://x:hunter2@${FLY_HOST}:8500"
    key: a
backup:
  type: litefs-cloud
  auth-token: hunter2
`)
	rules := map[string]bool{}
	for _, f := range r.Findings {
		rules[f.Rule.ID] = true
		texts := []string{f.Message, f.Fix, f.Excerpt}
		for _, also := range f.Related {
			texts = append(texts, also.Message, also.Excerpt)
		}
		for _, text := range texts {
			if strings.Contains(text, "hunter2") {
				t.Errorf("%s: %s shows a secret: %q", f.Place, f.Rule.ID, text)
			}
		}
	}
	for _, id := range []string{"FLY406", "FLY411", "FLY412", "FLY509"} {
		if !rules[id] {
			t.Errorf("%s is not among the findings: %s", id, findingsOf(r))
		}
	}
}
