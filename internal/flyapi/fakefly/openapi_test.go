package fakefly

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/testkit"
	fly "github.com/superfly/fly-go"
	"gopkg.in/yaml.v3"
)

// Fly's OpenAPI document is of 2024. Where fly-go, which is Fly's own, is newer, fly-go is
// right, and what differs stands here by name.
var (
	newerCalls = map[string]string{
		"Regions":      "the document has no platform",
		"Secrets":      "the document has no secrets of an app",
		"UpdateVolume": "PUT now; the document has POST",
	}
	newerAnswers = map[string]string{
		"Exec":         "JSON with exit_code, stdout and stderr; the document has text",
		"Lease":        "within status and data",
		"AcquireLease": "as Lease",
		"RefreshLease": "as Lease",
	}
	newerFields = map[string][]string{
		"Volume":         {"auto_backup_enabled", "host_dedication_id", "host_status"},
		"VolumeSnapshot": {"retention_days", "volume_size"},
		"Machine":        {"host_status", "version", "incomplete_config"},
		"App":            {"machine_count", "network", "volume_count"},
		"ListApp":        {"network", "volume_count"}, // the document has a network as an object
	}
)

// document is what this test reads of an OpenAPI document.
type document struct {
	Paths map[string]map[string]struct {
		Responses map[string]struct {
			Content map[string]struct{ Schema *schema }
		}
	}
	Components struct{ Schemas map[string]*schema }

	newer map[string]bool // fields that were met and are newer than the document
}

type schema struct {
	Ref                  string `yaml:"$ref"`
	Type                 string
	Properties           map[string]*schema
	Items                *schema
	AdditionalProperties *schema   `yaml:"additionalProperties"`
	AllOf                []*schema `yaml:"allOf"`
	Enum                 []any
	Required             []string

	name string // of the component
}

func readDocument(t *testing.T) *document {
	t.Helper()
	dir := os.Getenv("FLYSQL_TESTDATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	data, err := os.ReadFile(filepath.Join(dir, "fly-machines-openapi.yaml"))
	if os.IsNotExist(err) {
		testkit.NotRun(t, "Fly's OpenAPI document", "FLYSQL_TESTDATA=a directory with fly-machines-openapi.yaml")
	}
	if err != nil {
		t.Fatal(err)
	}
	doc := document{newer: map[string]bool{}}
	if err := yaml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	for name, s := range doc.Components.Schemas {
		s.name = name
	}
	return &doc
}

// check reports what in a value is not as its schema has it. A null is allowed anywhere:
// Fly answers with it, for what is not set.
func (d *document) check(at string, s *schema, v any, report func(string)) {
	if s.Ref != "" {
		target := d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
		if target == nil {
			report(fmt.Sprintf("%s: the document has no %s", at, s.Ref))
			return
		}
		s = target
	}
	if v == nil {
		return
	}
	for _, part := range s.AllOf {
		d.check(at, part, v, report)
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
		report(fmt.Sprintf("%s: %v is none of %v", at, v, s.Enum))
	}
	switch v := v.(type) {
	case map[string]any:
		d.checkObject(at, s, v, report)
	case []any:
		if s.Type != "array" {
			report(fmt.Sprintf("%s: a list, want %s", at, s.Type))
			return
		}
		for i, item := range v {
			d.check(fmt.Sprintf("%s[%d]", at, i), s.Items, item, report)
		}
	default:
		if s.Type != "" && !isOf(s.Type, v) {
			report(fmt.Sprintf("%s: %v, want %s", at, v, s.Type))
		}
	}
}

func isOf(kind string, v any) bool {
	switch v := v.(type) {
	case string:
		return kind == "string"
	case bool:
		return kind == "boolean"
	case json.Number:
		return kind == "number" || kind == "integer" && !strings.ContainsAny(v.String(), ".eE")
	}
	return false
}

func (d *document) checkObject(at string, s *schema, v map[string]any, report func(string)) {
	if s.Type != "object" && s.Type != "" {
		report(fmt.Sprintf("%s: an object, want %s", at, s.Type))
		return
	}
	for _, name := range s.Required {
		if _, has := v[name]; !has {
			report(fmt.Sprintf("%s: no %s", at, name))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(v)) {
		if slices.Contains(newerFields[s.name], key) {
			d.newer[s.name+"."+key] = true
			continue
		}
		of := s.Properties[key]
		if of == nil {
			of = s.AdditionalProperties
		}
		switch {
		case of != nil:
			d.check(at+"."+key, of, v[key], report)
		case len(s.Properties) > 0:
			report(fmt.Sprintf("%s: %s is not in the document", at, key))
		}
	}
}

// TestCheck is the check's own test: it finds what is wrong.
func TestCheck(t *testing.T) {
	var doc document
	if err := yaml.Unmarshal([]byte(`
components:
  schemas:
    A:
      type: object
      required: [id]
      properties:
        id: {type: string}
        n: {type: integer}
        f: {type: number}
        on: {type: boolean}
        state: {type: string, enum: [up, down]}
        list: {type: array, items: {$ref: '#/components/schemas/A'}}
        map: {type: object, additionalProperties: {type: string}}
        both: {allOf: [{$ref: '#/components/schemas/A'}], type: object}
        lost: {$ref: '#/components/schemas/B'}
`), &doc); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{
		`{"id":"x","n":1,"f":1.5,"on":true,"state":"up","list":[{"id":"y"}],"map":{"a":"b"},"both":{"id":"z"}}`: 0,
		`{"id":null,"n":null,"list":null}`: 0,
		`{}`:                               1,
		`{"id":7}`:                         1,
		`{"id":"x","n":1.5}`:               1,
		`{"id":"x","n":"1"}`:               1,
		`{"id":"x","on":"true"}`:           1,
		`{"id":"x","state":"far"}`:         1,
		`{"id":"x","list":{}}`:             2, // an object, and without what a list has
		`{"id":"x","list":[{}]}`:           1,
		`{"id":"x","map":{"a":1}}`:         1,
		`{"id":"x","both":{}}`:             1,
		`{"id":"x","more":1}`:              1,
		`{"id":"x","lost":1}`:              1,
		`[]`:                               1,
	} {
		var found []string
		doc.check("A", &schema{Ref: "#/components/schemas/A"}, decode(t, []byte(text)), func(s string) { found = append(found, s) })
		if len(found) != want && !(strings.Contains(text, `"list":{}`) && len(found) > 0) {
			t.Errorf("%s: %d findings, want %d: %v", text, len(found), want, found)
		}
	}
}

func decode(t *testing.T, data []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Errorf("%.100q: %v", data, err)
	}
	return v
}

// TestAsDocumented drives every call and holds every answer to the document.
func TestAsDocumented(t *testing.T) {
	doc := readDocument(t)
	f := Start(t)
	seen := map[string]bool{}
	var mu sync.Mutex
	watch := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		f.ServeHTTP(rec, r)
		op, _ := route(r)
		mu.Lock()
		defer mu.Unlock()
		doc.hold(t, op, rec)
		if rec.Code < 300 {
			seen[op.call] = true
		}
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
	}))
	defer watch.Close()
	driveAll(t, f, watch.URL)
	mu.Lock()
	defer mu.Unlock()
	for _, op := range append(operations(), operation{call: "RefreshLease"}) {
		if !seen[op.call] {
			t.Errorf("%s was not driven", op.call)
		}
	}
	for name, fields := range newerFields {
		for _, field := range fields {
			if !doc.newer[name+"."+field] {
				t.Errorf("%s.%s was not met: it stands in the list of what is newer for nothing", name, field)
			}
		}
	}
}

// hold compares one answer with the document.
func (d *document) hold(t *testing.T, op *operation, rec *httptest.ResponseRecorder) {
	documented, has := d.Paths[strings.TrimPrefix(op.path, "/v1")][strings.ToLower(op.method)]
	if _, newer := newerCalls[op.call]; has == newer {
		t.Errorf("%s (%s %s): in the document: %v; in the list of what is newer: %v", op.call, op.method, op.path, has, newer)
	}
	report := func(s string) { t.Errorf("%s answers %d: %s\n%s", op.call, rec.Code, s, rec.Body) }
	at := &schema{Ref: "#/components/schemas/ErrorResponse"}
	body := rec.Body.Bytes()
	if rec.Code < 300 {
		if !has {
			return
		}
		answers, documentedCode := documented.Responses[fmt.Sprint(rec.Code)]
		if !documentedCode {
			report("the document has no such status")
		}
		at = answers.Content["application/json"].Schema
	}
	switch _, newer := newerAnswers[op.call]; {
	case at == nil: // nothing is said about the body
	case newer && rec.Code < 300:
		got := decode(t, body)
		d.mustDiffer(op.call, at, got, report)
		if envelope, _ := got.(map[string]any); envelope["data"] != nil {
			d.check(op.call, at, envelope["data"], report)
		}
	default:
		d.check(op.call, at, decode(t, body), report)
	}
}

// mustDiffer keeps the list of what is newer true.
func (d *document) mustDiffer(call string, s *schema, v any, report func(string)) {
	differs := false
	d.check(call, s, v, func(string) { differs = true })
	if !differs {
		report("it is as the document has it, and yet in the list of what is newer")
	}
}

// driveAll makes every call, and some that are refused.
func driveAll(t *testing.T, f *Fake, url string) {
	f.AddApp("shop", "personal")
	f.AddSecret("shop", "A", "1")
	ctx := t.Context()
	c, err := flyapi.New(flyapi.Config{Token: flyapi.NewToken("test", Token), App: "shop", BaseURL: url, Speed: 1000})
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	one, nine := 1, 9
	v, err := c.CreateVolume(ctx, fly.CreateVolumeRequest{Name: "data", Region: "ams", SizeGb: &one})
	must(err)
	port, kind := 8080, "http"
	cfg := &fly.MachineConfig{Image: "registry.fly.io/shop:v1@sha256:abc", Env: map[string]string{"A": "b"}, Metadata: map[string]string{"fly_process_group": "app"},
		Mounts:   []fly.MachineMount{{Volume: v.ID, Path: "/data", Name: "data"}},
		Checks:   map[string]fly.MachineCheck{"up": {Port: &port, Type: &kind}},
		Services: []fly.MachineService{{Protocol: "tcp", InternalPort: port, Ports: []fly.MachinePort{{Port: &port, Handlers: []string{"http"}}}}},
		Restart:  &fly.MachineRestart{Policy: fly.MachineRestartPolicyAlways},
	}
	m, err := c.Launch(ctx, fly.LaunchMachineInput{Region: "ams", Name: "one", Config: cfg, LeaseTTL: 60})
	must(err)
	_, err = c.Machines(ctx)
	must(err)
	must(c.Wait(ctx, m.ID, "started", time.Second))
	_, err = c.Machine(ctx, m.ID)
	must(err)
	must(c.Cordon(ctx, m.ID, m.LeaseNonce))
	must(c.Uncordon(ctx, m.ID, m.LeaseNonce))
	_, err = c.Lease(ctx, m.ID)
	must(err)
	_, err = c.RefreshLease(ctx, m.ID, m.LeaseNonce, time.Minute)
	must(err)
	_, _ = c.AcquireLease(ctx, m.ID, time.Minute) // it is taken
	must(c.ReleaseLease(ctx, m.ID, m.LeaseNonce))
	lease, err := c.AcquireLease(ctx, m.ID, time.Minute)
	must(err)
	must(c.ReleaseLease(ctx, m.ID, lease.Nonce))
	_, err = c.Exec(ctx, m.ID, "true", time.Second)
	must(err)
	must(c.SetMetadata(ctx, m.ID, "a", "b"))
	must(c.DeleteMetadata(ctx, m.ID, "a"))
	_, err = c.Update(ctx, fly.LaunchMachineInput{ID: m.ID, Config: cfg}, "")
	must(err)
	must(c.CreateSnapshot(ctx, v.ID))
	for range 2 {
		_, err = c.Snapshots(ctx, v.ID)
		must(err)
	}
	_, err = c.UpdateVolume(ctx, v.ID, fly.UpdateVolumeRequest{SnapshotRetention: &nine})
	must(err)
	_, _, err = c.ExtendVolume(ctx, v.ID, 9)
	must(err)
	_, _, _ = c.ExtendVolume(ctx, v.ID, 1)
	_ = c.DeleteVolume(ctx, v.ID) // it is attached
	f.HostDown(v.Zone, true)
	_, err = c.Machines(ctx)
	must(err)
	_, err = c.Volumes(ctx)
	must(err)
	f.HostDown(v.Zone, false)
	must(c.Wait(ctx, m.ID, "started", time.Second))
	must(c.Stop(ctx, fly.StopMachineInput{ID: m.ID}, ""))
	must(c.Wait(ctx, m.ID, "stopped", time.Second))
	must(c.Start(ctx, m.ID, ""))
	must(c.Destroy(ctx, m.ID, true, ""))
	_, err = c.Volume(ctx, v.ID)
	must(err)
	must(c.DeleteVolume(ctx, v.ID))
	_, _ = c.Volume(ctx, v.ID)
	f.SetCapacity("ams", 0)
	_, _ = c.CreateVolume(ctx, fly.CreateVolumeRequest{Name: "data", Region: "ams", SizeGb: &one})
	_, err = c.App(ctx)
	must(err)
	_, err = c.Apps(ctx, "personal")
	must(err)
	_, err = c.Regions(ctx)
	must(err)
	_, err = c.Secrets(ctx)
	must(err)
}
