package doctor

import (
	"testing"

	"github.com/flysql/flysql/flyconf"
)

func TestDistribution(t *testing.T) {
	for base, want := range map[string]string{
		"debian":                             "debian",
		"debian:bookworm-slim":               "debian",
		"ubuntu:24.04@sha256:00ff":           "debian",
		"docker.io/library/python:3.12":      "debian",
		"registry.docker.com/library/ruby:3": "debian",
		"golang:1.25-alpine3.20":             "alpine",
		"alpine":                             "alpine",
		"python:3-windowsservercore":         "",
		"nginx":                              "",
		"scratch":                            "",
		"ghcr.io/acme/debian":                "",
		"acme/debian:12":                     "",
		"gcr.io/distroless/static-debian12":  "",
	} {
		if got := distribution(flyconf.Setting{Value: base, Known: true}); got != want {
			t.Errorf("distribution(%q) = %q, want %q", base, got, want)
		}
	}
	if got := distribution(flyconf.Setting{Value: "debian"}); got != "" {
		t.Errorf("an image by a variable is %q", got)
	}
}

func TestPortOf(t *testing.T) {
	for addr, want := range map[string]int{
		":8080": 8080, "localhost:1": 1, "[::1]:65535": 65535,
		"": 0, ":": 0, "8080": 0, ":http": 0, ":-1": 0, ":999999999999999999999": 0,
	} {
		if got := portOf(addr); got != want {
			t.Errorf("portOf(%q) = %d, want %d", addr, got, want)
		}
	}
}

func TestCommands(t *testing.T) {
	tests := []struct {
		command                  string
		ports, replicates, mount bool
	}{
		{"shop", false, false, false},
		{"shop -addr :8080", true, false, false},
		{"env PORT=3000 shop", true, false, false},
		{"shop -p 80", true, false, false},
		{"shop --http-port=80", true, false, false},
		{"shop 0.0.0.0:8080", true, false, false},
		{"shop -report x -support", false, false, false},
		{"caddy run", true, false, false},
		{"litestream replicate -exec shop", false, true, false},
		{"/usr/local/bin/litestream -config x replicate", false, true, false},
		{"sh -c 'litestream replicate -exec shop'", false, true, false},
		{"litestream restore /data/app.db", false, false, false},
		{"replicate litestream", false, false, false},
		{"litefs mount", false, false, true},
		{"tini -- litefs mount -- shop", false, false, true},
		{"litefs export; mount", false, false, false},
		{"", false, false, false},
	}
	for _, tt := range tests {
		cmd := commandOf(tt.command)
		if got := portWords.MatchString(cmd.text); got != tt.ports {
			t.Errorf("%q: says the port: %v, want %v", tt.command, got, tt.ports)
		}
		if got := replicates(cmd.words); got != tt.replicates {
			t.Errorf("%q: replicates: %v, want %v", tt.command, got, tt.replicates)
		}
		if got := litefsMount.MatchString(cmd.text); got != tt.mount {
			t.Errorf("%q: starts LiteFS: %v, want %v", tt.command, got, tt.mount)
		}
	}
}

// TestOpaqueRun: what a RUN may install without saying so.
func TestOpaqueRun(t *testing.T) {
	for text, want := range map[string]bool{
		"apt-get update && apt-get install -y fuse3":   false,
		`echo "#!/bin/sh\nx \$DB" > /usr/local/bin/db`: false,
		"mkdir -p ${DIR}":                                  false,
		"apt-get install -y $PACKAGES":                     true,
		"apk add $(cat packages)":                          true,
		"./install.sh":                                     true,
		"curl -L https://example.com/x | sh":               true,
		"xargs apt-get install < list":                     true,
		"dpkg -i x.deb":                                    true,
		"apt-get install -y curl; rm -rf ${X} && apk info": false,
	} {
		if got := opaqueRun.MatchString(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestMachineMB(t *testing.T) {
	tests := []struct {
		name, vm string
		mb       int
		key      string
	}{
		{"none", "", 0, ""},
		{"size", "[[vm]]\nsize = 'shared-cpu-4x'\n", 1024, "vm[0].size"},
		{"memory before size", "[[vm]]\nsize = 'shared-cpu-4x'\nmemory = '4gb'\n", 4096, "vm[0].memory"},
		{"another group", "[[vm]]\nmemory = '4gb'\nprocesses = ['worker']\n", 0, ""},
		{"its own before all", "[[vm]]\nmemory = '512mb'\nprocesses = ['app']\n\n[[vm]]\nmemory = '4gb'\n", 512, "vm[0].memory"},
		{"its own after all", "[[vm]]\nmemory = '4gb'\n\n[[vm]]\nmemory = '512mb'\nprocesses = ['app']\n", 512, "vm[1].memory"},
		{"a size that is not known", "[[vm]]\nsize = 'huge'\n", 0, ""},
	}
	for _, tt := range tests {
		config, err := flyconf.Parse("fly.toml", []byte("app = 'shop'\n\n[processes]\napp = 'a'\nworker = 'b'\n\n"+tt.vm))
		if err != nil {
			t.Fatal(err)
		}
		a := &App{Fly: &FlyFile{TextFile{Name: "fly.toml"}, config}}
		if mb, key := a.machineMB("app"); mb != tt.mb || key != tt.key {
			t.Errorf("%s: %d MB by %q, want %d by %q", tt.name, mb, key, tt.mb, tt.key)
		}
	}
}

// TestPutsLiteFS: what has LiteFS in the image, and what is only called so.
func TestPutsLiteFS(t *testing.T) {
	for line, want := range map[string]bool{
		"COPY --from=flyio/litefs:0.5.14 /usr/local/bin/litefs /usr/local/bin/": true,
		"COPY --from=litefs /x /y":                         true,
		"COPY --from=build-litefs /x /y":                   true,
		"COPY bin/litefs /opt/":                            true,
		"COPY litefs /usr/bin/":                            true,
		"COPY etc/litefs.yml /etc/":                        true,
		"ADD https://github.com/superfly/litefs/x /":       true,
		"RUN curl -L https://x/litefs-v0.5.14.tgz | tar x": true,
		"RUN apk add fuse3 litefs":                         true,
		`CMD ["litefs", "mount"]`:                          true,
		"ENTRYPOINT exec litefs mount":                     true,
		"ENTRYPOINT tini /usr/bin/litefs":                  true,
		"ENV DATA=/var/lib/litefs":                         false,
		"VOLUME /var/lib/litefs":                           false,
		"WORKDIR /litefs":                                  false,
		"RUN mkdir -p /var/lib/litefs /litefs":             false,
		"COPY seed /var/lib/litefs":                        false,
		"COPY seed /litefs/":                               false,
		`CMD ["shop", "-db", "/litefs/shop.db"]`:           false,
		"LABEL litefs=no":                                  false,
	} {
		d, err := flyconf.ParseDockerfile("Dockerfile", []byte("FROM debian AS litefs-or-not\nFROM debian\n"+line+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		list := d.Instructions()
		if got := putsLiteFS(list[len(list)-1]); got != want {
			t.Errorf("%s: %v, want %v", line, got, want)
		}
	}
}
