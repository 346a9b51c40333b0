package fakefly

import (
	"encoding/json"
	"net/http"
	"strings"
)

// request is one that is answered: args are what stood in the path for {…}.
type request struct {
	*http.Request
	args  []string
	body  []byte
	fault *Fault
}

// nonceHeader carries the nonce of a machine's lease.
const nonceHeader = "fly-machine-lease-nonce"

func (r *request) nonce() string { return r.Header.Get(nonceHeader) }

// read fills a value from the body; an empty one leaves it as it is.
func (r *request) read(into any) (answer, bool) {
	if len(r.body) == 0 {
		return answer{}, true
	}
	if err := json.Unmarshal(r.body, into); err != nil {
		return refuse(http.StatusBadRequest, "invalid JSON: %v", err), false
	}
	return answer{}, true
}

// operation is one call of the API, with the path that the OpenAPI document gives it.
type operation struct {
	call, method, path string
	do                 func(f *Fake, r *request) answer
}

func operations() []operation {
	const (
		apps     = "/v1/apps"
		theApp   = apps + "/{app_name}"
		machines = theApp + "/machines"
		theOne   = machines + "/{machine_id}"
		volumes  = theApp + "/volumes"
		theOther = volumes + "/{volume_id}"
	)
	return []operation{
		{"Apps", "GET", apps, (*Fake).listApps},
		{"App", "GET", theApp, (*Fake).showApp},
		{"Regions", "GET", "/v1/platform/regions", (*Fake).listRegions},
		{"Secrets", "GET", theApp + "/secrets", (*Fake).listSecrets},

		{"Volumes", "GET", volumes, (*Fake).listVolumes},
		{"CreateVolume", "POST", volumes, (*Fake).createVolume},
		{"Volume", "GET", theOther, (*Fake).showVolume},
		{"UpdateVolume", "PUT", theOther, (*Fake).updateVolume},
		{"DeleteVolume", "DELETE", theOther, (*Fake).deleteVolume},
		{"ExtendVolume", "PUT", theOther + "/extend", (*Fake).extendVolume},
		{"Snapshots", "GET", theOther + "/snapshots", (*Fake).listSnapshots},
		{"CreateSnapshot", "POST", theOther + "/snapshots", (*Fake).createSnapshot},

		{"Machines", "GET", machines, (*Fake).listMachines},
		{"Launch", "POST", machines, (*Fake).launch},
		{"Machine", "GET", theOne, (*Fake).showMachine},
		{"Update", "POST", theOne, (*Fake).updateMachine},
		{"Destroy", "DELETE", theOne, (*Fake).destroyMachine},
		{"Start", "POST", theOne + "/start", (*Fake).startMachine},
		{"Stop", "POST", theOne + "/stop", (*Fake).stopMachine},
		{"Cordon", "POST", theOne + "/cordon", (*Fake).cordon},
		{"Uncordon", "POST", theOne + "/uncordon", (*Fake).uncordon},
		{"Wait", "GET", theOne + "/wait", (*Fake).waitMachine},
		{"Exec", "POST", theOne + "/exec", (*Fake).execMachine},
		{"Lease", "GET", theOne + "/lease", (*Fake).showLease},
		{"AcquireLease", "POST", theOne + "/lease", (*Fake).takeLease},
		{"ReleaseLease", "DELETE", theOne + "/lease", (*Fake).releaseLease},
		{"SetMetadata", "POST", theOne + "/metadata/{key}", (*Fake).setMetadata},
		{"DeleteMetadata", "DELETE", theOne + "/metadata/{key}", (*Fake).deleteMetadata},
	}
}

// route finds the call of a request.
func route(r *http.Request) (*operation, []string) {
	for _, op := range operations() {
		args, ok := match(op.path, r.URL.Path)
		if !ok || op.method != r.Method {
			continue
		}
		if op.call == "AcquireLease" && r.Header.Get(nonceHeader) != "" {
			op.call = "RefreshLease" // the same path; the nonce tells
		}
		return &op, args
	}
	return nil, nil
}

// match compares a path with one that has {…} in it, and returns what stands there.
func match(pattern, path string) (args []string, ok bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return nil, false
	}
	for i, part := range want {
		switch {
		case strings.HasPrefix(part, "{") && have[i] != "":
			args = append(args, have[i])
		case part != have[i]:
			return nil, false
		}
	}
	return args, true
}
