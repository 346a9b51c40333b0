package fakefly

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"slices"

	fly "github.com/superfly/fly-go"
)

// AddApp makes an app of an organization, such as "personal".
func (f *Fake) AddApp(name, org string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.apps[name] = &app{id: f.id("app"), name: name, org: org, secrets: map[string]string{}}
}

// AddSecret sets a secret of an app.
func (f *Fake) AddSecret(appName, name, value string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mustApp(appName).secrets[name] = value
}

// mustApp is for tests' own calls: an app that is not there is a mistake in the test.
func (f *Fake) mustApp(name string) *app {
	a := f.apps[name]
	if a == nil {
		panic(fmt.Sprintf("fakefly: no app %q: AddApp first", name))
	}
	return a
}

// app is the one that a request names.
func (f *Fake) app(r *request) (*app, answer) {
	a := f.apps[r.args[0]]
	if a == nil {
		return nil, refuse(http.StatusNotFound, "app not found")
	}
	return a, answer{}
}

func (f *Fake) listApps(r *request) answer {
	org := r.URL.Query().Get("org_slug")
	if org == "" {
		return refuse(http.StatusBadRequest, "org_slug is required")
	}
	list := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(f.apps)) {
		if a := f.apps[name]; a.org == org {
			list = append(list, map[string]any{"id": a.id, "name": name, "machine_count": len(a.machines), "volume_count": len(a.volumes), "network": "default"})
		}
	}
	return ok(map[string]any{"total_apps": len(list), "apps": list})
}

func (f *Fake) showApp(r *request) answer {
	a, no := f.app(r)
	if a == nil {
		return no
	}
	status := "pending"
	if len(a.machines) > 0 {
		status = "deployed"
	}
	return ok(map[string]any{"id": a.id, "name": a.name, "status": status, "network": "default",
		"machine_count": len(a.machines), "volume_count": len(a.volumes), "organization": map[string]any{"name": a.org, "slug": a.org}})
}

func (f *Fake) listSecrets(r *request) answer {
	a, no := f.app(r)
	if a == nil {
		return no
	}
	list := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(a.secrets)) {
		s := map[string]any{"name": name, "digest": fmt.Sprintf("%x", sha256.Sum256([]byte(a.secrets[name])))[:16]}
		if r.URL.Query().Get("show_secrets") == "true" {
			s["value"] = a.secrets[name]
		}
		list = append(list, s)
	}
	return ok(map[string]any{"secrets": list})
}

func (f *Fake) listRegions(*request) answer {
	list := []fly.Region{}
	for _, r := range f.regions {
		list = append(list, fly.Region{Code: r.code, Name: r.name, GatewayAvailable: true, Deprecated: r.closed, Capacity: int64(max(r.capacity, 0))})
	}
	slices.SortFunc(list, func(a, b fly.Region) int { return cmp.Compare(a.Code, b.Code) })
	return ok(map[string]any{"Regions": list, "Nearest": "ams"})
}
