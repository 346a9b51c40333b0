package image

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// hostArch is what TARGETARCH says: Docker and Go agree on the names.
const hostArch = runtime.GOARCH

// hostGo is the host's Go, which stands for the one in golang:*-bookworm.
type hostGo struct {
	Root       string `json:"GOROOT"`
	ModCache   string `json:"GOMODCACHE"`
	BuildCache string `json:"GOCACHE"`
	Proxy      string `json:"GOPROXY"`
	SumDB      string `json:"GOSUMDB"`
}

func findGo(ctx context.Context) (hostGo, error) {
	var g hostGo
	out, err := exec.CommandContext(ctx, "go", "env", "-json", "GOROOT", "GOMODCACHE", "GOCACHE", "GOPROXY", "GOSUMDB").Output()
	if err != nil {
		return g, fmt.Errorf("ask the host's Go for its caches: %w", err)
	}
	if err := json.Unmarshal(out, &g); err != nil {
		return g, fmt.Errorf("read go env: %w", err)
	}
	return g, nil
}

// env is what a build stage needs to use the host's Go and its caches. Settings
// that would build something else than the container does (GOFLAGS, GOOS, go
// env -w) stay out.
func (g hostGo) env() []string {
	env := []string{
		"GOMODCACHE=" + g.ModCache, "GOCACHE=" + g.BuildCache, "GOPROXY=" + g.Proxy, "GOSUMDB=" + g.SumDB,
		"GOFLAGS=", "GOENV=off",
	}
	for _, kv := range os.Environ() {
		key, _, _ := strings.Cut(kv, "=")
		switch strings.ToUpper(key) {
		case "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "GOTOOLCHAIN", "GOPRIVATE", "GONOSUMDB", "GOINSECURE":
			env = append(env, kv)
		}
	}
	return env
}

func (g hostGo) bin() string { return filepath.Join(g.Root, "bin") }
